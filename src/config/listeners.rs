//! Checks where mail comes in: the listeners, who may use them, and the certificate
//! that they show. Opens no socket; whether systemd hands one over shows at the start.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{
    Address, Listener, Role, Tls, UnixAddress, Verify, accounts,
    address::{Cidr, Wrong},
    check::Check,
    findings::{Place, Placed},
    raw,
    read::Entry,
    service,
};

const ROLES: &[(&str, Role)] = &[
    ("submission", Role::Submission),
    ("submissions", Role::Submissions),
    ("relay", Role::Relay),
    ("lmtp", Role::Lmtp),
];
const VERIFY: &[(&str, Verify)] = &[("dmarc", Verify::Dmarc)];

/// The mode of a unix socket of which none is said: for its owner and its group.
const SOCKET_MODE: u32 = 0o660;
/// Where LMTP must not be spoken (RFC 2033 5).
const SMTP_PORT: u16 = 25;
/// Longest name of a socket of systemd (`FileDescriptorName=`).
const MAX_SOCKET_NAME_BYTES: usize = 255;

impl Check<'_> {
    pub(super) fn tls(&mut self, raw: &raw::Tls) -> Option<Tls> {
        let files = [("certificate", &raw.certificate), ("key", &raw.key)];
        if files.iter().all(|(_, file)| matches!(file, Entry::Absent)) && raw.place.key.is_empty() {
            return None;
        }
        let paths = files.map(|(key, file)| {
            let file = self.required(file, &raw.place, key, "\"/etc/postfax/tls/....pem\"")?;
            Some(self.pem_file(file))
        });
        let client_ca = raw.client_ca.given().map(|file| self.pem_file(file));
        let [certificate, key] = paths;
        Some(Tls { certificate: certificate?, key: key?, client_ca })
    }

    fn pem_file(&mut self, file: &Placed<String>) -> std::path::PathBuf {
        let path = self.beside(&file.value);
        if let Err(error) = std::fs::File::open(&path) {
            let message = format!("{} cannot be read: {error}", path.display());
            self.findings.error(&file.place, message, "name a PEM file");
        }
        path
    }

    pub(super) fn listeners(&mut self, raw: &[raw::Listener], tls: &raw::Tls) -> Vec<Listener> {
        let mut seen: BTreeMap<String, &Placed<String>> = BTreeMap::new();
        let mut listeners = Vec::new();
        for listener in raw {
            let written =
                self.required(&listener.address, &listener.place, "address", "\"[::]:587\"");
            let address = self.address_of(listener, written);
            if let (Some(written), Some(address)) = (written, &address) {
                // Port 0 is any free port, so two of them differ.
                let shared = !matches!(address, Address::Tcp(tcp) if tcp.port() == 0);
                if let (Some(first), true) = (seen.insert(address.to_string(), written), shared) {
                    let first = self.findings.whereabouts(&first.place);
                    let help = format!("the other is at {first}: use another address");
                    self.findings.error(&written.place, "two listeners have this address", help);
                }
            }
            listeners.extend(self.listener(listener, tls, address));
        }
        listeners
    }

    fn address_of(
        &mut self,
        raw: &raw::Listener,
        written: Option<&Placed<String>>,
    ) -> Option<Address> {
        let address = self.parsed(written, address);
        let owner = self.parsed(raw.owner.given(), accounts::owner);
        let mode = self.parsed(raw.mode.given(), access_mode);
        match address? {
            Address::Unix(unix) => {
                let (user, group) = owner.unwrap_or_default();
                let mode = mode.unwrap_or(SOCKET_MODE);
                Some(Address::Unix(UnixAddress { mode, user, group, ..unix }))
            }
            other => {
                let places =
                    [raw.owner.given().map(|o| &o.place), raw.mode.given().map(|m| &m.place)];
                for place in places.into_iter().flatten() {
                    let help = "leave it out; in a unit of systemd say SocketUser=, SocketGroup= \
                                and SocketMode=";
                    self.findings.error(
                        place,
                        "only a socket unix:/... has an owner and a mode",
                        help,
                    );
                }
                Some(other)
            }
        }
    }

    fn listener(
        &mut self,
        raw: &raw::Listener,
        tls: &raw::Tls,
        address: Option<Address>,
    ) -> Option<Listener> {
        let written = self.required(&raw.role, &raw.place, "role", "\"submission\"");
        let role = self.choice(written, ROLES);
        let trust = self.networks(&raw.trust);
        let proxy = self.networks(&raw.proxy);
        let verify = texts(&raw.verify).iter();
        let verify = verify.filter_map(|word| self.choice(Some(word), VERIFY)).collect();
        let users = texts(&raw.users).iter();
        let users = users.filter_map(|name| self.parsed(Some(name), accounts::user)).collect();
        let (role, place) = (role?, &written?.place);
        match role {
            Role::Submission | Role::Submissions => self.takes_logins(raw, place, tls, &address),
            Role::Relay | Role::Lmtp => self.takes_somebody(raw, place, role, &address),
        }
        let address = address?;
        self.suits(raw, &address);
        Some(Listener { address, role, trust, verify, proxy, users })
    }

    fn networks(&mut self, list: &Entry<Vec<Placed<String>>>) -> Vec<Cidr> {
        texts(list).iter().filter_map(|net| self.parsed(Some(net), Cidr::parse)).collect()
    }

    fn takes_logins(
        &mut self,
        raw: &raw::Listener,
        place: &Place,
        tls: &raw::Tls,
        address: &Option<Address>,
    ) {
        if matches!((&tls.certificate, &tls.key), (Entry::Absent, Entry::Absent)) {
            let message = "mail clients log in only under TLS, and there is no [tls]";
            let help = "add [tls] with certificate = \"...\" and key = \"...\"";
            self.findings.error(place, message, help);
        }
        if names_some(&raw.trust) || names_some(&raw.verify) {
            let message = "mail clients must log in: trust and verify do nothing here";
            let help = "leave trust and verify out, or use the role \"relay\"";
            self.findings.warn(place, message, help);
        }
        if matches!(address, Some(Address::Unix(_))) {
            let message = "mail clients do not come by a unix socket";
            self.findings.error(place, message, "use the role \"lmtp\" or \"relay\"");
        }
    }

    fn takes_somebody(
        &mut self,
        raw: &raw::Listener,
        place: &Place,
        role: Role,
        address: &Option<Address>,
    ) {
        if let (Role::Lmtp, Some(Address::Tcp(tcp))) = (role, address)
            && tcp.port() == SMTP_PORT
        {
            let help = "use port 24, or the role \"relay\"";
            self.findings.error(place, "LMTP is never spoken on port 25 (RFC 2033 5)", help);
        }
        // Who may open a unix socket is said by its owner and mode; what systemd hands
        // over may be one.
        let tcp = matches!(address, Some(Address::Tcp(_)));
        if tcp && !names_some(&raw.trust) && !names_some(&raw.verify) {
            let message = "nobody could ever send here: no host is trusted and none is verified";
            let help = "add trust = [\"10.1.0.0/16\"] with the networks of your mail servers, \
                        verify = [\"dmarc\"], or both";
            self.findings.error(place, message, help);
        }
    }

    /// Whether what else is said of a listener is about such an address.
    fn suits(&mut self, raw: &raw::Listener, address: &Address) {
        match address {
            Address::Tcp(_) => {
                if let Some(users) = raw.users.given() {
                    let help = "leave users out, or listen on unix:/...";
                    let message = "only behind a unix socket is a user known";
                    self.findings.error(&users.place, message, help);
                }
            }
            Address::Unix(_) => {
                let hosts = [("trust", &raw.trust), ("verify", &raw.verify), ("proxy", &raw.proxy)];
                for (key, list) in hosts {
                    if let Some(list) = list.given() {
                        let message = "no host comes by a unix socket: only processes do";
                        let help = format!(
                            "leave {key} out; say with users, owner and mode who may connect"
                        );
                        self.findings.error(&list.place, message, help);
                    }
                }
            }
            Address::Systemd(_) => {}
        }
    }
}

