//! Whether a frame holds what its format says, before memory is taken for it.
//!
//! defmt's own decoder trusts the counts that are sent: a wrong one makes it ask for more memory
//! than there is, which ends the process. Nothing that passes here can.

use std::str;

use super::shape::{Shape, Size, Variants};
use super::table::Table;

/// Formats within formats. Deeper ones overflow the decoder's stack.
const DEEPEST: usize = 32;
/// Elements of slices in one frame.
const MOST_ELEMENTS: usize = 64 * 1024;
/// Bytes of text that one frame may become.
const LONGEST_TEXT: u64 = 1024 * 1024;

/// Where in a frame its check has come to.
pub(super) struct Walk<'t, 'b> {
    table: &'t Table,
    rest: &'b [u8],
    elements: usize,
}

impl<'t, 'b> Walk<'t, 'b> {
    pub(super) fn new(table: &'t Table, frame: &'b [u8]) -> Self {
        Self {
            table,
            rest: frame,
            elements: 0,
        }
    }

    /// What has not been walked over.
    pub(super) fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// Walks over the arguments of `shape`. None if they are not all there, or not sound.
    pub(super) fn over(&mut self, shape: &Shape) -> Option<()> {
        let text = self.arguments(shape, 0)?;
        (text <= LONGEST_TEXT).then_some(())
    }

    /// The next two bytes: an index.
    pub(super) fn index(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Passes over bytes that are known.
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    /// An upper bound for what the arguments print.
    fn arguments(&mut self, shape: &Shape, depth: usize) -> Option<u64> {
        if depth > DEEPEST {
            return None;
        }
        let mut text = shape.literal;
        for argument in &shape.arguments {
            let before = self.rest.len();
            let printed = self.argument(argument.size, depth)?;
            if before - self.rest.len() > argument.longest {
                return None;
            }
            text = text.saturating_add(printed.saturating_mul(argument.uses));
        }
        (text <= LONGEST_TEXT).then_some(text)
    }

    fn argument(&mut self, size: Size, depth: usize) -> Option<u64> {
        /// Anything of fixed size prints less than this beside its bytes, padding included.
        const NUMBER: u64 = 512;
        match size {
            Size::Fixed(bytes) => {
                self.take(bytes)?;
                Some(NUMBER + 8 * bytes as u64)
            }
            Size::Bool => (self.take(1)?[0] <= 1).then_some(NUMBER),
            Size::Char => {
                let scalar = self.u32()?;
                char::from_u32(scalar).map(|_| NUMBER)
            }
            Size::Str => {
                let length = self.u32()? as usize;
                let bytes = self.take(length)?;
                str::from_utf8(bytes).ok()?;
                Some(8 * bytes.len() as u64)
            }
            Size::Bytes => {
                let length = self.u32()? as usize;
                self.take(length)?;
                Some(NUMBER + 8 * length as u64)
            }
            Size::Interned => {
                let index = self.index()?;
                self.table.entry(index)?.interned().map(|text| text * 8)
            }
            Size::Preformatted => {
                let end = self.rest.iter().position(|byte| *byte == 0xFF)?;
                let bytes = self.take(end + 1)?;
                str::from_utf8(&bytes[..end]).ok()?;
                Some(8 * end as u64)
            }
            Size::Format => {
                let shape = self.format()?;
                self.one(shape, depth)
            }
            Size::Slice => {
                let count = self.u32()? as usize;
                self.elements(count, depth)
            }
            Size::Array(count) => self.elements(count, depth),
            Size::Sequence => self.sequence(depth),
        }
    }

    /// The shape of a format whose index comes next.
    fn format(&mut self) -> Option<&'t Shape> {
        let index = self.index()?;
        self.table.entry(index)?.format()
    }

    /// The arguments of one value of a format.
    fn one(&mut self, shape: &Shape, depth: usize) -> Option<u64> {
        match &shape.variants {
            Variants::None => self.arguments(shape, depth + 1),
            Variants::Unsound => None,
            Variants::Some(variants) => {
                let discriminant = self.discriminant(variants.len())?;
                self.arguments(variants.get(discriminant)?, depth + 1)
            }
        }
    }

    /// As wide as the number of bars between the alternatives needs.
    fn discriminant(&mut self, variants: usize) -> Option<usize> {
        let width = match variants.saturating_sub(1) {
            0..=0xFF => 1,
            0x100..=0xFFFF => 2,
            _ => 4,
        };
        let mut value = [0; 4];
        value[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u32::from_le_bytes(value)).ok()
    }

    fn elements(&mut self, count: usize, depth: usize) -> Option<u64> {
        self.count(count)?;
        let shape = self.format()?;
        let mut text = 2;
        for _ in 0..count {
            let printed = self.one(shape, depth)?;
            text = printed.saturating_add(text).saturating_add(2);
            if text > LONGEST_TEXT {
                return None;
            }
        }
        Some(text)
    }

    fn sequence(&mut self, depth: usize) -> Option<u64> {
        let mut text = 0_u64;
        loop {
            let index = self.index()?;
            if index == 0 {
                return Some(text);
            }
            self.count(1)?;
            let shape = self.table.entry(index)?.format()?;
            // The decoder knows no enumerations here.
            text = text.saturating_add(self.arguments(shape, depth + 1)?);
            if text > LONGEST_TEXT {
                return None;
            }
        }
    }

    fn count(&mut self, more: usize) -> Option<()> {
        self.elements = self.elements.saturating_add(more);
        (self.elements <= MOST_ELEMENTS).then_some(())
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}
