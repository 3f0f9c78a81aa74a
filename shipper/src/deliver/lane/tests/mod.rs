//! A lane against a receiver that does what a test says, on a clock that the test moves.

mod acknowledgement;
mod chaos;
mod left_out;
mod rows;
mod world;
