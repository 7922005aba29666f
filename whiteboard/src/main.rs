//! The `whiteboard` command.

fn main() -> std::process::ExitCode {
    whiteboard::cli::main()
}
