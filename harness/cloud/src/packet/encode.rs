//! Writing packets.

use bytes::Bytes;

use super::Publish;

/// Packets on their way out, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn connack(&mut self, session_present: bool, code: u8) {
        self.out.extend([0x20, 2, u8::from(session_present), code]);
    }

    pub(crate) fn puback(&mut self, id: u16) {
        self.with_id(0x40, id);
    }

    pub(crate) fn pubrec(&mut self, id: u16) {
        self.with_id(0x50, id);
    }

    pub(crate) fn pubrel(&mut self, id: u16) {
        self.with_id(0x62, id);
    }

    pub(crate) fn pubcomp(&mut self, id: u16) {
        self.with_id(0x70, id);
    }

    pub(crate) fn unsuback(&mut self, id: u16) {
        self.with_id(0xb0, id);
    }

    pub(crate) fn pingresp(&mut self) {
        self.out.extend([0xd0, 0]);
    }

    pub(crate) fn suback(&mut self, id: u16, codes: &[u8]) {
        self.out.push(0x90);
        self.length(2 + codes.len());
        self.out.extend(id.to_be_bytes());
        self.out.extend(codes);
    }

    pub(crate) fn publish(&mut self, publish: &Publish) {
        let flags =
            u8::from(publish.duplicate) << 3 | publish.qos.number() << 1 | u8::from(publish.retain);
        self.out.push(0x30 | flags);
        let id = publish.id.map_or(0, |_| 2);
        self.length(2 + publish.topic.len() + id + publish.payload.len());
        self.text(publish.topic.as_bytes());
        if let Some(id) = publish.id {
            self.out.extend(id.to_be_bytes());
        }
        self.out.extend(&publish.payload);
    }

    /// Any bytes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// The bytes from `start` on.
    pub(crate) fn since(&self, start: usize) -> Bytes {
        Bytes::copy_from_slice(self.out.get(start..).unwrap_or_default())
    }

    /// Everything, which is then gone from here.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn with_id(&mut self, head: u8, id: u16) {
        self.out.extend([head, 2]);
        self.out.extend(id.to_be_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        // Topics were read from packets, so they fit.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.out.extend(length.to_be_bytes());
        self.out.extend(&text[..usize::from(length)]);
    }

    fn length(&mut self, mut left: usize) {
        loop {
            let more = if left > 0x7f { 0x80 } else { 0 };
            self.out.push((left & 0x7f) as u8 | more);
            left >>= 7;
            if left == 0 {
                return;
            }
        }
    }
}
