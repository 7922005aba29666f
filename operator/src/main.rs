use clap::Parser;
use operator::cli::Options;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match operator::run::run(Options::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // Also the pod's termination message.
            eprintln!("{error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
