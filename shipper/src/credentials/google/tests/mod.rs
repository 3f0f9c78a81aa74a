//! Against fakes of Google's token endpoints and metadata server, written from their documentation. The keys here are made
//! for these tests and known to everybody.

mod fake;
mod federation;
mod files;
mod places;
mod tokens;
