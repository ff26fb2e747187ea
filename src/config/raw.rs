//! The configuration as it is written: every table and every key, once. The
//! reference in `docs/configuration.md` is held against [`tables`] by a test.

use std::collections::BTreeMap;

use super::{
    findings::{Place, Placed},
    read::{Entry, Field, Keys, Node, Reader, Shape, Table, single},
};

/// A text.
type Text = Entry<String>;
/// A list of texts.
type Texts = Entry<Vec<Placed<String>>>;
/// A whole number that is not negative.
type Count = Entry<u64>;
/// Yes or no.
type Flag = Entry<bool>;

macro_rules! table_types {
    ($( $(#[$doc:meta])* $table:ident { $( $key:ident: $type:ty, )* } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $table {
            pub(super) place: Place,
            $( pub(super) $key: $type, )*
        }

        impl Table for $table {
            const KEYS: &'static [&'static str] = &[$( stringify!($key) ),*];

            fn shape(key: &str) -> Option<Shape> {
                $( if key == stringify!($key) {
                    return Some(<$type as Field>::SHAPE);
                } )*
                None
            }

            fn place(&mut self) -> &mut Place {
                &mut self.place
            }

            fn set(&mut self, key: &str, node: &Node<'_>, reader: &mut Reader<'_>) {
                $( if key == stringify!($key) {
                    self.$key.take(node, reader);
                } )*
            }
        }

        impl Field for $table {
            const SHAPE: Shape = Shape::Table(Keys { names: Self::KEYS, shape: Self::shape });

            fn take(&mut self, node: &Node<'_>, reader: &mut Reader<'_>) {
                single(self, node, reader);
            }
        }
    )* };
}

// The file of the lines is made of such tables too.
pub(super) use table_types;

