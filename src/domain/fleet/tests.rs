//! Which server gets a call.

#![allow(clippy::unwrap_used, reason = "a test may")]

use super::*;
use crate::supervisor::tests::setup;

const SHAPES: &[(&str, &[Resolution], Paper)] = &[
    ("london-1", &[Resolution::Fine, Resolution::Dots300], Paper::A4),
    ("london-2", &[Resolution::Fine, Resolution::Superfine], Paper::A3),
    ("paris-1", &Resolution::ALL, Paper::B4),
];

fn equipped() -> Setup {
    let mut setup = setup();
    for (name, resolutions, paper) in SHAPES {
        let server = setup.servers.get_mut(&ServerName::new(name).unwrap()).unwrap();
        server.takes = Takes { resolutions: resolutions.to_vec(), paper: *paper };
    }
    setup
}

#[test]
fn the_best_pages_are_those_that_one_server_takes() {
    use {Paper::*, Resolution::*};
    let setup = equipped();
    for (from, to, wanted, expected) in [
        ("anna", "+442071234567", (Dots400, A3), (Dots300, A4)),
        ("anna", "+442071234567", (Dots300, A4), (Dots300, A4)),
        ("anna", "+442071234567", (Superfine, A3), (Superfine, A3)),
        ("anna", "+442071234567", (Fine, B4), (Fine, B4)),
        ("anna", "+442071234567", (Standard, A3), (Standard, A3)),
        ("bob", "+442071234567", (Dots400, A3), (Dots400, B4)),
        // The rule for France names london-2 and paris-1; anna has only the first.
        ("anna", "+33142685300", (Dots400, A3), (Superfine, A3)),
        ("carl", "+33142685300", (Dots400, A3), (Dots400, B4)),
        // Barred: nothing is sent, and nothing stepped down.
        ("anna", "+449012345678", (Dots400, A3), (Dots400, A3)),
    ] {
        let (from, to) = (ClientName::new(from).unwrap(), to.to_owned().try_into().unwrap());
        let resolution = finest(&setup, &from, &to, wanted.0);
        let paper = widest(&setup, &from, &to, resolution, wanted.1);
        assert_eq!((resolution, paper), expected, "{from} {to} {wanted:?}");
    }
}

#[test]
fn a_server_without_a_line_that_can_call_gets_nothing() {
    let setup = setup();
    let name = ServerName::new("london-1").unwrap();
    let (from, to) = (ClientName::new("anna").unwrap(), "+442071234567".to_owned());
    let need = Need {
        from: &from,
        to: &to.try_into().unwrap(),
        pages: 1,
        shape: Shape::PLAINEST,
        avoid: &BTreeMap::new(),
        joins: None,
    };
    for can_call in [true, false] {
        let lines = vec!["modem: Failed: no such device".to_owned()];
        let health = Health::Up { banner: String::new(), lines, broken: Vec::new(), can_call };
        let fleet = Fleet([(name.clone(), Live { health, ..Live::default() })].into());
        assert_eq!(fleet.has_free_line(&setup), can_call);
        let chosen = fleet.choose(&setup, &need, Timestamp(0)).unwrap();
        assert_eq!(chosen.chosen.is_some(), can_call, "{chosen:?}");
    }
}

#[test]
fn only_servers_that_take_the_document_are_chosen() {
    let setup = equipped();
    let (from, to) = (ClientName::new("carl").unwrap(), "+442071234567".to_owned());
    let to: Number = to.try_into().unwrap();
    let up = || Live { health: Health::up("", vec![]), ..Live::default() };
    let fleet = Fleet(setup.servers.keys().map(|name| (name.clone(), up())).collect());
    let avoid = BTreeMap::new();
    let choose = |resolution, paper| {
        let shape = Shape { resolution, paper };
        let need = Need { from: &from, to: &to, pages: 1, shape, avoid: &avoid, joins: None };
        let decision = fleet.choose(&setup, &need, Timestamp::default()).unwrap();
        let stands = decision.servers.into_iter().map(|(_, standing)| match standing {
            Standing::Able { .. } => "able",
            Standing::TooFine(is) if is == resolution => "too fine",
            Standing::TooWide(is) if is == paper => "too wide",
            _ => "other",
        });
        stands.collect::<Vec<_>>()
    };
    assert_eq!(choose(Resolution::Dots300, Paper::A4), ["able", "too fine", "able"]);
    assert_eq!(choose(Resolution::Fine, Paper::A3), ["too wide", "able", "too wide"]);
    assert_eq!(choose(Resolution::Standard, Paper::A4), ["able"; 3]);
    assert_eq!(choose(Resolution::Dots400, Paper::A3), ["too fine", "too fine", "too wide"]);
    let beyond = Shape { resolution: Resolution::Dots400, paper: Paper::A3 };
    assert!(is_beyond_all(&setup, &from, &to, beyond));
}
