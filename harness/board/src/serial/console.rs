//! A console on the UART that the log is on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::parting::Parting;

/// Lines and chunks that may wait for the UART, or for who reads the console.
const MOST_WAITING: usize = 256;

/// The other end of a board's console: what is typed goes to the board, and what its UART prints
/// comes from it, log lines included.
#[derive(Debug)]
pub struct LogConsole {
    typed: mpsc::Sender<Vec<u8>>,
    printed: mpsc::Receiver<Vec<u8>>,
}

impl LogConsole {
    /// Types `bytes`. Whether there is still a board.
    pub async fn type_in(&self, bytes: &[u8]) -> bool {
        self.typed.send(bytes.to_vec()).await.is_ok()
    }

    /// What was printed next; none once the board is gone. Cancel safe.
    pub async fn printed(&mut self) -> Option<Vec<u8>> {
        self.printed.recv().await
    }
}

/// The board's end, which outlasts its open port; clones are the same end.
#[derive(Clone, Debug)]
pub(super) struct Tap(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    typed: tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>,
    printed: mpsc::Sender<Vec<u8>>,
    parting: Mutex<Parting>,
}

impl Tap {
    /// Both ends of a console.
    pub(super) fn pair() -> (Self, LogConsole) {
        let (type_in, typed) = mpsc::channel(MOST_WAITING);
        let (print, printed) = mpsc::channel(MOST_WAITING);
        let tap = Self(Arc::new(Shared {
            typed: tokio::sync::Mutex::new(typed),
            printed: print,
            parting: Mutex::default(),
        }));
        let console = LogConsole {
            typed: type_in,
            printed,
        };
        (tap, console)
    }

    /// What is typed next; waits for ever once nobody types any more. Cancel safe.
    pub(super) async fn typed(&self) -> Vec<u8> {
        let typed = self.0.typed.lock().await.recv().await;
        match typed {
            Some(bytes) => {
                self.parting().typed(&bytes);
                bytes
            }
            None => std::future::pending().await,
        }
    }

    /// The UART printed `bytes`; the log's part of them.
    pub(super) fn printed(&self, bytes: &[u8]) -> Vec<u8> {
        // A console that nobody reads loses what it printed.
        let _ = self.0.printed.try_send(bytes.to_vec());
        self.parting().log_of(bytes)
    }

    /// The device starts anew.
    pub(super) fn restart(&self) {
        self.parting().restart();
    }

    fn parting(&self) -> MutexGuard<'_, Parting> {
        self.0
            .parting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
