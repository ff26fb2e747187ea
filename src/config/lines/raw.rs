//! `lines.toml` as it is written: every table and every key, once. The reference in
//! `docs/lines.md` is held against [`tables`] by a test.

use super::super::{
    findings::{Place, Placed},
    raw::table_types,
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

table_types! {
    /// The whole file.
    Raw {
        lines: Lines,
        line: Vec<Line>,
    }

    /// `[lines]`
    Lines {
        name: Text,
        state: Text,
        country: Text,
        timezone: Text,
        listen: Text,
        connect: Text,
        supervisor: Text,
        stop_after_s: Count,
        max_batch_jobs: Count,
        max_batch_pages: Count,
        batch_wait_ms: Count,
        max_send_pages: Count,
    }

    /// `[[line]]`
    Line {
        name: Text,
        kind: Text,
        on: Flag,
        direction: Text,
        hours: Text,
        modem_priority: Count,
        station_identity: Text,
        fax_number: Text,
        use_job_tsi: Flag,
        ecm: Flag,
        max_speed: Count,
        header_line: Flag,
        header_line_place: Text,
        header_name: Text,
        international_prefix: Text,
        country_code: Text,
        national_prefix: Text,
        outside_prefix: Text,
        device: Text,
        class: Text,
        speed_bps: Count,
        rings_before_answer: Count,
        speaker_volume: Text,
        init_string: Text,
        server: Text,
        domain: Text,
        listen: Text,
        transport: Text,
        ca_file: Text,
        user: Text,
        auth_user: Text,
        password_file: Text,
        numbers: Texts,
        peers: Texts,
        external_address: Text,
        media_ports: Text,
        channels: Count,
        max_calls: Count,
        reserved_channels: Count,
        caller: Text,
        caller_name: Text,
        law: Text,
        t38: Text,
        trace_folder: Text,
    }
}

/// Every table with its keys, as the reference has them.
#[cfg(test)]
pub(super) fn tables() -> Vec<(&'static str, &'static [&'static str])> {
    vec![("[lines]", Lines::KEYS), ("[[line]]", Line::KEYS)]
}
