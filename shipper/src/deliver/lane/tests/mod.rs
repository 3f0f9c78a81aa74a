//! A lane against a receiver that does what a test says, on a clock that the test moves.

mod acknowledgement;
mod batches;
mod chaos;
mod left_out;
mod outages;
mod refusals;
mod restarts;
mod side;
mod world;
