//! The program: reads the command line and hands it on.

use std::process::ExitCode;

use clap::Parser as _;
use rowsync::cli::{Command, CommandLine};
use rowsync::init;
use rowsync::settings::{self, Environment};

/// Usage or configuration is wrong, nothing was touched.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match carry_out(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("rowsync: {message}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn carry_out(command: Command) -> Result<(), String> {
    let (files, common) = match command {
        Command::Init(init) => {
            init::write_starter(&init.path).map_err(|error| error.to_string())?;
            println!("wrote {}", init.path.display());
            return Ok(());
        }
        Command::Run(run) => (run.files, run.common),
        Command::Verify(verify) => (vec![verify.file], verify.common),
        Command::Plan(args) | Command::Check(args) => (vec![args.file], args.common),
    };
    for file in files {
        settings::load(&file, &Environment::of_process(), &common.overrides()).map_err(|error| error.to_string())?;
    }
    Err("the settings are good, but this command is not built yet".to_owned())
}