table_types! {
    /// The whole configuration.
    Raw {
        supervisor: Supervisor,
        listener: Vec<Listener>,
        tls: Tls,
        delivery: Delivery,
        dns: Dns,
        http: Http,
        ldap: Ldap,
        convert: Convert,
        cover: Cover,
        received: Received,
        limits: Limits,
        letters: Letters,
        lines: Lines,
        retry: BTreeMap<String, Retry>,
        group: Vec<Group>,
        server: Vec<Server>,
        client: Vec<Client>,
        role: Vec<Role>,
        dial: Vec<Dial>,
        route: Vec<Route>,
        webhook: Vec<Webhook>,
    }

    /// `[supervisor]`
    Supervisor {
        domain: Text,
        hostname: Text,
        country: Text,
        timezone: Text,
        state: Text,
        control_socket: Text,
        postmaster: Text,
        passwords_file: Text,
    }

    /// `[[listener]]`
    Listener {
        address: Text,
        role: Text,
        trust: Texts,
        verify: Texts,
        proxy: Texts,
        users: Texts,
        owner: Text,
        mode: Text,
    }

    /// `[tls]`
    Tls {
        certificate: Text,
        key: Text,
        client_ca: Text,
    }

    /// `[delivery]`
    Delivery {
        relay: Text,
        from: Text,
        user: Text,
        password_file: Text,
        starttls: Text,
        connections: Count,
        dkim: Vec<Dkim>,
        fallback: Texts,
        auth: Text,
        ca_file: Text,
        verify: Flag,
        returns: Flag,
    }

    /// `[[delivery.dkim]]`
    Dkim {
        domain: Text,
        selector: Text,
        key_file: Text,
    }

    /// `[dns]`
    Dns {
        servers: Texts,
        timeout_s: Count,
        tries: Count,
        cache_entries: Count,
    }

    /// `[http]`
    Http {
        address: Text,
        tls: Flag,
        tokens_file: Text,
        max_body_bytes: Count,
        max_connections: Count,
        max_event_streams: Count,
        max_kept_answers: Count,
        keep_answers_s: Count,
        header_timeout_s: Count,
        request_timeout_s: Count,
        carddav: Flag,
        max_card_bytes: Count,
        max_report_bytes: Count,
    }

    /// `[ldap]`
    Ldap {
        listen: Texts,
        base: Text,
        cleartext: Flag,
        max_connections: Count,
        max_connections_per_address: Count,
        max_message_bytes: Count,
        max_searches: Count,
        max_entries: Count,
        search_timeout_s: Count,
        idle_timeout_s: Count,
    }

    /// `[convert]`
    Convert {
        resolution: Text,
        memory_mb: Count,
        wall_s: Count,
        cpu_s: Count,
        parallel: Count,
        reply_quote: Text,
        max_line_s: Count,
        fonts: Texts,
        unconfined: Text,
    }

    /// `[cover]`
    Cover {
        default: Text,
        template: Text,
        folder: Text,
        logo: Text,
    }

    /// `[received]`
    Received {
        text: Text,
        languages: Text,
        max_text_pages: Count,
        text_page_s: Count,
        text_wait_s: Count,
        codes: Flag,
        code_pages: Count,
        code_wait_s: Count,
        trim: Texts,
    }

    /// `[limits]`
    Limits {
        max_pages: Count,
        max_jobs: Count,
        read_back_s: Count,
        expire_s: Count,
        mail_expire_s: Count,
        delay_notice_s: Count,
        duplicate_window_s: Count,
        keep_days: Count,
        max_message_bytes: Count,
        max_recipients: Count,
        max_connections: Count,
        max_connections_per_address: Count,
        max_login_failures: Count,
        max_login_failures_per_address: Count,
        max_login_failures_per_account: Count,
        max_mails_per_minute: Count,
        max_recipients_per_hour: Count,
        max_mails_per_minute_per_address: Count,
        max_recipients_per_hour_per_address: Count,
        max_received: Count,
        max_faxes_per_number_per_h: Count,
        own_numbers: Text,
        max_hold_s: Count,
        min_deliver_by_s: Count,
        command_timeout_s: Count,
        data_timeout_s: Count,
    }

    /// `[letters]`
    Letters {
        language: Text,
        folder: Text,
        mdn: Text,
    }

    /// `[lines]`
    Lines {
        listen: Text,
    }

    /// One entry of `[retry]`, by the name of an outcome.
    Retry {
        delay_s: Count,
        tries: Count,
    }

    /// `[[group]]`
    Group {
        name: Text,
        operator: Text,
        quota: Quota,
    }

    /// `quota` of a `[[group]]` or `[[client]]`
    Quota {
        pages_a_day: Count,
        calls_a_day: Count,
        calls_abroad_a_day: Count,
    }

    /// `[[server]]`
    Server {
        name: Text,
        kind: Text,
        url: Text,
        dials_in: Flag,
        key: Text,
        password_file: Text,
        admin_password_file: Text,
        groups: Texts,
        numbers: Texts,
        lines: Count,
        draining: Flag,
        poll_s: Count,
        on_drift: Text,
        station_id: Text,
        resolutions: Texts,
        paper: Text,
        batch: Count,
        ca_file: Text,
        pin: Text,
        confirms: Flag,
        pre_dial: Text,
        starttls: Text,
        domain: Text,
        profile: Text,
        report_within_s: Count,
        mdn: Flag,
        drops_duplicates: Flag,
    }

    /// `[[client]]`
    Client {
        name: Text,
        mail: Texts,
        groups: Texts,
        roles: Texts,
        receive: Receive,
        receipts: Text,
        certificates: Texts,
        users: Texts,
        may_send_as: Texts,
        max_priority: Count,
        resolution: Text,
        cover: Text,
        full_name: Text,
        company: Text,
        phone: Text,
        max_mails_per_minute: Count,
        max_recipients_per_hour: Count,
        quota: Quota,
    }

    /// `receive` of a `[[client]]`
    Receive {
        format: Text,
        language: Text,
        text: Text,
        trim: Texts,
    }

    /// `[[role]]`
    Role {
        name: Text,
        may: Texts,
    }

    /// `[[dial]]`
    Dial {
        to: Text,
        from: Texts,
        via: Texts,
        refuse: Text,
    }

    /// `[[route]]`
    Route {
        called: Text,
        from_number: Text,
        tsi: Text,
        subaddress: Text,
        code: Text,
        server: Text,
        line: Text,
        group: Text,
        hours: Text,
        to: Texts,
    }

    /// `[[webhook]]`
    Webhook {
        name: Text,
        url: Text,
        client: Text,
        secret_file: Text,
        previous_secret_file: Text,
        events: Texts,
        ca_file: Text,
        cleartext: Flag,
        max_waiting: Count,
        retry_s: Count,
        give_up_s: Count,
    }
}

/// Every table with its keys, as the reference has them.
#[cfg(test)]
pub(super) fn tables() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("[supervisor]", Supervisor::KEYS),
        ("[[listener]]", Listener::KEYS),
        ("[tls]", Tls::KEYS),
        ("[delivery]", Delivery::KEYS),
        ("[[delivery.dkim]]", Dkim::KEYS),
        ("[dns]", Dns::KEYS),
        ("[http]", Http::KEYS),
        ("[ldap]", Ldap::KEYS),
        ("[convert]", Convert::KEYS),
        ("[cover]", Cover::KEYS),
        ("[received]", Received::KEYS),
        ("[limits]", Limits::KEYS),
        ("[letters]", Letters::KEYS),
        ("[lines]", Lines::KEYS),
        ("[retry]", Retry::KEYS),
        ("[[group]]", Group::KEYS),
        ("[[server]]", Server::KEYS),
        ("[[client]]", Client::KEYS),
        ("receive", Receive::KEYS),
        ("quota", Quota::KEYS),
        ("[[role]]", Role::KEYS),
        ("[[dial]]", Dial::KEYS),
        ("[[route]]", Route::KEYS),
        ("[[webhook]]", Webhook::KEYS),
    ]
}
