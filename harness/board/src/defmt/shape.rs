//! What the arguments of a format string take in a frame.

use defmt_parser::{DisplayHint, Fragment, Parameter, ParserMode, TimePrecision, Type};

/// Wider padding than this is a mistake, or malice.
const WIDEST: usize = 256;

/// The arguments of one format string, in the order in which they are sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) arguments: Vec<Argument>,
    /// Bytes of text around them.
    pub(super) literal: u64,
    pub(super) variants: Variants,
}

/// The alternatives of an enumeration's format, which has bars between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Variants {
    /// It is no enumeration's.
    None,
    /// These.
    Some(Vec<Shape>),
    /// Not all of them can be printed soundly: a line with a bar in its text, more likely.
    Unsound,
}

/// One argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) size: Size,
    /// How often it is printed.
    pub(super) uses: u64,
    /// Most bytes that it may have, if there is a limit of its own.
    pub(super) longest: usize,
}

/// Bytes of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// So many.
    Fixed(usize),
    /// One, which is 0 or 1.
    Bool,
    /// Four, a scalar value of Unicode.
    Char,
    /// A length of four bytes, then UTF-8.
    Str,
    /// A length of four bytes, then any bytes.
    Bytes,
    /// The index of an interned string.
    Interned,
    /// Up to a byte 0xFF.
    Preformatted,
    /// The index of a format, and its arguments.
    Format,
    /// A count of four bytes, the index of a format, and the arguments of each element.
    Slice,
    /// The same without the count.
    Array(usize),
    /// Formats up to an index of zero.
    Sequence,
}

impl Shape {
    /// The shape of `format`; none if it cannot be printed soundly.
    pub(super) fn new(format: &str) -> Option<Self> {
        let parts = || format.split('|').map(Self::of_arguments);
        let variants = match format.contains('|') {
            false => Variants::None,
            true => parts()
                .collect::<Option<Vec<_>>>()
                .map_or(Variants::Unsound, Variants::Some),
        };
        let whole = Self::of_arguments(format);
        if whole.is_none() && !matches!(variants, Variants::Some(_)) {
            return None;
        }
        // Parts may number their arguments each from the beginning; then only they are printed.
        let whole = whole.unwrap_or(Self {
            arguments: Vec::new(),
            literal: u64::MAX,
            variants: Variants::None,
        });
        Some(Self { variants, ..whole })
    }

    fn of_arguments(format: &str) -> Option<Self> {
        let fragments = defmt_parser::parse(format, ParserMode::ForwardsCompatible).ok()?;
        let mut literal = 0;
        let mut parameters: Vec<&Parameter> = Vec::new();
        for fragment in &fragments {
            match fragment {
                Fragment::Literal(text) => literal += text.len() as u64,
                Fragment::Parameter(parameter) => parameters.push(parameter),
            }
        }
        if parameters.iter().any(|parameter| is_too_wide(parameter)) {
            return None;
        }
        parameters.sort_by_key(|parameter| parameter.index);
        let arguments = parameters
            .chunk_by(|left, right| left.index == right.index)
            .enumerate()
            .map(|(position, same)| {
                // The printer finds an argument by its index: none may be left out.
                (same[0].index == position).then(|| Argument::new(same))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            arguments,
            literal,
            variants: Variants::None,
        })
    }
}

impl Argument {
    fn new(same: &[&Parameter]) -> Self {
        let cbor = same
            .iter()
            .any(|parameter| parameter.hint == Some(DisplayHint::Cbor));
        Self {
            size: Size::new(same),
            uses: same.len() as u64,
            // CBOR nests, and its printer recurses.
            longest: if cbor { 128 } else { usize::MAX },
        }
    }
}

impl Size {
    fn new(same: &[&Parameter]) -> Self {
        match &same[0].ty {
            Type::I8 | Type::U8 => Self::Fixed(1),
            Type::I16 | Type::U16 => Self::Fixed(2),
            Type::I32 | Type::U32 | Type::Isize | Type::Usize | Type::F32 => Self::Fixed(4),
            Type::I64 | Type::U64 | Type::F64 => Self::Fixed(8),
            Type::I128 | Type::U128 => Self::Fixed(16),
            Type::Bool => Self::Bool,
            Type::Char => Self::Char,
            Type::Str => Self::Str,
            Type::IStr => Self::Interned,
            Type::U8Slice => Self::Bytes,
            Type::U8Array(length) => Self::Fixed(*length),
            Type::Debug | Type::Display => Self::Preformatted,
            Type::Format => Self::Format,
            Type::FormatSlice => Self::Slice,
            Type::FormatArray(length) => Self::Array(*length),
            Type::FormatSequence => Self::Sequence,
            Type::BitField(_) => Self::Fixed(bit_field_bytes(same)),
        }
    }
}

