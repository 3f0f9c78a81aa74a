//! The companion binary: everything it does is in [`auditship::cli`].

fn main() -> std::process::ExitCode {
    auditship::cli::main()
}
