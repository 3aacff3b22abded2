//! A server of the bench's own, in a process of its own: this program with a hidden subcommand.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::setup::{Outcome, Setup};

/// The process. Ended when dropped.
pub struct OwnProcess(Child);

impl OwnProcess {
    /// Starts it with these arguments, and waits for the line that it says once it serves.
    pub fn start<A: AsRef<std::ffi::OsStr>>(
        setup: &Setup,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome<(Self, String)> {
        let mut process = Command::new(&setup.own)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take();
        let process = Self(process);
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        Ok((process, line))
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        // It ends with its standard input, and at the latest by this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the process does once it serves: says `line`, and waits for the end of its standard input.
pub async fn say_and_wait(line: &str) -> Outcome<()> {
    println!("{line}");
    std::io::stdout().flush()?;
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nothing comes; what counts is the end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    Ok(end.await?)
}
