//! Links the plugin as a guest that stays mapped, and generates its bindings when asked to.
//!
//! * `-z nodelete`: the host unmaps its plugins at exit and at a hot reload, while threads and thread-local
//!   destructors of ours may still run.
//! * `-z now`: every symbol is resolved when the library is opened. The first flush then does not run the dynamic
//!   linker's resolver on the host's coroutine stack.
//!
//! The export list is the compiler's own: it gives the linker a version script with the `no_mangle` functions of this
//! crate and `local: *`. A second one is no option (GNU ld refuses it, lld unites the two); a test with `readelf`
//! holds the list to the host's entry points.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=plugin/fluent_bit.h");

    for argument in [
        "-Wl,-z,nodelete",
        "-Wl,-z,now",
        "-Wl,-z,relro",
        "-Wl,-soname,libout_auditship.so",
    ] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }

    #[cfg(feature = "bindgen")]
    generate();
}

/// Writes `fluent_bit_sys.rs` into `OUT_DIR`: the declarations of our own header and nothing else, with the layout
/// assertions that bindgen adds.
#[cfg(feature = "bindgen")]
fn generate() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    bindgen::Builder::default()
        .header("plugin/fluent_bit.h")
        .allowlist_file(".*fluent_bit\\.h")
        .use_core()
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .derive_debug(false)
        .merge_extern_blocks(true)
        .generate_comments(false)
        .raw_line(
            "// Generated from plugin/fluent_bit.h by `cargo build --features bindgen`. Not edited by hand.",
        )
        .formatter(bindgen::Formatter::Prettyplease)
        .disable_header_comment()
        .generate()
        .expect("plugin/fluent_bit.h is valid C (bindgen needs libclang)")
        .write_to_file(out.join("fluent_bit_sys.rs"))
        .expect("OUT_DIR is writable");
}
