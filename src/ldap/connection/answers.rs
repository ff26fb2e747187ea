//! What each request of a connection is answered. Waits for nothing but what it writes,
//! and the desk where somebody logs in; searches go on by themselves.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use postfax_domain::authority::Who;
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        Shared,
        ber::{self, Done},
        bind::{self, Attempt},
        dn::{self, Name},
        filter::{Filter, Truth},
        frame::{self, BadMessage, Page, Proof, Request, Search, What},
        object::{Object, Seen, View},
        pages::{Pages, Turn},
        schema::{self, Code},
        search::{self, Bounds, Found, QUICK, Selection, Way},
    },
    Connection, Ended, Next, Over, Running, WRITE_BYTES,
};

impl Connection {
    pub(super) async fn answer(&mut self, message: &[u8]) -> Result<Next, Over> {
        let request = match frame::read(message) {
            Ok(request) => request,
            Err(bad) => return Err(self.give_up(bad).await),
        };
        let Request { id, what, unknown_critical, page } = request;
        if let Some(tag) = response_of(&what).filter(|_| unknown_critical) {
            let words = "a critical control is not known here";
            let done = Done::new(Code::UnavailableCriticalExtension, words);
            return self.done(id, tag, &done).await;
        }
        match what {
            What::Unbind => Ok(Next::Close),
            What::Abandon(other) => {
                self.running.remove(&other);
                Ok(Next::Go)
            }
            What::Bind { version, name, proof } => self.bind(id, version, &name, proof).await,
            What::Search(asked) => self.search(id, *asked, page).await,
            What::Compare { name, filter } => {
                let done = self.compare(&name, &filter);
                self.done(id, ber::COMPARE_RESPONSE, &done).await
            }
            What::Extended { name } => self.extended(id, &name).await,
            What::Write(tag) => {
                self.check_login();
                let done = match self.login {
                    Some(_) => {
                        Done::new(Code::UnwillingToPerform, "the phone book is only read here")
                    }
                    None => Done::new(Code::InsufficientAccessRights, "log in first"),
                };
                self.done(id, tag, &done).await
            }
        }
    }

    async fn bind(&mut self, id: u32, version: u8, name: &str, proof: Proof) -> Result<Next, Over> {
        // RFC 4511 4.2.1: what goes on ends, and nobody is logged in meanwhile.
        self.running.clear();
        self.pages = Pages::default();
        self.login = None;
        let safe = self.encrypted || self.cleartext || self.peer.to_canonical().is_loopback();
        let attempt = Attempt { address: self.peer, safe, version, name, proof };
        let (login, done) = bind::bind(&self.shared, &self.place, attempt).await;
        self.login = login;
        self.done(id, ber::BIND_RESPONSE, &done).await
    }

    /// Whoever changed their password, or is no client any more, has to log in again.
    fn check_login(&mut self) {
        let config = self.shared.context.config.load();
        if self.login.as_ref().is_some_and(|login| !login.still_holds(&config)) {
            drop(config);
            self.login = None;
            self.pages = Pages::default();
        }
    }

    fn view(&mut self) -> Arc<View> {
        self.check_login();
        let login = self.login.as_ref();
        Arc::new(View {
            book: self.shared.context.book.load_full(),
            setup: self.shared.context.config.load().setup.clone(),
            who: login.map_or(Who::Stranger, |login| Who::Client(login.client.clone())),
            place: self.place.clone(),
        })
    }

    fn compare(&mut self, name: &str, filter: &Filter) -> Done {
        let view = self.view();
        if view.who == Who::Stranger {
            return Done::new(Code::InsufficientAccessRights, "log in first");
        }
        let Some(name) = Name::read(name) else {
            return Done::new(Code::InvalidDnSyntax, "this is no name (RFC 4514)");
        };
        let Some(object) = search::locate(&view, &name) else {
            return search::nothing_there(&view, &name);
        };
        let code = match filter.holds(&Seen { object: &object, view: &view }) {
            Truth::True => Code::CompareTrue,
            Truth::False => Code::CompareFalse,
            Truth::Undefined => Code::UndefinedAttributeType,
        };
        Done::new(code, "")
    }

