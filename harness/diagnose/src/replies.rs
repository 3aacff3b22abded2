//! Replies of a cloud that refuse something, whatever their form: a code that is not the one of success in an
//! object of JSON or in `name=value`, and words that tell what is refused.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::log::text::in_words;
use crate::meant::words;
use crate::rules::{Pattern, rules};
use crate::{Stage, expressions::Expressions};

/// What a rule looks for in place of such a reply.
const OF_ACCOUNT: &str = "reply refuses the account";
const OF_DEVICE: &str = "reply refuses the device";
/// Codes of one line that are looked at.
const MOST: usize = 8;

/// A code, and what it is: a number or a word.
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r#"(?i)(?:^|[\s{,;(\["'])(code|rc|ret|ret_?code|status|status_?code|err|errno|err_?code|error|error_?code|result|result_?code|return_?code|fehler|fehlercode|codigo|c\xC3\xB3digo|estado|erreur|success|ok|accepted|granted)["']?\s?[:=]\s?["']?(-?\d{1,7}|[a-z][a-z_-]{1,31})(?:["'\s,;})\]]|$)"#,
    )
});

/// Words by which such a value refuses.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^(?:fail(?:ed|ure)?|error|denied|reject(?:ed)?|refused|forbidden|unauthori[sz]ed|not_\w+|not-\w+|invalid(?:[_-]\w+)?|expired|conflict|already\w*|quota\w*|abgelehnt|gesperrt|denegad[oa]|rechazad[oa]|refus\w*)$",
    )
});

/// Words by which a message refuses.
static REFUSES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\bnot (?:been )?(?:enabled|allowed|permitted|authori[sz]ed|found|exist\w*|registered|activated|valid|whitelisted|provisioned|licensed|opened|entitled)\b|\b(?:does not|doesn.t) (?:exist|belong)\b|\bno such (?:device|product|user|account|tenant)\b|\b(?:disabled|forbidden|denied|unauthori[sz]ed|expired|exceed\w*|quota|too many|revoked|banned|suspended|in arrears?)\b|\b(?:device|node|thing|unit|hardware|limit)s? (?:limit )?reached\b|\balready (?:bound|claimed|owned|registered|paired|assigned|used|in use|exists?)\b|\b(?:owned|bound|claimed|registered|assigned|paired) (?:by|to)\b|\b(?:another|other|different) (?:user|account|owner|home|customer|tenant)\b|\bnicht (?:freigeschaltet|freigegeben|erlaubt|aktiviert|gefunden|registriert|zugelassen|berechtigt)\b|\b(?:abgelaufen|gesperrt|kontingent|bereits (?:registriert|gekoppelt|vergeben|gebunden))\b|\bgeh\S{1,2}rt (?:bereits )?(?:zu )?(?:einem )?ander|\banderen? (?:konto|benutzer|nutzer|kunden)\b|\bno (?:est\S{1,2} )?(?:habilitad|autorizad|permitid|encontrad|registrad)[oa]\b|\b(?:caducad[oa]|vencid[oa]|denegad[oa]|ya (?:est\S{1,2} )?(?:vinculad|registrad|asignad)[oa]|otra cuenta|otro usuario|outra conta|autre compte|d\xC3\xA9j\xC3\xA0 (?:associ|li)\S+|non autoris\S+|expir\xC3\xA9)|\xE6\x9C\xAA(?:\xE5\xBC\x80\xE9\x80\x9A|\xE5\x90\xAF\xE7\x94\xA8|\xE6\x8E\x88\xE6\x9D\x83|\xE6\xB3\xA8\xE5\x86\x8C|\xE6\xBF\x80\xE6\xB4\xBB)|\xE4\xB8\x8D\xE5\xAD\x98\xE5\x9C\xA8|\xE5\xB7\xB2\xE8\xA2\xAB|\xE5\xB7\xB2\xE7\xBB\x91\xE5\xAE\x9A|\xE8\xBF\x87\xE6\x9C\x9F|\xE8\xB6\x85(?:\xE9\x99\x90|\xE8\xBF\x87)|\xE6\x97\xA0\xE6\x9D\x83|\xE7\xA6\x81\xE7\x94\xA8",
    )
});

/// Words of an account and its devices.
static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\b|_)(?:claim(?:s|ed|ing)?|own(?:er|ers|ed|ership)?|bind(?:s|ing)?|bound|account|pair(?:ed|ing)|adopt(?:ed|ion)?|household|user_?node|usermapping|enrollee|konto|besitzer|inhaber|kopplung|gekoppelt|cuenta|vincula\w*|propietari\w+|conta|compte|propri\S+)(?:\b|_)|\xE7\xBB\x91\xE5\xAE\x9A|\xE8\xB4\xA6\xE5\x8F\xB7",
    )
});

