//! The board, on this side of the machine.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::command;

/// How long the board may take until it stands.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to clear up.
const END_LIMIT: Duration = Duration::from_secs(10);

/// `proving up --as-rig`; ended when dropped.
pub struct Outside {
    up: Child,
}

impl Outside {
    /// Starts it with `host/rig` as its folder, and waits until it stands.
    pub fn start(host: &Path) -> Result<Self, String> {
        let mut up = command("setpriv");
        up.args(["--pdeathsig", "TERM"])
            .arg(host.join("bin/proving"))
            .args(["up", "--sockets", "--as-rig"])
            .arg(host.join("rig"))
            .stdin(Stdio::null());
        let up = up
            .spawn()
            .map_err(|error| format!("failed to start the board: {error}"))?;
        let mut outside = Self { up };
        let began = Instant::now();
        while !host.join("rig/rig.toml").exists() {
            if let Ok(Some(status)) = outside.up.try_wait() {
                return Err(format!("the board has ended before it stood: {status}"));
            }
            if began.elapsed() > START_LIMIT {
                return Err("the board does not stand".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(outside)
    }

    /// Has it end and clear up.
    pub fn end(&mut self) {
        if let Ok(None) = self.up.try_wait() {
            let _ = command("kill").arg(self.up.id().to_string()).status();
        }
        let began = Instant::now();
        while began.elapsed() < END_LIMIT {
            if !matches!(self.up.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.end();
    }
}
