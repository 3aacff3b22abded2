//! Where the Bluetooth host keeps its packets.

use alloc::boxed::Box;
use alloc::vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use trouble_host::{Packet, PacketPool};

/// Packets at once; the host asks again when there is none.
const MOST: usize = 24;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Packets on the heap, of `SIZE` bytes each: the longest ATT PDU and the four bytes of L2CAP's
/// header.
pub(super) struct Pool<const SIZE: usize>;

/// One of them.
pub(super) struct HeapPacket(Box<[u8]>);

impl<const SIZE: usize> PacketPool for Pool<SIZE> {
    type Packet = HeapPacket;
    const MTU: usize = SIZE;

    fn allocate() -> Option<HeapPacket> {
        if IN_USE.load(Ordering::Relaxed) >= MOST {
            return None;
        }
        IN_USE.fetch_add(1, Ordering::Relaxed);
        Some(HeapPacket(vec![0; SIZE].into_boxed_slice()))
    }

    fn capacity() -> usize {
        MOST
    }
}

impl Packet for HeapPacket {}

impl AsRef<[u8]> for HeapPacket {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for HeapPacket {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for HeapPacket {
    fn drop(&mut self) {
        IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}
