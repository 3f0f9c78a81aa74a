//! What the dynamic linker is told of the release library, by `readelf`.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::process::Command;

use auditship_testkit::artefacts::Artefact;

fn readelf(arguments: &[&str]) -> String {
    let output = Command::new("readelf")
        .args(["--wide"])
        .args(arguments)
        .arg(Artefact::Library.path())
        .output()
        .expect("readelf (binutils) is installed");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_stays_mapped_is_bound_at_once_and_has_its_name() {
    let dynamic = readelf(&["--dynamic"]);
    let entry = |tag: &str| {
        dynamic
            .lines()
            .find(|line| line.contains(&format!("({tag})")))
            .unwrap_or_else(|| panic!("no {tag} in:\n{dynamic}"))
    };
    assert!(entry("FLAGS").contains("BIND_NOW"));
    assert!(entry("FLAGS_1").contains("NOW"));
    assert!(entry("FLAGS_1").contains("NODELETE"));
    assert!(entry("SONAME").contains("[libout_auditship.so]"));
    assert!(!dynamic.contains("(TEXTREL)"));
    assert!(!dynamic.contains("(RPATH)") && !dynamic.contains("(RUNPATH)"));
}

#[test]
fn it_exports_what_the_host_looks_up_and_nothing_else() {
    let symbols = readelf(&["--dyn-syms"]);
    let mut exported: Vec<&str> = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        // Num: Value Size Type Bind Vis Ndx Name
        .filter(|columns| {
            columns.len() >= 8 && ["GLOBAL", "WEAK", "UNIQUE"].contains(&columns[4]) && columns[6] != "UND"
        })
        .map(|columns| columns[7])
        .collect();
    exported.sort_unstable();
    assert_eq!(
        exported,
        [
            "FLBPluginExit",
            "FLBPluginExitCtx",
            "FLBPluginFlushCtx",
            "FLBPluginInit",
            "FLBPluginPreRegister",
            "FLBPluginRegister",
            "FLBPluginUnregister",
        ]
    );
}

/// Slots of the procedure linkage table that are bound on the first call would run the dynamic linker on the host's
/// coroutine stack. With BIND_NOW the linker binds them when it opens the library; without any there is nothing to bind.
#[test]
fn its_stack_is_not_executable_and_its_tables_are_read_only_after_binding() {
    let headers = readelf(&["--program-headers"]);
    let stack = headers
        .lines()
        .find(|line| line.contains("GNU_STACK"))
        .expect("a GNU_STACK header");
    assert!(stack.contains(" RW ") && !stack.contains("RWE"), "{stack}");
    assert!(headers.contains("GNU_RELRO"));
}