/// Words of what a cloud knows a device by.
static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\b|_)(?:register(?:ed|ing)?|registration|activat(?:e|ed|ion)|auth(?:entication|ori[sz]ation)?|enrol\w*|provision\w*|dynreg|product|licen[sc]e|tenant|subscription|registrier\w*|freischalt\w*|aktivier\w*|anmeld\w*|registro|activaci\S+|producto|produit|enregistrement)(?:\b|_)|\xE6\xB3\xA8\xE5\x86\x8C|\xE6\xBF\x80\xE6\xB4\xBB|\xE4\xBA\xA7\xE5\x93\x81",
    )
});

/// What tells that a message comes from the cloud.
static COMES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:^|[\s\]):])<{1,2}[-=]?(?:\s|$)|\b(?:down(?:link)?|rx|recv\w*|receiv\w*|got|answers?|answered|repl(?:y|ies|ied)|resp|response|responds|returned|said|says|antwort\w*|respuesta|resposta|r\xC3\xA9ponse|body)\b|\b(?:get|post|put|patch|poll)\b[^\n]* ?->|_(?:reply|resp|response)\b|\[rx\]|\xE8\xBF\x94\xE5\x9B\x9E|\xE5\xBA\x94\xE7\xAD\x94|\xE5\x9B\x9E\xE5\xA4\x8D|\xE5\x93\x8D\xE5\xBA\x94|\xE6\x94\xB6\xE5\x88\xB0",
    )
});

/// What tells that the device sends it, or that it is of another part of the way.
static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:up(?:link)?|tx|sends?|sending|sent|pub(?:lish\w*)?|posts?|posting|request|telemetry|state|esp_\w+|mbedtls\w*|tls|ssl|sock\w*|select|nvs\w*|flash|wi-?fi|wlan|ble|gatt\w*|nimble|i2c|uart\w*|modbus|dhcp|dns|connack|suback|httpd\w*|web ?server|sms|at\+\w+)\b|(?:^|\s)>{1,2} |->",
    )
});

/// Adds what a rule looks for to what was found in a line that is such a reply.
pub fn add(found: &mut Vec<Pattern>, line: &str, set: &Expressions) {
    let Some(words) = refusal(line) else {
        return;
    };
    let is_told = |pattern: &Pattern| {
        let said_by = rules().said_by[*pattern].iter();
        let mut rules = said_by.map(|(rule, _)| &rules().rules[*rule]);
        rules.any(|rule| {
            let is_of_cloud = (Stage::Mqtt..=Stage::Bind).contains(&rule.stage);
            is_of_cloud && !rule.text.general && rule.says.len() == 1
        })
    };
    // What a rule knows better.
    if !found.iter().any(is_told) {
        set.add_found_in(words.as_bytes(), found);
    }
}

/// Whether such a reply, of which its own words tell no more, is in a line in which these were found.
pub fn is_refusal(found: &[Pattern]) -> bool {
    found.iter().any(|pattern| rules().refuses[*pattern])
}

/// Whether a line is on an account and its devices.
pub fn is_of_account(line: &str) -> bool {
    ACCOUNT.is_match(line.as_bytes())
}

/// What a reply in a line refuses, in the words that a rule looks for.
fn refusal(line: &str) -> Option<&'static str> {
    let bytes = line.as_bytes();
    let object = line.find('{').filter(|_| line.contains('"'));
    // Quicker than to look for a code.
    if !may_have_code(&bytes[object.unwrap_or(0)..], object.is_some())
        || (object.is_none() && !COMES.is_match(bytes))
        || in_words(line).is_some()
    {
        return None;
    }
    let code = CODE
        .captures_iter(bytes)
        .take(MOST)
        .filter(|code| {
            object.is_none_or(|object| code.get(0).is_some_and(|all| all.start() >= object))
        })
        .find_map(|code| Code::of(&code[1], &code[2]))?;
    let head = &bytes[..object.unwrap_or(0)];
    let (comes, is_elsewhere) = match object {
        Some(_) => (COMES.is_match(head), ELSEWHERE.is_match(head)),
        None => (COMES.is_match(bytes), ELSEWHERE.is_match(bytes)),
    };
    if (is_elsewhere && !comes) || (object.is_none() && (is_elsewhere || !comes)) {
        return None;
    }
    let refuses = REFUSES.is_match(bytes);
    if (!refuses && (code == Code::Small || !comes)) || (code == Code::Small && !comes) {
        return None;
    }
    if ACCOUNT.is_match(bytes) {
        Some(OF_ACCOUNT)
    } else {
        (refuses || DEVICE.is_match(bytes)).then_some(OF_DEVICE)
    }
}

