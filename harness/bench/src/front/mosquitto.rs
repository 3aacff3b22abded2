//! mosquitto, with the same certificates.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::setup::Outcome;

const START_LIMIT: Duration = Duration::from_secs(5);

/// What a mosquitto writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Nothing.
    Nothing,
    /// A line for each packet, to a file.
    EveryPacket,
}

/// A mosquitto that ends when this is dropped.
pub struct Mosquitto {
    /// Where it listens on the loopback.
    pub port: u16,
    process: Child,
}

impl Mosquitto {
    /// Starts one with the certificates in `folder`, where its configuration goes too.
    pub fn start(folder: &Path, writes: Writes) -> Outcome<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let here = folder.display();
        let (name, log) = match writes {
            Writes::Nothing => ("mosquitto", "log_dest none".to_owned()),
            Writes::EveryPacket => (
                "mosquitto-log",
                format!("log_dest file {here}/mosquitto.log\nlog_type all"),
            ),
        };
        // Bounds as wide as ours, nothing stored; `user` has a meaning only for root.
        let configuration = format!(
            "listener {port} 127.0.0.1\n\
             cafile {here}/ca.pem\n\
             certfile {here}/server.pem\n\
             keyfile {here}/server.key\n\
             require_certificate true\n\
             allow_anonymous true\n\
             set_tcp_nodelay true\n\
             max_inflight_messages 0\n\
             max_queued_messages 0\n\
             persistence false\n\
             {log}\n\
             user root\n"
        );
        let file = folder.join(name).with_extension("conf");
        fs::write(&file, configuration)?;
        let process = Command::new("mosquitto")
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("failed to start mosquitto: {error}"))?;
        let mut mosquitto = Self { port, process };
        mosquitto.wait_until_ready()?;
        Ok(mosquitto)
    }

    fn wait_until_ready(&mut self) -> Outcome<()> {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("mosquitto did not start: {status}").into());
            }
            if began.elapsed() > START_LIMIT {
                return Err(format!("mosquitto does not listen after {START_LIMIT:?}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
