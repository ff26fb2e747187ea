//! The LDAP door against everything that could come in, and the fast way of a search
//! against the plain one.

use super::ber;

/// A search with this filter, as it goes over the wire.
pub(super) fn search_message(filter: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::tagged(&mut out, ber::SEQUENCE, |out| {
        out.extend([2, 1, 1]);
        ber::tagged(out, 0x63, |out| {
            out.extend([4, 0, 10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0]);
            out.extend_from_slice(filter);
            out.extend([0x30, 0]);
        });
    });
    out
}