/// Ends of the names of codes.
const KEYS: [&str; 16] = [
    "code", "rc", "ret", "status", "err", "errno", "error", "result", "digo", "fehler", "estado",
    "erreur", "success", "ok", "accepted", "granted",
];

/// Whether a line, or an object in it, has the name of a code before a sign of equality.
fn may_have_code(text: &[u8], is_object: bool) -> bool {
    let is_sign = |byte: u8| byte == b'=' || (is_object && byte == b':');
    let is_around = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'');
    let is_name = |at: usize| {
        let before = text[..at].trim_ascii_end();
        let around = before
            .iter()
            .rev()
            .take_while(|byte| is_around(byte))
            .count();
        let name = &before[..before.len() - around];
        let ends = |key: &&str| {
            let tail = name.len().checked_sub(key.len()).map(|from| &name[from..]);
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(key.as_bytes()))
        };
        KEYS.iter().any(ends)
    };
    let mut signs = (0..text.len()).filter(|at| is_sign(text[*at]));
    signs.any(is_name)
}

/// A code that is not the one of success.
#[derive(Clone, Copy, PartialEq)]
enum Code {
    /// A number of a list of its own, or a word.
    Plain,
    /// One that is a number of something in many firmwares.
    Small,
}

impl Code {
    fn of(key: &[u8], value: &[u8]) -> Option<Self> {
        let is_key = |keys: &[&str]| {
            keys.iter()
                .any(|name| key.eq_ignore_ascii_case(name.as_bytes()))
        };
        let is_yes = is_key(&["success", "ok", "accepted", "granted"]);
        let number: Option<i64> = std::str::from_utf8(value).ok()?.parse().ok();
        match number {
            Some(0) if is_yes => Some(Self::Plain),
            Some(_) if is_yes => None,
            Some(0 | 200..=299 | 1000 | 2000 | 10_000 | 20_000 | 200_000) => None,
            Some(1) => None,
            Some(2..=99) => Some(Self::Small),
            Some(-99..=-1) if is_key(&["rc", "ret"]) => Some(Self::Small),
            Some(_) => Some(Self::Plain),
            None if is_yes => value.eq_ignore_ascii_case(b"false").then_some(Self::Plain),
            None => WORD.is_match(value).then_some(Self::Plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_refuses_an_account_is_known_whatever_its_form() {
        for line in [
            r#"wbx-cloud[471]: down claim {"rc":4093,"own":"r***@web.de"}"#,
            r#"[lnk] << {"result":"rejected","why":"device is bound to another account"}"#,
            r#"I (9) app: Antwort: {"fehler":17,"text":"gehört bereits einem anderen Konto"}"#,
            r#"cloud: respuesta {"codigo":31,"mensaje":"equipo ya vinculado a otra cuenta"}"#,
            r#"[mq] 收到 {"code":1104,"msg":"设备已被其他账号绑定"}"#,
            "W (9) own: answer rc=4093 from the hub",
        ] {
            assert_eq!(refusal(line), Some(OF_ACCOUNT), "{line}");
        }
    }

    #[test]
    fn a_reply_that_refuses_the_device_is_known_whatever_its_form() {
        for line in [
            r#"< {"code":6288,"message":"dynamic register of product is not enabled"}"#,
            r#"[reg] body {"status":"FORBIDDEN","detail":"batch 12 is not activated"}"#,
            r#"app: Antwort {"err":52,"text":"Produkt nicht freigeschaltet"}"#,
            r#"cloud <- {"success":false,"msg":"device quota of the tenant exceeded"}"#,
            "[LNK] server says code=1403 product license expired",
            r#"返回 {"code":2041,"msg":"产品未开通"}"#,
        ] {
            assert_eq!(refusal(line), Some(OF_DEVICE), "{line}");
        }
    }

    #[test]
    fn what_is_well_what_the_device_sends_and_what_is_local_is_no_refusal() {
        for line in [
            r#"I (5) home: claim response: {"ok":true,"code":200}"#,
            r#"gw: bind ack {"result":"ok","home":"4411"}"#,
            r#"up claim {"sn":"77120","code":4093}"#,
            r#"pub {"status":503,"err":"valve blocked"}"#,
            "E (9) nvs: reply code=4357",
            r#"{"up":9,"l":"e","m":"mqtt","e":"not authorized","rc":5}"#,
            "MQTT CONNACK reply rc=5 not authorized",
            r#"sensor {"err":4,"text":"disabled"} "#,
            "I (9) app: status=503",
        ] {
            assert_eq!(refusal(line), None, "{line}");
        }
    }
}
