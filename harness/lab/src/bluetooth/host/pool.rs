//! Where a host's packets are kept.

use trouble_host::{Packet, PacketPool};

/// Packets on the heap; `SIZE` is that of the longest L2CAP PDU with its header, so that the
/// host's ATT_MTU is 4 less. How many there are is bounded by the host's queues.
#[derive(Debug)]
pub struct Pool<const SIZE: usize>;

/// A packet of a [`Pool`].
#[derive(Debug)]
pub struct HeapPacket(Box<[u8]>);

impl<const SIZE: usize> PacketPool for Pool<SIZE> {
    type Packet = HeapPacket;
    const MTU: usize = SIZE;

    fn allocate() -> Option<HeapPacket> {
        Some(HeapPacket(vec![0; SIZE].into_boxed_slice()))
    }

    fn capacity() -> usize {
        usize::MAX
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
