//! HCI packets on a serial line.

mod timeless;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;

use bt_hci_transport::{PacketKind, PacketToController, PacketToHost, ReadHciError, Transport};
use embassy_futures::{block_on, poll_once};
use embedded_io_async::{ErrorType, Read, Write};
use proptest::prelude::*;
use virtual_parts::{H4, H4Error};

/// A line on which bytes come in pieces.
#[derive(Clone, Default)]
struct Line(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    coming: Vec<Vec<u8>>,
    gone: Vec<u8>,
}

impl ErrorType for Line {
    type Error = Infallible;
}

impl Read for Line {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if self.0.borrow().coming.is_empty() {
            pending().await
        }
        let piece = self.0.borrow_mut().coming.remove(0);
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().gone.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A packet as it stands on the line.
#[derive(Debug, PartialEq, Eq)]
struct Raw(PacketKind, Vec<u8>);

impl<'d> PacketToHost<'d> for Raw {
    fn read_hci<R: embedded_io::Read>(
        kind: PacketKind,
        data: &mut R,
        _: &'d mut [u8],
    ) -> Result<Self, ReadHciError<R::Error>> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while data.read_exact(&mut byte).is_ok() {
            bytes.extend(byte);
        }
        Ok(Self(kind, bytes))
    }

    async fn read_hci_async<R: Read>(
        _: PacketKind,
        _: &mut R,
        _: &'d mut [u8],
    ) -> Result<Self, ReadHciError<R::Error>> {
        Err(ReadHciError::InvalidValue)
    }
}

/// HCI_Reset.
struct Reset;

impl PacketToController for Reset {
    const KIND: PacketKind = PacketKind::Cmd;

    fn size(&self) -> usize {
        3
    }

    fn write_hci<W: embedded_io::Write>(&self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(&[0x03, 0x0C, 0])
    }

    async fn write_hci_async<W: Write>(&self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(&[0x03, 0x0C, 0]).await
    }
}

fn read(h4: &H4<Line, Line>) -> Option<Result<Raw, H4Error>> {
    match poll_once(h4.read::<Raw>(&mut [])) {
        std::task::Poll::Ready(packet) => Some(packet),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_packet_goes_out_with_its_indicator() {
    let line = Line::default();
    let h4 = H4::new(line.clone(), line.clone());
    assert_eq!(block_on(h4.write(&Reset)), Ok(()));
    assert_eq!(line.0.borrow().gone, [1, 0x03, 0x0C, 0]);
}

#[test]
fn after_garbage_the_line_is_read_anew() {
    let line = Line::default();
    let h4 = H4::new(line.clone(), line.clone());
    line.0.borrow_mut().coming = vec![vec![9, 4, 0x0E, 0], vec![4, 0x0E, 0]];
    assert!(matches!(read(&h4), Some(Err(H4Error::Garbage(_)))));
    let event = Raw(PacketKind::Event, vec![0x0E, 0]);
    assert_eq!(read(&h4), Some(Ok(event)));
}

proptest! {
    #[test]
    fn packets_come_whole_however_the_line_cuts_them(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..255), 1..6),
        cut in 1_usize..250,
    ) {
        let line = Line::default();
        let h4 = H4::new(line.clone(), line.clone());
        let bytes: Vec<u8> = packets
            .iter()
            .flat_map(|packet| [&[4, 0x3E, packet.len() as u8], &packet[..]].concat())
            .collect();
        let mut read_back = Vec::new();
        for piece in bytes.chunks(cut) {
            line.0.borrow_mut().coming.push(piece.to_vec());
            // Each read that finds no whole packet is dropped, and loses nothing.
            while let Some(packet) = read(&h4) {
                read_back.push(packet.expect("whole packets").1[2..].to_vec());
            }
        }
        prop_assert_eq!(read_back, packets);
    }
}
