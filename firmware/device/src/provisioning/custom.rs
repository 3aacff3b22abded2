//! The application's own endpoints.

use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage_async::nor_flash::NorFlash;
use factory::{Provisioning, TokenForm};
use proto::Status;
use proto::handover::{
    HandoverReply, OK, PASSPHRASE, RANDOM, SSID, STATE, SwitchAp, SwitchApRequest, TOKEN,
    TOKEN_BYTES, TokenRequest,
};

use super::handler::HandlerFailed;
use super::handler_parts::HandlerParts;
use super::{config, now};
use crate::credentials::{Credentials, MAX_SSID};
use crate::handover::Token;

/// What ESP-IDF's example application answers, with the NUL of a C string.
const DONE: &[u8] = b"SUCCESS\0";

/// The response to a request.
pub(super) async fn answer<R, F: NorFlash>(
    settings: &Provisioning,
    endpoint: &str,
    request: &[u8],
    parts: &mut HandlerParts<'_, R, F>,
) -> Result<Vec<u8>, HandlerFailed> {
    let phone_token = settings.phone_token.as_ref();
    let response = match phone_token.filter(|token| token.endpoint == endpoint) {
        Some(token) => {
            let reply = match token.form {
                TokenForm::Alone => take_token(request, parts)?,
                TokenForm::Switchap => switch_access_point(request, parts).await?,
            };
            serde_json::to_vec(&reply).map_err(|_| HandlerFailed)?
        }
        None => {
            let text = core::str::from_utf8(request).unwrap_or("(no text)");
            log::info!(target: "app", "Received data: {text}");
            DONE.to_vec()
        }
    };
    if settings.stop_endpoint == endpoint {
        parts.machine.borrow_mut().stop(now());
        parts.changed.signal(());
    }
    Ok(response)
}

fn take_token<R, F: NorFlash>(
    request: &[u8],
    parts: &HandlerParts<'_, R, F>,
) -> Result<HandoverReply, HandlerFailed> {
    let request: TokenRequest = serde_json::from_slice(request).map_err(|_| HandlerFailed)?;
    Ok(match token(&request.token) {
        Ok(token) => {
            parts.handover.leave(token);
            reply(None, OK)
        }
        Err(code) => reply(None, code),
    })
}

async fn switch_access_point<R, F: NorFlash>(
    request: &[u8],
    parts: &mut HandlerParts<'_, R, F>,
) -> Result<HandoverReply, HandlerFailed> {
    let request: SwitchApRequest = serde_json::from_slice(request).map_err(|_| HandlerFailed)?;
    let code = match read(&request.params) {
        Ok((credentials, token)) => match apply(credentials, parts).await {
            Status::Success => {
                if let Some(token) = token {
                    parts.handover.leave(token);
                }
                OK
            }
            _ => STATE,
        },
        Err(code) => code,
    };
    Ok(reply(Some(request.id), code))
}

async fn apply<R, F: NorFlash>(
    credentials: Credentials,
    parts: &mut HandlerParts<'_, R, F>,
) -> Status {
    parts.machine.borrow_mut().set(credentials);
    let status = config::apply(parts.machine, &mut parts.storage).await;
    parts.changed.signal(());
    status
}

fn reply(id: Option<String>, code: i64) -> HandoverReply {
    if code != OK {
        log::error!(target: "awss", "a phone's request is refused with code {code}");
    }
    HandoverReply { id, code }
}

/// Credentials and token of a request, or the code of what is wrong with it.
fn read(params: &SwitchAp) -> Result<(Credentials, Option<Token>), i64> {
    let ssid = match (&params.ssid, &params.xssid) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(digits)) => hex::decode(digits).map_err(|_| SSID)?,
        (None, None) => return Err(SSID),
    };
    if ssid.is_empty() || ssid.len() > MAX_SSID {
        return Err(SSID);
    }
    hex::decode_to_slice(&params.random, &mut [0; TOKEN_BYTES]).map_err(|_| RANDOM)?;
    let credentials = hex::decode(&params.passwd)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|passphrase| Credentials::new(&ssid, &passphrase))
        .ok_or(PASSPHRASE)?;
    let token = params.token.as_deref().map(token).transpose()?;
    Ok((credentials, token))
}

fn token(digits: &str) -> Result<Token, i64> {
    Token::from_hex(digits.as_bytes()).ok_or(TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> SwitchAp {
        SwitchAp {
            ssid: Some("home".into()),
            xssid: None,
            random: "00112233445566778899AABBCCDDEEFF".into(),
            token: Some("4786F0F6E1CC7BF86017FD4D1429EE4F".into()),
            passwd: hex::encode("correct horse"),
        }
    }

    #[test]
    fn credentials_and_token_come_in_one() {
        let (credentials, token) = read(&params()).unwrap();
        assert_eq!(credentials.ssid, b"home");
        assert_eq!(credentials.passphrase, "correct horse");
        let expected = Token::from_hex(b"4786F0F6E1CC7BF86017FD4D1429EE4F");
        assert_eq!(token, expected);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_code() {
        type Case = (fn(&mut SwitchAp), i64);
        let cases: [Case; 9] = [
            (|params| params.ssid = None, SSID),
            (|params| params.ssid = Some(String::new()), SSID),
            (|params| params.ssid = Some("s".repeat(33)), SSID),
            (|params| params.random = "00".into(), RANDOM),
            (|params| params.random = "no hex".into(), RANDOM),
            (|params| params.passwd = hex::encode([b'p'; 64]), PASSPHRASE),
            (|params| params.passwd = "ff".into(), PASSPHRASE),
            (|params| params.passwd = "horse".into(), PASSPHRASE),
            (|params| params.token = Some("4786".into()), TOKEN),
        ];
        for (change, code) in cases {
            let mut params = params();
            change(&mut params);
            assert_eq!(read(&params).err(), Some(code));
        }
    }

    #[test]
    fn an_ssid_may_come_as_bytes_and_a_token_not_at_all() {
        let params = SwitchAp {
            ssid: None,
            xssid: Some("FF00".into()),
            token: None,
            ..params()
        };
        let (credentials, token) = read(&params).unwrap();
        assert_eq!(credentials.ssid, [0xFF, 0]);
        assert_eq!(token, None);
    }
}
