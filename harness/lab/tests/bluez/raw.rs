//! A Bluetooth host that sends whatever it likes: HCI by hand, over H4.

use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const RESET: u16 = 0x0C03;
const SET_EVENT_MASK: u16 = 0x0C01;
const DISCONNECT: u16 = 0x0406;
const SET_ADVERTISING_PARAMETERS: u16 = 0x2006;
const SET_ADVERTISING_DATA: u16 = 0x2008;
const SET_SCAN_RESPONSE: u16 = 0x2009;
const SET_ADVERTISING_ENABLE: u16 = 0x200A;
const CREATE_CONNECTION: u16 = 0x200D;

const COMMAND: u8 = 1;
const ACL: u8 = 2;
const EVENT: u8 = 4;

const DISCONNECTION_COMPLETE: u8 = 0x05;
const COMPLETED_PACKETS: u8 = 0x13;
const LE_META: u8 = 0x3E;
const CONNECTION_COMPLETE: u8 = 0x01;

/// Longer than anything takes that happens at all.
const LIMIT: Duration = Duration::from_secs(5);

/// What a controller tells its host.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Connected {
        handle: u16,
    },
    Disconnected,
    /// A packet of this host is through.
    Completed,
    Data(Vec<u8>),
    Other,
}

/// A host by hand.
pub struct Raw {
    stream: DuplexStream,
    clock: Clock,
}

impl Raw {
    pub async fn new(stream: DuplexStream, clock: &Clock) -> Self {
        let mut raw = Self {
            stream,
            clock: clock.clone(),
        };
        raw.command(RESET, &[]).await;
        // By default there are no events of LE.
        raw.command(SET_EVENT_MASK, &[0xFF; 8]).await;
        raw
    }

    async fn command(&mut self, opcode: u16, parameters: &[u8]) {
        let length = u8::try_from(parameters.len()).expect("short");
        let [low, high] = opcode.to_le_bytes();
        let packet = [&[COMMAND, low, high, length], parameters].concat();
        self.stream.write_all(&packet).await.expect("written");
    }

    /// What comes next; none if nothing comes.
    pub async fn next(&mut self) -> Option<Heard> {
        let clock = self.clock.clone();
        clock.timeout(LIMIT, self.packet()).await.ok()
    }

    async fn packet(&mut self) -> Heard {
        let mut kind = [0];
        self.stream.read_exact(&mut kind).await.expect("a packet");
        match kind {
            [EVENT] => {
                let mut header = [0; 2];
                self.stream.read_exact(&mut header).await.expect("a header");
                let [code, length] = header;
                let mut parameters = vec![0; usize::from(length)];
                let read = self.stream.read_exact(&mut parameters).await;
                read.expect("parameters");
                match (code, &parameters[..]) {
                    (LE_META, [CONNECTION_COMPLETE, 0, low, high, ..]) => Heard::Connected {
                        handle: u16::from_le_bytes([*low, *high]),
                    },
                    (DISCONNECTION_COMPLETE, _) => Heard::Disconnected,
                    (COMPLETED_PACKETS, _) => Heard::Completed,
                    _ => Heard::Other,
                }
            }
            [ACL] => {
                let mut header = [0; 4];
                self.stream.read_exact(&mut header).await.expect("a header");
                let length = u16::from_le_bytes([header[2], header[3]]);
                let mut data = vec![0; usize::from(length)];
                self.stream.read_exact(&mut data).await.expect("data");
                Heard::Data(data)
            }
            other => panic!("no packet of a controller: {other:?}"),
        }
    }

    /// Its connection, once there is one.
    pub async fn connected(&mut self) -> Option<u16> {
        loop {
            if let Heard::Connected { handle } = self.next().await? {
                return Some(handle);
            }
        }
    }

    /// Connects to a device; its address is as people write it.
    pub async fn connect(&mut self, address: [u8; 6]) -> Option<u16> {
        let mut parameters = vec![0x10, 0, 0x10, 0, 0, 0];
        parameters.extend(address.iter().rev());
        parameters.extend([0, 0x18, 0, 0x28, 0, 0, 0, 0x48, 0, 0, 0, 0, 0]);
        self.command(CREATE_CONNECTION, &parameters).await;
        self.connected().await
    }

    /// Advertises, and answers scan requests, with these bytes.
    pub async fn advertise(&mut self, data: &[u8], response: &[u8]) {
        let parameters = [0x20, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0];
        self.command(SET_ADVERTISING_PARAMETERS, &parameters).await;
        for (opcode, bytes) in [(SET_ADVERTISING_DATA, data), (SET_SCAN_RESPONSE, response)] {
            let mut parameters = vec![u8::try_from(bytes.len()).expect("short")];
            parameters.extend(bytes);
            parameters.resize(32, 0);
            self.command(opcode, &parameters).await;
        }
        self.command(SET_ADVERTISING_ENABLE, &[1]).await;
    }

    /// Sends a packet on a connection, and waits until the controller has room for another; false if
    /// the connection has ended.
    pub async fn send(&mut self, handle: u16, continues: bool, data: &[u8]) -> bool {
        let flags = if continues { 0x1000 } else { 0 };
        let [low, high] = (handle | flags).to_le_bytes();
        let length = u16::try_from(data.len()).expect("short").to_le_bytes();
        let packet = [&[ACL, low, high, length[0], length[1]], data].concat();
        self.stream.write_all(&packet).await.expect("written");
        loop {
            match self.next().await {
                Some(Heard::Completed) => return true,
                Some(Heard::Disconnected) => return false,
                None => panic!("the device takes nothing any more"),
                Some(_) => {}
            }
        }
    }

    /// Ends a connection, and waits for its end.
    pub async fn disconnect(&mut self, handle: u16) {
        let [low, high] = handle.to_le_bytes();
        self.command(DISCONNECT, &[low, high, 0x13]).await;
        while let Some(heard) = self.next().await {
            if heard == Heard::Disconnected {
                return;
            }
        }
        panic!("no end");
    }
}
