//! The adapter: runs inside the machine, and makes the controller on one of its ports an adapter of its
//! own by /dev/vhci. The adapter is gone when this ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::thread;

/// The port with H4.
const HCI: &str = "/dev/virtio-ports/hci";
/// Makes an adapter for as long as it is open (Linux, drivers/bluetooth/hci_vhci.c).
const VHCI: &str = "/dev/vhci";
/// First byte of what only /dev/vhci itself understands.
const VENDOR: u8 = 0xFF;

/// Carries packets both ways until it is killed, or one of the ends is gone.
pub fn serve() -> Result<(), String> {
    let open = |path: &str| {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        opened.map_err(|error| format!("failed to open {path}: {error}"))
    };
    let (port, vhci) = (open(HCI)?, open(VHCI)?);
    let both = |file: &File| file.try_clone().map_err(|error| error.to_string());
    let (port_again, vhci_again) = (both(&port)?, both(&vhci)?);
    (&vhci)
        .write_all(&[VENDOR, 0])
        .map_err(|error| format!("failed to make an adapter: {error}"))?;
    thread::spawn(move || {
        let error = to_controller(vhci_again, port_again);
        eprintln!("adapter: to the controller: {error:?}");
    });
    to_adapter(port, vhci).map_err(|error| format!("from the controller: {error}"))
}

/// Each read of /dev/vhci is a packet.
fn to_controller(mut vhci: File, mut port: File) -> io::Result<()> {
    let mut packet = [0; 4096];
    loop {
        let length = vhci.read(&mut packet)?;
        match packet.first() {
            Some(&VENDOR) | None => {}
            Some(_) => port.write_all(&packet[..length])?,
        }
    }
}

/// Each write to /dev/vhci has to be a whole packet.
fn to_adapter(mut port: File, mut vhci: File) -> io::Result<()> {
    loop {
        let packet = read_packet(&mut port)?;
        vhci.write_all(&packet)?;
    }
}

/// The next packet of an H4 stream (Bluetooth Core 5.4, volume 4, part A, §2).
fn read_packet(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut packet = vec![0];
    from.read_exact(&mut packet)?;
    let header = match packet[0] {
        // ACL data, synchronous data, events, isochronous data.
        2 | 5 => 4,
        3 => 3,
        4 => 2,
        other => {
            let problem = format!("an H4 packet of type {other}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    };
    packet.resize(1 + header, 0);
    from.read_exact(&mut packet[1..])?;
    let length = match packet[0] {
        2 => usize::from(u16::from_le_bytes([packet[3], packet[4]])),
        5 => usize::from(u16::from_le_bytes([packet[3], packet[4]]) & 0x3FFF),
        _ => usize::from(packet[header]),
    };
    let start = packet.len();
    packet.resize(start + length, 0);
    from.read_exact(&mut packet[start..])?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_by_their_lengths() {
        let stream: Vec<u8> = [
            [4, 0x0E, 2, 7, 8].as_slice(),
            &[2, 0x40, 0, 3, 0, 1, 2, 3],
            &[4, 0x0F, 0],
        ]
        .concat();
        let mut rest = stream.as_slice();
        let lengths: Vec<usize> = (0..3)
            .map(|_| read_packet(&mut rest).expect("a packet").len())
            .collect();
        assert_eq!(lengths, [5, 8, 3]);
        assert!(read_packet(&mut rest).is_err());
        for cut in [
            &[4][..],
            &[4, 0x0E, 2, 7],
            &[2, 0, 0, 0xFF, 0xFF, 1],
            &[9, 0, 0],
        ] {
            assert!(read_packet(&mut &*cut).is_err(), "{cut:?}");
        }
    }
}
