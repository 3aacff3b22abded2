//! What is wrong with a certificate, in words and in flags.

use std::collections::BTreeMap;

use trace::Event;

use crate::read::{device, is_boot};
use crate::{Found, Moment, Watch};

/// The texts of `mbedtls_x509_crt_verify_info`, with their flags.
const TEXTS: [(u64, &str); 8] = [
    (0x1, "The certificate validity has expired"),
    (0x2, "The certificate has been revoked (is on a CRL)"),
    (
        0x4,
        "The certificate Common Name (CN) does not match with the expected CN",
    ),
    (
        0x8,
        "The certificate is not correctly signed by the trusted CA",
    ),
    (0x40, "Certificate was missing"),
    (0x100, "Other reason (can be used by verify callback)"),
    (0x200, "The certificate validity starts in the future"),
    (
        0x1000,
        "Usage does not match the extendedKeyUsage extension",
    ),
];

/// What each device said last in words, and by which line.
#[derive(Default)]
pub struct Flags(BTreeMap<String, (u64, u64)>);

impl Watch for Flags {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        let Some(line) = event.line() else { return };
        if let Some(info) = line.text.strip_prefix("verification info: ") {
            let words: u64 = TEXTS
                .iter()
                .filter(|(_, text)| info.contains(text))
                .map(|(flag, _)| flag)
                .sum();
            self.0.insert(device(event).to_owned(), (words, event.seq));
            // Some print the flags before the words.
            let flags = info.strip_prefix("0x");
            let flags = flags.map(|info| info.split(' ').next().unwrap_or_default());
            if let Some(flags) = flags {
                check(flags, words, [event.seq, event.seq], found);
            }
            return;
        }
        let flags = line
            .text
            .strip_prefix("Last certificate verification flags: 0x");
        let Some(flags) = flags else { return };
        if let Some((words, seq)) = self.0.remove(device(event)) {
            check(flags, words, [seq, event.seq], found);
        }
    }
}

fn check(flags: &str, words: u64, lines: [u64; 2], found: &mut Found) {
    let known: u64 = TEXTS.iter().map(|(flag, _)| flag).sum();
    let said = u64::from_str_radix(flags, 16).ok();
    found.check(
        said.map(|said| said & known) == Some(words),
        || format!("says 0x{flags} in flags and 0x{words:x} in words"),
        lines,
    );
}
