//! The companion binary: everything it does is in [`auditship::cli`].

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
