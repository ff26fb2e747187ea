//! Calls that come from SIP or go there, as the switch sees them.

use tokio::sync::mpsc;

use super::{Callee, ExchangeError, Fate, Leg, MAX_CALLS, Outcome, Subscriber, Switch};
use crate::exchange::sip::{Order, PacketLeg, Ring, Told};

impl Switch {
    /// Calls for numbers beyond the exchange are handed in here from now on.
    pub(in crate::exchange) fn add_door(&mut self, rings: mpsc::UnboundedSender<Ring>) {
        self.door = Some(rings);
    }

    pub(in crate::exchange) fn add_sip_number(
        &mut self,
        number: &str,
        lines: u32,
        target: String,
    ) -> Result<(), ExchangeError> {
        if self.door.is_none() {
            return Err(ExchangeError::NoSip);
        }
        self.directory.add_machine(number, Subscriber::Sip { lines, target })
    }

    /// What SIP wants of a call.
    pub(in crate::exchange) fn sip(&mut self, id: u64, order: Order) {
        if let Order::Calls { from, to, flow, tell } = order {
            let mut leg = PacketLeg::new(tell);
            leg.carry(flow);
            if self.calls.len() >= MAX_CALLS {
                return leg.tell(Told::Failed(Outcome::Congestion));
            }
            return self.place(id, from, Leg::Packets(Box::new(leg)), &to);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        match order {
            Order::Calls { .. } => {}
            Order::Answered(flow) => {
                if let Leg::Packets(packets) = &mut call.called {
                    packets.answer(flow);
                }
            }
            Order::Failed(outcome) => call.fail(outcome, &mut self.modems),
            Order::Media(side, flow) => call.carry(side, flow),
            Order::Left(side) => call.packets_end(side, &mut self.modems),
        }
        self.bury(id);
    }

    /// Lets a number ring that is reached in SIP.
    pub(super) fn beyond(&self, id: u64, from: &str, to: &str, target: &str) -> Callee {
        let (tell, told) = mpsc::unbounded_channel();
        let (from, to, target) = (from.to_owned(), to.to_owned(), target.to_owned());
        let ring = Ring { id, from, to, target, told };
        match &self.door {
            Some(door) if door.send(ring).is_ok() => Callee {
                leg: Leg::Packets(Box::new(PacketLeg::new(tell))),
                fate: Fate::RingsModem,
                drop_after: None,
            },
            _ => Callee::tone(Outcome::Congestion),
        }
    }
}
