//! Aliases that go from one entry to another within one file. It knows nothing of cards.

use std::collections::HashSet;

use postfax_domain::{
    authority::Who,
    book::{Book, Content, EntryId, Order, Reach},
    setup::Setup,
};

/// Orders, and where in the file each comes from.
pub(super) type Placed = (Vec<Order>, Vec<String>);

/// The same, with those in front that take an alias away where an entry of the file gets
/// another and a second one gets its old one: an owner has an alias once at any moment, so
/// two that change places would stand in each other's way in whatever order.
pub(super) fn freed(book: &Book, setup: &Setup, who: &Who, (orders, places): Placed) -> Placed {
    let wanted: HashSet<String> =
        orders.iter().filter_map(content).filter_map(Content::alias_key).collect();
    let given_up = orders.iter().map(|order| {
        let Order::Change { id, expected, content } = order else { return None };
        let before = &book.get(setup, who, *id)?.entry.content;
        let old = before.alias_key().filter(|old| wanted.contains(old))?;
        let without = || Content { alias: None, ..before.clone() };
        (content.alias_key()? != old).then(|| Order::Change {
            id: *id,
            expected: *expected,
            content: without(),
        })
    });
    let given_up: Vec<Option<Order>> = given_up.collect();
    let many = given_up.iter().flatten().count();
    if many == 0 {
        return (orders, places);
    }
    let first = given_up.iter().zip(&places).filter(|(order, _)| order.is_some());
    let first_places: Vec<String> = first.map(|(_, place)| place.clone()).collect();
    let later = orders.into_iter().zip(&given_up);
    let later: Vec<Order> =
        later.map(|(order, given_up)| moved(order, many, given_up.is_some())).collect();
    let all = given_up.into_iter().flatten().chain(later).collect();
    (all, first_places.into_iter().chain(places).collect())
}

fn content(order: &Order) -> Option<&Content> {
    match order {
        Order::Add { content, .. } | Order::Change { content, .. } => Some(content),
        Order::Share { .. } | Order::Remove { .. } => None,
    }
}

/// An order that has so many others before it now, one of which may have changed the same
/// entry.
fn moved(mut order: Order, by: usize, is_changed: bool) -> Order {
    if let Order::Change { expected: Some(version), .. } = &mut order {
        *version += u64::from(is_changed);
    }
    if let Order::Add { content, .. } | Order::Change { content, .. } = &mut order
        && let Reach::List(members) = &mut content.reach
    {
        for member in members {
            *member = member.order().map_or(*member, |order| EntryId::added_by(order + by));
        }
    }
    order
}
