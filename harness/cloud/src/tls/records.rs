//! Watching TLS records go by, in the clear as far as they are.

/// Bytes of handshake messages that are kept: a hello fits.
const KEPT: usize = 8192;

/// One direction of a handshake.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: Vec<u8>,
    /// Bytes of the present record that are still to come.
    left: usize,
    kind: u8,
    alert: Vec<u8>,
    /// Content of the handshake records in the clear, up to a bound.
    pub(super) handshake: Vec<u8>,
    /// Description of the last alert in the clear.
    pub(super) alert_number: Option<u8>,
    /// Whether the first record was none of TLS.
    pub(super) foreign: bool,
    /// Whether records are encrypted by now.
    encrypted: bool,
}

impl Records {
    pub(super) fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.foreign {
            if self.left == 0 {
                bytes = self.begin(bytes);
                continue;
            }
            let (content, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= content.len();
            self.content(content);
            bytes = rest;
        }
    }

    /// Takes what is there of the five bytes before a record's content.
    fn begin<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let missing = 5 - self.header.len();
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(taken);
        if let [kind, major, _, high, low] = self.header[..] {
            // 20 to 23: change cipher spec, alert, handshake, application data.
            self.foreign = !(20..=23).contains(&kind) || major != 3;
            self.kind = kind;
            self.left = usize::from(u16::from_be_bytes([high, low]));
            self.encrypted |= kind == 20 || kind == 23;
            self.header.clear();
            self.alert.clear();
        }
        rest
    }

    fn content(&mut self, content: &[u8]) {
        match self.kind {
            // An encrypted alert of TLS 1.2 is longer than two bytes.
            21 => {
                self.alert.extend(content.iter().take(3));
                if self.left == 0
                    && let [_, number] = self.alert[..]
                {
                    self.alert_number = Some(number);
                }
            }
            22 if !self.encrypted => {
                let room = KEPT.saturating_sub(self.handshake.len());
                self.handshake.extend(content.iter().take(room));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_in_the_clear_is_seen_however_it_is_cut() {
        let stream = [22, 3, 1, 0, 2, 9, 9, 21, 3, 3, 0, 2, 2, 48];
        for cut in 1..stream.len() {
            let mut records = Records::default();
            stream.chunks(cut).for_each(|piece| records.watch(piece));
            assert_eq!(records.alert_number, Some(48), "{cut}");
            assert_eq!(records.handshake, [9, 9]);
        }
    }

    #[test]
    fn an_encrypted_alert_is_not_mistaken_for_one_in_the_clear() {
        let mut records = Records::default();
        records.watch(&[20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 4, 2, 48, 7, 7]);
        assert_eq!(records.alert_number, None);
    }

    #[test]
    fn what_is_no_tls_is_seen_at_its_first_record() {
        let mut records = Records::default();
        records.watch(b"\x10\x20\x00\x04MQTT");
        assert!(records.foreign);
    }
}