    async fn extended(&mut self, id: u32, name: &str) -> Result<Next, Over> {
        let mut out = Vec::new();
        match name {
            schema::START_TLS => return self.start_tls(id).await,
            schema::WHO_AM_I => {
                self.check_login();
                let login = self.login.as_ref();
                let name = login.map_or(String::new(), |login| {
                    let client = dn::escaped(login.client.as_str());
                    format!("dn:uid={client},{}", self.place.clients)
                });
                ber::extended(&mut out, id, &Done::well(), None, Some(name.as_bytes()));
            }
            _ => {
                let done = Done::new(Code::ProtocolError, "this extension is not known here");
                ber::extended(&mut out, id, &done, None, None);
            }
        }
        self.send(&out).await?;
        Ok(Next::Go)
    }

    /// RFC 4511 4.14.
    async fn start_tls(&mut self, id: u32) -> Result<Next, Over> {
        let wrong = if self.encrypted {
            Some(Done::new(Code::OperationsError, "the connection is encrypted already"))
        } else if !self.running.is_empty() {
            Some(Done::new(Code::OperationsError, "a search goes on"))
        } else if self.shared.certificate.borrow().is_none() {
            Some(Done::new(Code::Unavailable, "there is no certificate"))
        } else {
            None
        };
        let refused = wrong.is_some();
        let mut out = Vec::new();
        let done = wrong.unwrap_or_else(Done::well);
        ber::extended(&mut out, id, &done, Some(schema::START_TLS), None);
        if !self.come.is_empty() && !refused {
            // What comes in the clear behind it may be another's.
            return Err(self.give_up(BadMessage::Malformed).await);
        }
        self.send(&out).await?;
        if !refused {
            self.encrypt().await?;
        }
        Ok(Next::Go)
    }

    async fn search(&mut self, id: u32, asked: Search, page: Option<Page>) -> Result<Next, Over> {
        let size = match page {
            None => None,
            Some(Page::Malformed) => {
                let done = Done::new(Code::ProtocolError, "the control of pages cannot be read");
                return self.done(id, ber::SEARCH_DONE, &done).await;
            }
            Some(Page::Asked { size, cookie }) if !cookie.is_empty() => {
                return self.next_page(id, &asked, size, &cookie).await;
            }
            Some(Page::Asked { size, .. }) => Some(size),
        };
        if self.running.len() >= self.limits.max_searches || self.running.contains_key(&id) {
            let done = Done::new(Code::Busy, "too many searches at once");
            return self.done(id, ber::SEARCH_DONE, &done).await;
        }
        let limit = match (asked.size_limit as usize, size) {
            (0, Some(_)) => usize::MAX - 1,
            (0, None) => self.limits.max_entries,
            (limit, Some(_)) => limit,
            (limit, None) => limit.min(self.limits.max_entries),
        };
        let seconds = match u64::from(asked.time_limit_s) {
            0 => self.limits.search_timeout_s,
            limit => limit.min(self.limits.search_timeout_s),
        };
        let until = std::time::Instant::now() + Duration::from_secs(seconds);
        self.started += 1;
        let abandoned = Arc::new(AtomicBool::new(false));
        let running = Running { serial: self.started, abandoned: abandoned.clone() };
        self.running.insert(id, running);
        let bounds = Arc::new(Bounds { entries: limit, until, quick: QUICK, abandoned });
        let (view, asked) = (self.view(), Arc::new(asked));
        let (serial, shared) = (self.started, self.shared.clone());
        self.searches.spawn(async move {
            let found = hunt(&shared, &view, &asked, &bounds).await;
            Ended { id, serial, view, asked, page: size, found }
        });
        Ok(Next::Go)
    }

