//! The device, as the commands of the rig file work it.

use std::ffi::OsString;
use std::path::PathBuf;

use board::Board;
use factory::Factory;
use lab::air::Air;
use lab::bluetooth::Ether;
use lab::native::{NativeBoard, NativeSettings};
use lab::wire::{LabEnd, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trace::{Trace, in_full};

use super::access_points::AccessPoints;
use super::control::Request;
use super::ends::{Line, OVERRUN};
use super::folder::Folder;
use super::narration::say;
use super::uart::{LogForm, print_log};
use super::{DEVICE, Stage};
use crate::DEVICE_COMMAND;

/// Of a device that has no factory data yet.
const BLANK_MAC: [u8; 6] = [0x02, 0x50, 0, 0, 0, 0];

/// The device and the tasks that carry its bytes.
pub struct Device {
    trace: Trace,
    air: Air,
    ether: Ether,
    folder: PathBuf,
    board: Option<NativeBoard>,
    is_on: bool,
    factory: Option<Factory>,
    /// To the board's console, of which there is a new one for each board.
    consoles: mpsc::UnboundedSender<LabEnd>,
    _tasks: JoinSet<()>,
}

impl Device {
    /// A device without power. Its log is printed to `uart` in `form`; its console is on `console`, or
    /// where the log is.
    pub fn new(
        stage: &Stage,
        folder: &Folder,
        uart: Line,
        console: Option<Line>,
        form: LogForm,
    ) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(print_log(stage.trace.clone(), form, uart.prints.clone()));
        let console = console.unwrap_or(uart);
        let (consoles, laid) = mpsc::unbounded_channel();
        tasks.spawn(carry_console(laid, console));
        Self {
            trace: stage.trace.clone(),
            air: stage.air.clone(),
            ether: stage.ether.clone(),
            folder: folder.board(),
            board: None,
            is_on: false,
            factory: None,
            consoles,
            _tasks: tasks,
        }
    }

    /// Whether it has power.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// The factory data that it was given last, if they can be read.
    pub fn factory(&self) -> Option<&Factory> {
        self.factory.as_ref()
    }

    /// Does what a request says; why not, in a sentence.
    pub async fn obey(
        &mut self,
        request: &Request,
        stage: &Stage,
        points: &AccessPoints,
    ) -> Result<(), String> {
        match request.words()[..] {
            ["power", "on"] => self.power_on().await,
            ["power", "off"] => self.power_off().await,
            ["reset"] => self.reset().await,
            ["factory"] => {
                let image = request.data()?;
                self.in_loader(async |device| device.write_factory(&image).await)
                    .await
            }
            ["storage", "erase"] => {
                self.in_loader(async |device| {
                    let erased = device.board()?.erase_storage().await;
                    erased.map_err(|error| in_full(&error))
                })
                .await
            }
            ["storage", "read"] => {
                self.in_loader(async |device| {
                    let read = device.board()?.read_storage().await;
                    request.give(&read.map_err(|error| in_full(&error))?)
                })
                .await
            }
            ["access-point", role, "set"] => points.set(stage, role, &request.data()?),
            ["access-point", role, what, to] => points.switch(stage, role, what, to),
            _ => Err(format!(
                "there is no request `{}`",
                request.words().join(" ")
            )),
        }
    }

    async fn power_on(&mut self) -> Result<(), String> {
        if self.is_on {
            return Ok(());
        }
        let started = self.board()?.power_on().await;
        started.map_err(|error| in_full(&error))?;
        self.is_on = true;
        Ok(())
    }

    async fn power_off(&mut self) -> Result<(), String> {
        self.is_on = false;
        match &mut self.board {
            Some(board) => {
                let stopped = board.power_off().await;
                stopped.map_err(|error| in_full(&error))
            }
            None => Ok(()),
        }
    }

    async fn reset(&mut self) -> Result<(), String> {
        if !self.is_on {
            return Err("a board without power cannot be reset".to_owned());
        }
        let reset = self.board()?.reset().await;
        reset.map_err(|error| in_full(&error))
    }

    /// Does something to the device while its firmware does not run, as a flasher does, and starts it
    /// again afterwards if it has power.
    async fn in_loader(
        &mut self,
        what: impl AsyncFnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let had_power = self.is_on;
        self.power_off().await?;
        let done = what(self).await;
        if had_power {
            self.power_on().await?;
        }
        done
    }

    async fn write_factory(&mut self, image: &[u8]) -> Result<(), String> {
        self.factory = Factory::decode(image).ok();
        // Another identity is another controller.
        self.board = None;
        let written = self.board()?.write_factory(image).await;
        written.map_err(|error| in_full(&error))
    }

    fn board(&mut self) -> Result<&mut NativeBoard, String> {
        let board = match self.board.take() {
            Some(board) => board,
            None => self.make()?,
        };
        Ok(self.board.insert(board))
    }

    fn make(&self) -> Result<NativeBoard, String> {
        let executable = std::env::current_exe();
        let settings = NativeSettings {
            device: DEVICE.to_owned(),
            folder: self.folder.clone(),
            executable: executable
                .map_err(|error| format!("failed to find this program's own file: {error}"))?,
            arguments: vec![OsString::from(DEVICE_COMMAND)],
        };
        let mac = (self.factory.as_ref()).map_or(BLANK_MAC, |factory| factory.identity.mac);
        let mut address = mac;
        // As ESP-IDF derives it from the base address.
        address[5] = address[5].wrapping_add(2);
        let (hci, radio) = Wire::pair(self.trace.clock());
        self.ether.attach(DEVICE, address, radio);
        let (uart, console) = Wire::pair(self.trace.clock());
        // Its other end lives as long as this.
        let _ = self.consoles.send(console);
        let board = NativeBoard::new(settings, self.trace.clone(), self.air.attach(DEVICE));
        Ok(board.with_hci(hci).with_console(uart))
    }

    /// Takes its power for good.
    pub async fn end(mut self) {
        if let Err(why) = self.power_off().await {
            say(&format!("failed to switch off the device: {why}"));
        }
    }
}

/// Carries what is printed and typed at the console of one board after the other.
async fn carry_console(mut laid: mpsc::UnboundedReceiver<LabEnd>, mut line: Line) {
    let Some(mut console) = laid.recv().await else {
        return;
    };
    loop {
        let (mut from_board, mut to_board) = split(console);
        let prints = line.prints.clone();
        let printing = async move {
            let mut bytes = vec![0; OVERRUN];
            while let Ok(length @ 1..) = from_board.read(&mut bytes).await {
                // What comes too fast for the reader is lost.
                let _ = prints.try_send(bytes[..length].to_vec());
            }
            std::future::pending::<()>().await;
        };
        let typing = async {
            while let Some(bytes) = line.typed.recv().await {
                if to_board.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = printing => return,
            () = typing => return,
            next = laid.recv() => match next {
                Some(next) => console = next,
                None => return,
            },
        }
    }
}
