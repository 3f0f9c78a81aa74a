//! The Fluent Bit output plugin.