    pub(super) async fn ended(&mut self, ended: Ended) -> Result<(), Over> {
        let Ended { id, serial, view, asked, page, found } = ended;
        if self.running.get(&id).is_none_or(|running| running.serial != serial) {
            return Ok(());
        }
        self.running.remove(&id);
        match page {
            None => {
                self.write_all(id, &view, &asked, &found.objects).await?;
                self.done(id, ber::SEARCH_DONE, &found.done).await.map(drop)
            }
            Some(size) => {
                let most = self.limits.max_entries;
                let turn = self.pages.begin(&asked, found, size, most);
                self.write_page(id, &view, &asked, turn).await.map(drop)
            }
        }
    }

    async fn next_page(
        &mut self,
        id: u32,
        asked: &Search,
        size: u32,
        cookie: &[u8],
    ) -> Result<Next, Over> {
        let view = self.view();
        match self.pages.turn(asked, cookie, size, self.limits.max_entries, &view) {
            Some(turn) => self.write_page(id, &view, asked, turn).await,
            None => {
                // RFC 2696 3.
                let words = "there is no such page: search again";
                let done = Done::new(Code::UnwillingToPerform, words);
                self.done(id, ber::SEARCH_DONE, &done).await
            }
        }
    }

    async fn write_page(
        &mut self,
        id: u32,
        view: &View,
        asked: &Search,
        turn: Turn,
    ) -> Result<Next, Over> {
        self.write_all(id, view, asked, &turn.objects).await?;
        let mut out = Vec::new();
        ber::page_done(&mut out, id, &turn.done, &turn.cookie);
        self.send(&out).await?;
        Ok(Next::Go)
    }

    async fn write_all(
        &mut self,
        id: u32,
        view: &View,
        asked: &Search,
        objects: &[Object],
    ) -> Result<(), Over> {
        let selection = Selection::of(asked);
        let mut out = Vec::new();
        for object in objects {
            selection.write(&mut out, id, &Seen { object, view });
            if out.len() >= WRITE_BYTES {
                self.send(&out).await?;
                out.clear();
            }
        }
        self.send(&out).await
    }
}

/// The tag of the response to a request, where it has one.
fn response_of(what: &What) -> Option<u8> {
    Some(match what {
        What::Bind { .. } => ber::BIND_RESPONSE,
        What::Search(_) => ber::SEARCH_DONE,
        What::Compare { .. } => ber::COMPARE_RESPONSE,
        What::Extended { .. } => ber::EXTENDED_RESPONSE,
        What::Write(tag) => *tag,
        What::Unbind | What::Abandon(_) => return None,
    })
}

/// Searches, away from the threads that serve connections. Those that go through everything
/// wait for each other, so that nobody who types does.
async fn hunt(
    shared: &Shared,
    view: &Arc<View>,
    asked: &Arc<Search>,
    bounds: &Arc<Bounds>,
) -> Found {
    let run = |way: Way| {
        let (view, asked, bounds) = (view.clone(), asked.clone(), bounds.clone());
        tokio::task::spawn_blocking(move || search::search(&view, &asked, &bounds, way))
    };
    let bug = || Found::nothing(Done::new(Code::Unavailable, "Postfax failed at this request"));
    let busy = || Found::nothing(Done::new(Code::Busy, "others search as well, try again later"));
    let until = Instant::from_std(bounds.until);
    let Ok(Ok(place)) = timeout_at(until, shared.quick.acquire()).await else { return busy() };
    match run(Way::Fast).await {
        Ok(Some(found)) => return found,
        Ok(None) => drop(place),
        Err(_) => return bug(),
    }
    let Ok(Ok(_place)) = timeout_at(until, shared.slow.acquire()).await else { return busy() };
    run(Way::Whole).await.ok().flatten().unwrap_or_else(bug)
}
