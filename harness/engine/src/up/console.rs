//! A device's console as a Unix socket of this host.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite, copy, split};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// A client that connects is at the device's UART, one after the other. Gone when dropped.
pub struct ConsoleSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl ConsoleSocket {
    /// Makes `port` a socket at `path`, where nothing may be yet.
    pub fn open<P>(path: &Path, port: P) -> io::Result<Self>
    where
        P: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = UnixListener::bind(path)?;
        let (mut from_device, mut to_device) = split(port);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut from_client, mut to_client) = split(client);
                // Once the client has gone, the next finds the device where this one left it.
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_device) => {}
                    _ = copy(&mut from_device, &mut to_client) => {}
                }
            }
        });
        Ok(Self {
            path: path.to_owned(),
            task,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        self.task.abort();
        // If another process has removed it, so much the better.
        let _ = std::fs::remove_file(&self.path);
    }
}