fn texts(list: &Entry<Vec<Placed<String>>>) -> &[Placed<String>] {
    list.given().map_or(&[], |list| &list.value)
}

/// Whether something was written, right or wrong.
fn names_some(list: &Entry<Vec<Placed<String>>>) -> bool {
    match list {
        Entry::Given(list) => !list.value.is_empty(),
        Entry::Bad => true,
        Entry::Absent => false,
    }
}

fn address(text: &str) -> Result<Address, Wrong> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = service::absolute(path).and_then(service::socket)?;
        let mode = SOCKET_MODE;
        return Ok(Address::Unix(UnixAddress { path, mode, user: None, group: None }));
    }
    if let Some(name) = text.strip_prefix("systemd:") {
        let good = (1..=MAX_SOCKET_NAME_BYTES).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        let help = "write the FileDescriptorName= of the socket's unit, such as systemd:lmtp";
        let message = || format!("\"{name}\" is no name of a socket");
        return good
            .then(|| Address::Systemd(name.to_owned()))
            .ok_or_else(|| Wrong::new(message(), help));
    }
    let help = "write an address and a port: [::]:587, 0.0.0.0:25 or 127.0.0.1:2525; or \
                unix:/run/postfax/lmtp.sock, or systemd:NAME";
    let address: Result<SocketAddr, _> = text.parse();
    address
        .map(Address::Tcp)
        .map_err(|_| Wrong::new(format!("\"{text}\" is no address with a port"), help))
}

/// Four octal digits, as `chmod` takes them.
fn access_mode(text: &str) -> Result<u32, Wrong> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    mode.filter(|_| digits).ok_or_else(|| {
        let help = "write the bits of the owner, the group and all others in octal: \"0660\"";
        Wrong::new(format!("\"{text}\" is no access mode"), help)
    })
}
