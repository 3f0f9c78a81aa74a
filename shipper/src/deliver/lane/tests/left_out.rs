//! What a destination leaves out of a request, since it must wait for what is in it.

use super::world::World;
use crate::deliver::testing::{Handle, response};
use crate::deliver::{Action, Lane, Ticket};

/// The ticket of the request that goes now, if one does.
fn sent(lane: &mut Lane, world: &World) -> Option<Ticket> {
    match lane.poll(world.now()).unwrap() {
        Action::Send { ticket, .. } => Some(ticket),
        Action::Wait(_) => None,
    }
}

#[test]
fn it_goes_at_once_and_what_failed_after_a_pause() {
    let mut world = World::new(Handle::None);
    world.destination.limits.in_flight = 1;
    world.fill(10);
    let mut lane = world.open().unwrap();
    let mut answer = |verdicts: &str| {
        let ticket = sent(&mut lane, &world).expect("a request");
        lane.complete(ticket, Ok(response(207, verdicts)), world.now());
        (sent(&mut lane, &world), lane.snapshot().counts.delivered)
    };
    let (next, delivered) = answer("sososososo");
    assert!(next.is_some(), "by the same clock");
    assert_eq!(delivered, 5);
    // It is on its way already: the same once more, with one that failed.
    drop(lane);
    let mut lane = world.open().unwrap();
    let ticket = sent(&mut lane, &world).expect("what is left");
    lane.complete(ticket, Ok(response(207, "sstoo")), world.now());
    assert_eq!(sent(&mut lane, &world), None, "it waits");
    assert_eq!(lane.snapshot().counts.delivered, 7);
}

#[test]
fn a_request_of_which_nothing_is_settled_is_not_sent_again_at_once() {
    let mut world = World::new(Handle::None);
    world.destination.limits.in_flight = 1;
    world.fill(10);
    let mut lane = world.open().unwrap();
    let ticket = sent(&mut lane, &world).expect("a request");
    lane.complete(ticket, Ok(response(207, "oooooooooo")), world.now());
    assert_eq!(sent(&mut lane, &world), None, "it would never end");
}
