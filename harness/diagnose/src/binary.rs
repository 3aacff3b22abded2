//! Files that are no log.

/// What a file that begins with these bytes is, if it is a well-known one that is no text.
pub fn what(first: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 11] = [
        (b"\x7fELF", "a program (ELF)"),
        (b"\x1f\x8b", "a compressed file (gzip)"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x28\xb5\x2f\xfd", "a compressed file (zstd)"),
        (b"\xfd7zXZ", "a compressed file (xz)"),
        (b"BZh", "a compressed file (bzip2)"),
        (b"\x89PNG", "a picture (PNG)"),
        (b"%PDF-", "a PDF"),
        (b"\xd4\xc3\xb2\xa1", "a capture (pcap)"),
        (b"\xa1\xb2\xc3\xd4", "a capture (pcap)"),
        (b"SQLite format 3", "a database (SQLite)"),
    ];
    let known = KNOWN.iter().find(|(magic, _)| first.starts_with(magic));
    known.map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_files_are_told_from_logs() {
        assert_eq!(what(b"\x7fELF\x02\x01"), Some("a program (ELF)"));
        assert_eq!(what(b"\x1f\x8b\x08"), Some("a compressed file (gzip)"));
        assert_eq!(what(b"I (5) boot: ESP-IDF"), None);
        assert_eq!(what(b""), None);
    }
}
