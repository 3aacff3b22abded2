//! Codes of NVS and of the flash chip that a firmware prints as bare numbers, in whichever base, told by their names.

use std::sync::LazyLock;

use regex::{Regex, bytes};

use crate::decode::esp_err;
use crate::meant::words;

/// The one that devices which are well tell as well.
const NOT_FOUND: &str = "ESP_ERR_NVS_NOT_FOUND";

/// What a line on storage has, in which bare digits are a code.
static OF_STORAGE: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)nvs|(?:\b|_)kv(?:\b|_)|blob|flash|storage|settings|prefs\b|preferences|persist|\bstor(?:e|ed|ing)\b|\bsav(?:e|ed|ing)\b|\bspeicher\w*|\bgespeichert|\bguardar\b",
    )
});

/// A code behind a word that tells that it is one.
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the expression is part of the program")]
    Regex::new(
        r"(?i)(?:\b(?:err(?:or|no|code)?|fail(?:ed|ure|s)?(?: with)?|ret(?:urn(?:ed|s)?|val|code)?|rc|res(?:ult)?|code|status|esp_err_t|stored|with|fehler(?:code)?|c[oó]digo|erreur)|_(?:err|ret|rc)|[=(\[])[\s:=(\[,#]{0,3}[-+]?(0x0*11(?:0[1-9a-f]|10)|11(?:0[1-9a-f]|10)|43(?:5[3-9]|6[0-8])|0x0*600[1-6]|245(?:7[7-9]|8[0-2]))\b",
    )
    .expect("an expression")
});

/// What makes a number before it an amount.
static OF_AMOUNT: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)^ ?(?:b|bytes?|ki?b|ms|s|entries|keys|pages|octets?)\b"));

/// A line in which such a number is followed by its name; none if it has none.
pub fn named(line: &str) -> Option<String> {
    // Quicker than to look for what stands before it.
    if !["110", "435", "436", "600", "245"]
        .iter()
        .any(|digits| line.contains(digits))
    {
        return None;
    }
    let found = CODE.captures(line)?;
    let digits = found.get(1)?;
    if OF_AMOUNT.is_match(&line.as_bytes()[digits.end()..]) {
        return None;
    }
    let name = name_of(digits.as_str(), OF_STORAGE.is_match(line.as_bytes()))?;
    let (before, behind) = line.split_at(digits.end());
    (!line.contains(name)).then(|| format!("{before} {name}{behind}"))
}

/// What a code means: bare digits only in a line on storage, where 11 begins a hexadecimal one and 43 or 24
/// a decimal one. That of the flash chip has other meanings elsewhere, whatever its base.
fn name_of(digits: &str, is_of_storage: bool) -> Option<&'static str> {
    let hex = digits
        .get(2..)
        .filter(|_| digits.starts_with("0x") || digits.starts_with("0X"));
    let code = match hex {
        Some(hex) if is_of_storage || !hex.trim_start_matches('0').starts_with('6') => {
            i64::from_str_radix(hex, 16)
        }
        Some(_) => return None,
        None if !is_of_storage => return None,
        None if digits.starts_with("11") => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    // What was never written is missing at each first start.
    esp_err(code.ok()?).filter(|name| *name != NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_by_name_in_whichever_base_they_are() {
        for (line, name) in [
            ("E (6) kv: nvs set a_key failed with 1109", "KEY_TOO_LONG"),
            ("E (6) cfg: save token: err 0x1105", "NOT_ENOUGH_SPACE"),
            ("E (6) cfg: nvs_commit ret=4361", "KEY_TOO_LONG"),
            ("E (6) cfg: nvs write rc -0x110e", "VALUE_TOO_LONG"),
            ("E (6) cfg: nvs write rc=-4365", "NO_FREE_PAGES"),
            ("W (6) store: Fehler 0x00001104 beim Speichern", "READ_ONLY"),
            ("[cfg] guardar clave: código 4357", "NOT_ENOUGH_SPACE"),
            ("Failed to initialize NVS! Error: 4353", "NOT_INITIALIZED"),
            (
                "I (6) prov: dev_key 1704 bytes, stored=0x110D",
                "NO_FREE_PAGES",
            ),
        ] {
            let told = named(line).unwrap_or_default();
            assert!(
                told.contains(&format!("ESP_ERR_NVS_{name}")),
                "{line}: {told}"
            );
        }
    }

    #[test]
    fn codes_of_the_flash_chip_are_told_by_name() {
        for line in [
            "Failed to initialize NVS! Error: 24579",
            "E (6) cfg: nvs_flash_init: err 0x6003",
            "E (6) store: flash write failed with 24579",
        ] {
            let told = named(line).unwrap_or_default();
            assert!(
                told.contains("ESP_ERR_FLASH_NOT_INITIALISED"),
                "{line}: {told}"
            );
        }
    }

    #[test]
    fn other_numbers_stay_what_they_are() {
        for line in [
            "I (907) BT_SDP: UUID 0x1101 registered",
            "E (6) app: request failed with 1109",
            "I (6) nvs: 1105 entries",
            "E (6) app: request failed with 0x6003",
            "E (6) app: request failed with 24579",
            "I (6) nvs: result 4357 bytes saved",
            "I (6) app: port=4357",
            "W (6) nvs: get token failed with 1102",
            "E (6) nvs: ret=43610",
            "E (6) nvs_set: 0x1105 ESP_ERR_NVS_NOT_ENOUGH_SPACE, err 0x1105",
        ] {
            assert_eq!(named(line), None, "{line}");
        }
    }
}
