//! The checked-in bindings are what bindgen makes of plugin/fluent_bit.h. Needs libclang: `cargo test --features bindgen`.
#![cfg(feature = "bindgen")]

#[test]
fn the_checked_in_bindings_are_the_generated_ones() {
    let checked_in = include_str!("../plugin/fluent_bit_sys.rs");
    let generated = include_str!(concat!(env!("OUT_DIR"), "/fluent_bit_sys.rs"));
    assert!(
        checked_in == generated,
        "plugin/fluent_bit.h has changed: copy {} to plugin/fluent_bit_sys.rs",
        concat!(env!("OUT_DIR"), "/fluent_bit_sys.rs")
    );
}
