//! A telephone exchange to try by hand: `exchange SPEED SECONDS LINE...`, where a line is
//! `modem:NUMBER[:LINK]`, `machine:NUMBER`, `busy:NUMBER`, `no-answer:NUMBER`,
//! `no-dial-tone:NUMBER`, `congested:NUMBER`, `voice:NUMBER`, `reject:NUMBER` or
//! `drop:NUMBER:SECONDS`. A line `FROM TO FILE` on its input makes a machine call. It prints
//! what happens. No part of the product.

use std::{collections::HashMap, error::Error, path::Path, time::Duration};

use postfax_hw::exchange::{Behaviour, CallResult, Exchange, Machine, Options, Sending};

type Machines = HashMap<String, Machine>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let speed = arguments.next().ok_or("which speed?")?.parse()?;
    let seconds = arguments.next().ok_or("for how many seconds?")?.parse()?;
    let folder = std::env::temp_dir().join(format!("exchange-{}", std::process::id()));
    let exchange = Exchange::start(Options { speed, ..Options::new(&folder) })?;
    let mut machines = Machines::new();
    for line in arguments {
        add(&exchange, &mut machines, &line)?;
    }
    let mut events = exchange.subscribe();
    std::thread::spawn(move || {
        while let Ok(event) = events.blocking_recv() {
            println!("{event:?}");
        }
    });
    std::thread::spawn(move || {
        for order in std::io::stdin().lines().map_while(Result::ok) {
            let words: Vec<&str> = order.split(' ').collect();
            let [from, number, tiff] = words[..] else { continue };
            let Some(machine) = machines.get(from) else { continue };
            let tiff = Path::new(tiff);
            let sending = Sending { number, tiff, subaddress: None, ecm: true, progress: None };
            let call = machine.call(sending);
            std::thread::spawn(move || {
                let ended: CallResult = call.wait();
                println!("{ended:?}");
            });
        }
    });
    std::thread::sleep(Duration::from_secs(seconds));
    Ok(())
}

fn add(exchange: &Exchange, machines: &mut Machines, line: &str) -> Result<(), Box<dyn Error>> {
    let parts: Vec<&str> = line.split(':').collect();
    let (kind, number) = (parts[0], *parts.get(1).ok_or("a line needs a number")?);
    let third = parts.get(2);
    let behaviour = match kind {
        "modem" => {
            let path = exchange.modem(number, third.map(Path::new))?;
            println!("{number} {}", path.display());
            return Ok(());
        }
        "machine" => {
            let mut machine = exchange.machine(number, 4, number)?;
            let Some(mut received) = machine.take_received() else { return Ok(()) };
            machines.insert(number.to_owned(), machine);
            std::thread::spawn(move || {
                while let Some(fax) = received.blocking_recv() {
                    println!("{fax:?}");
                }
            });
            return Ok(());
        }
        "busy" => Behaviour::Busy,
        "no-answer" => Behaviour::NoAnswer,
        "no-dial-tone" => Behaviour::NoDialTone,
        "congested" => Behaviour::Congested,
        "voice" => Behaviour::Voice,
        "reject" => Behaviour::RejectPages,
        "drop" => Behaviour::DropAfter(Duration::from_secs(third.ok_or("when?")?.parse()?)),
        other => return Err(format!("what is {other}?").into()),
    };
    Ok(exchange.number(number, behaviour)?)
}
