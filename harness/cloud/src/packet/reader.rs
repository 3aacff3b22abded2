//! Reading the fields of a packet.

use bytes::{Buf as _, Bytes};

/// What is left of a packet's body.
pub(crate) struct Reader {
    rest: Bytes,
}

/// The body ended inside a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutShort;

impl Reader {
    pub(crate) fn new(body: Bytes) -> Self {
        Self { rest: body }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CutShort> {
        self.rest.try_get_u8().map_err(|_| CutShort)
    }

    pub(crate) fn number(&mut self) -> Result<u16, CutShort> {
        self.rest.try_get_u16().map_err(|_| CutShort)
    }

    pub(crate) fn long(&mut self) -> Result<u32, CutShort> {
        self.rest.try_get_u32().map_err(|_| CutShort)
    }

    /// A variable byte integer (MQTT 5 §1.5.5). One of more than four bytes counts as cut short.
    pub(crate) fn variable(&mut self) -> Result<u32, CutShort> {
        let mut number = 0;
        for at in 0..4 {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CutShort)
    }

    /// Bytes behind a length of two bytes.
    pub(crate) fn binary(&mut self) -> Result<Bytes, CutShort> {
        let length = self.rest.first_chunk().copied().map(u16::from_be_bytes);
        let length = usize::from(length.ok_or(CutShort)?);
        if self.rest.len() < 2 + length {
            return Err(CutShort);
        }
        self.rest.advance(2);
        Ok(self.rest.split_to(length))
    }

    /// The next `length` bytes, to be read by themselves.
    pub(crate) fn split(&mut self, length: usize) -> Result<Self, CutShort> {
        if self.rest.len() < length {
            return Err(CutShort);
        }
        Ok(Self::new(self.rest.split_to(length)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> Bytes {
        self.rest
    }
}
