//! The binding token that a phone made, on its way from provisioning to the cloud.

use alloc::string::String;
use core::cell::Cell;

use proto::handover::TOKEN_BYTES;

/// A binding token that a phone made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

impl Token {
    /// Of 32 hex digits.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// 32 upper-case hex digits, as tokens are reported.
    pub fn text(self) -> String {
        hex::encode_upper(self.0)
    }
}

/// Where provisioning leaves a token, and the cloud side takes it. It is used once, and lost with
/// the power.
#[derive(Debug, Default)]
pub struct Handover(Cell<Option<Token>>);

impl Handover {
    /// Leaves a token instead of any other.
    pub fn leave(&self, token: Token) {
        log::info!(target: "awss", "the phone's binding token is taken");
        self.0.set(Some(token));
    }

    /// Takes the token, if there is one.
    pub fn take(&self) -> Option<Token> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_reported_in_upper_case() {
        let token = Token::from_hex(b"4786f0f6e1cc7bf86017fd4d1429ee4f").unwrap();
        assert_eq!(token.text(), "4786F0F6E1CC7BF86017FD4D1429EE4F");
    }

    #[test]
    fn what_is_no_token_is_none() {
        for digits in [
            &b""[..],
            b"47",
            b"zz86F0F6E1CC7BF86017FD4D1429EE4F",
            &[b'0'; 34],
        ] {
            assert_eq!(Token::from_hex(digits), None);
        }
    }

    #[test]
    fn a_token_is_taken_once() {
        let handover = Handover::default();
        let token = Token([7; TOKEN_BYTES]);
        handover.leave(token);
        assert_eq!((handover.take(), handover.take()), (Some(token), None));
    }
}