/// Bit fields of one argument are sent once: the bytes from the lowest to the highest bit, rounded
/// up to the width of an integer.
fn bit_field_bytes(same: &[&Parameter]) -> usize {
    let (mut lowest, mut highest) = (u8::MAX, 0);
    for parameter in same {
        if let Type::BitField(range) = &parameter.ty {
            lowest = lowest.min(range.start / 8);
            highest = highest.max(range.end.saturating_sub(1) / 8);
        }
    }
    usize::from(highest.saturating_sub(lowest) + 1).next_power_of_two()
}

fn is_too_wide(parameter: &Parameter) -> bool {
    match &parameter.hint {
        Some(
            DisplayHint::NoHint { zero_pad }
            | DisplayHint::Hexadecimal { zero_pad, .. }
            | DisplayHint::Octal { zero_pad, .. }
            | DisplayHint::Binary { zero_pad, .. },
        ) => *zero_pad > WIDEST,
        _ => false,
    }
}

/// How a timestamp is made of the bytes at the beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    /// Width of the integer in bytes.
    pub(super) bytes: usize,
    /// What it counts.
    pub(super) unit: Unit,
}

/// Unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Micros,
    Millis,
    Seconds,
}

impl Timestamp {
    /// None if `format` is not one integer with a unit.
    pub(super) fn new(format: &str) -> Option<Self> {
        let fragments = defmt_parser::parse(format, ParserMode::ForwardsCompatible).ok()?;
        let mut parameters = fragments.iter().filter_map(|fragment| match fragment {
            Fragment::Parameter(parameter) => Some(parameter),
            Fragment::Literal(_) => None,
        });
        let (Some(parameter), None) = (parameters.next(), parameters.next()) else {
            return None;
        };
        let Size::Fixed(bytes @ 1..=8) = Size::new(&[parameter]) else {
            return None;
        };
        let unit = match parameter.hint.as_ref()? {
            DisplayHint::Seconds(precision) | DisplayHint::Time(precision) => match precision {
                TimePrecision::Micros => Unit::Micros,
                TimePrecision::Millis => Unit::Millis,
                TimePrecision::Seconds => Unit::Seconds,
            },
            _ => return None,
        };
        Some(Self { bytes, unit })
    }

    /// ms of the device's time.
    pub(super) fn millis(self, bytes: &[u8]) -> Option<u64> {
        let mut value = [0; 8];
        value
            .get_mut(..self.bytes)?
            .copy_from_slice(bytes.get(..self.bytes)?);
        let value = u64::from_le_bytes(value);
        Some(match self.unit {
            Unit::Micros => value / 1000,
            Unit::Millis => value,
            Unit::Seconds => value.saturating_mul(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(format: &str) -> Option<Vec<Size>> {
        Some(
            Shape::new(format)?
                .arguments
                .iter()
                .map(|argument| argument.size)
                .collect(),
        )
    }

    #[test]
    fn an_argument_that_is_printed_twice_is_sent_once() {
        assert_eq!(
            sizes("{1=u8} {0=u16:x} {1=u8}"),
            Some(vec![Size::Fixed(2), Size::Fixed(1)])
        );
    }

    #[test]
    fn bit_fields_of_one_argument_share_its_bytes() {
        assert_eq!(sizes("{0=0..3} {0=12..20}"), Some(vec![Size::Fixed(4)]));
        assert_eq!(sizes("{0=9..10}"), Some(vec![Size::Fixed(1)]));
    }

    #[test]
    fn formats_that_the_printer_would_fall_over_have_no_shape() {
        assert_eq!(sizes("{1=u8}"), None);
        assert_eq!(sizes("{=u8:099999}"), None);
        assert_eq!(sizes("{"), None);
    }

    #[test]
    fn timestamps_are_read_in_their_unit() {
        let micros = Timestamp::new("{=u64:us}").expect("an integer with a unit");
        assert_eq!(micros.millis(&1_234_567_u64.to_le_bytes()), Some(1234));
        let seconds = Timestamp::new("{=u32:ts}").expect("an integer with a unit");
        assert_eq!(seconds.millis(&[7, 0, 0, 0]), Some(7000));
        assert_eq!(seconds.millis(&[7, 0, 0]), None);
        assert_eq!(Timestamp::new("{=u32}"), None);
        assert_eq!(Timestamp::new("{=u8:us}{=u8:us}"), None);
    }
}
