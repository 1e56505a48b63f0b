//! The `headwater` binary: everything is in [`headwater::cli`].

fn main() -> std::process::ExitCode {
    headwater::cli::main()
}
