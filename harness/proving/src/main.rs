use std::process::ExitCode;

fn main() -> ExitCode {
    proving::cli::main()
}
