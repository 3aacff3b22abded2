//! A board without a device, for tests of what drives boards.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use trace::{Level, LogLine, Trace};

use crate::state::PowerState;
use crate::{Abilities, Board, BoardError};

/// Prints a prepared log at each power-on and keeps what it is given.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use board::{Board, fake::FakeBoard};
/// let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
/// let mut board = FakeBoard::new("device", trace.clone());
/// board.prints(["Starting provisioning"]);
/// board.power_on().await.unwrap();
/// assert!(trace.since(1).iter().any(|event| event.data["text"] == "Starting provisioning"));
/// # });
/// ```
pub struct FakeBoard {
    device: String,
    trace: Trace,
    power: PowerState,
    boots: VecDeque<Vec<String>>,
    factory: Vec<u8>,
    storage: Vec<u8>,
}

impl FakeBoard {
    /// Bytes of storage.
    pub const STORAGE: usize = 4096;

    /// A board that is off and erased.
    pub fn new(device: &str, trace: Trace) -> Self {
        Self {
            device: device.to_owned(),
            power: PowerState::off(device, trace.clone()),
            trace,
            boots: VecDeque::new(),
            factory: Vec::new(),
            storage: vec![0xFF; Self::STORAGE],
        }
    }

    /// Adds what the next boot without a log of its own will print.
    pub fn prints<T: Into<String>>(&mut self, lines: impl IntoIterator<Item = T>) {
        self.boots
            .push_back(lines.into_iter().map(Into::into).collect());
    }

    /// The factory data written last.
    pub fn factory(&self) -> &[u8] {
        &self.factory
    }

    fn start(&mut self, how: &str) {
        self.power.starts(how);
        for text in self.boots.pop_front().unwrap_or_default() {
            let line = LogLine {
                level: Level::Info,
                tag: "app".to_owned(),
                text,
                device_ms: None,
                place: None,
            };
            self.trace.emit(Some(&self.device), &line);
        }
    }
}

impl Board for FakeBoard {
    fn device(&self) -> &str {
        &self.device
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            power: true,
            torn_write: false,
            storage: true,
            scaled_time: true,
            bugs: false,
            short_records: false,
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("write factory data")?;
            self.factory = image.to_vec();
            Ok(())
        })
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("power on")?;
            self.start("power on");
            Ok(())
        })
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.ends("power off");
            Ok(())
        })
    }

    fn cut_power_in_write(&mut self, _after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            Err(BoardError::Unable {
                board: "fake",
                what: "cut its power in the middle of a write",
            })
        })
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_on("reset")?;
            self.start("reset");
            Ok(())
        })
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        Box::pin(async {
            self.power.must_be_off("read storage")?;
            Ok(self.storage.clone())
        })
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("erase storage")?;
            self.storage.fill(0xFF);
            Ok(())
        })
    }
}
