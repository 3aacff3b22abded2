//! Where in a line records begin.

use crate::{Dialect, prefix, table};

/// A head with its file, function or tag is no longer, in bytes.
pub(crate) const LONGEST_HEAD: usize = 512;

/// What a ROM or a panic handler prints, which another writer's line may stand before.
const BANNERS: [&str; 8] = [
    "ESP-ROM:",
    "ESP-ROM-LP:",
    "rst:0x",
    "Guru Meditation Error",
    "abort() was called at PC",
    "ets Jan ",
    "ets Jun ",
    "ets Jul ",
];

/// Whether these bytes begin with a head that cannot be a coincidence, wherever it stands.
pub fn is_strong(bytes: &[u8]) -> bool {
    let window = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let text = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default(),
    };
    table::is_strong(text, LONGEST_HEAD, None)
}

/// Where in `line` records and banners begin that cannot be a coincidence. A stamp in brackets directly
/// before a head belongs to its record.
pub(crate) fn starts(line: &str, only: Option<&[Dialect]>) -> impl Iterator<Item = usize> {
    // The head behind the stamp that was found last is no other record.
    let mut stamped = None;
    line.bytes().enumerate().filter_map(move |(at, byte)| {
        let is_start = match byte {
            b'[' | b'E' | b'W' | b'I' | b'D' | b'V' | b'T'
                if stamped != Some(at) && table::is_strong(&line[at..], LONGEST_HEAD, only) =>
            {
                true
            }
            b'[' if at > 0 && stamped.is_none_or(|head| at > head) => {
                let rest = &line[at..];
                let behind = prefix::stamp(rest)
                    .filter(|behind| table::is_strong(behind, LONGEST_HEAD, only));
                if let Some(behind) = behind {
                    stamped = Some(line.len() - behind.len());
                }
                behind.is_some()
            }
            b'E' | b'r' | b'G' | b'e' | b'a' if at > 0 => {
                let rest = &line.as_bytes()[at..];
                let is_banner = |banner: &str| rest.starts_with(banner.as_bytes());
                BANNERS.into_iter().any(is_banner)
            }
            _ => false,
        };
        is_start.then_some(at)
    })
}
