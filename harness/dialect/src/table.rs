//! The table of all formats.

use crate::{
    Dialect, Head, alios, arduino, env_logger, esp_idf, esp_println, esp8266, esphome, linkkit,
    micropython, nuttx, tasmota, zephyr,
};

/// One format.
pub(crate) struct Form {
    pub dialect: Dialect,
    /// Reads the record that begins with the first byte of a text.
    pub head: fn(&str) -> Option<Head<'_>>,
    /// Whether a text begins with so much of this format's head that prose cannot.
    pub is_strong: fn(&str) -> bool,
}

/// Every format, in the order in which they are tried.
const FORMS: [Form; 13] = [
    form(Dialect::EspIdf, esp_idf::head, esp_idf::is_strong),
    form(Dialect::Arduino, arduino::head, arduino::is_strong),
    form(Dialect::EspHome, esphome::head, esphome::is_strong),
    form(Dialect::Linkkit, linkkit::head, linkkit::is_strong),
    form(Dialect::AliOs, alios::head, alios::is_strong),
    form(Dialect::Zephyr, zephyr::head, zephyr::is_strong),
    form(Dialect::NuttX, nuttx::head, nuttx::is_strong),
    form(
        Dialect::EspPrintln,
        esp_println::head,
        esp_println::is_strong,
    ),
    form(Dialect::EnvLogger, env_logger::head, env_logger::is_strong),
    form(Dialect::Tasmota, tasmota::head, never),
    form(Dialect::MicroPython, micropython::head, never),
    form(Dialect::Esp8266, esp8266::head, never),
    form(Dialect::ZephyrMinimal, zephyr::minimal, never),
];

/// Every format of the table, in its order.
pub const DIALECTS: [Dialect; FORMS.len()] = {
    let mut dialects = [Dialect::EspIdf; FORMS.len()];
    let mut at = 0;
    while at < FORMS.len() {
        dialects[at] = FORMS[at].dialect;
        at += 1;
    }
    dialects
};

const fn form(
    dialect: Dialect,
    head: fn(&str) -> Option<Head<'_>>,
    is_strong: fn(&str) -> bool,
) -> Form {
    Form {
        dialect,
        head,
        is_strong,
    }
}

/// Of a format whose heads prose can hold, too.
fn never(_text: &str) -> bool {
    false
}

/// The record that begins with the first byte of `line`, in one of these formats if there are any.
pub(crate) fn head<'l>(line: &'l str, only: Option<&[Dialect]>) -> Option<Head<'l>> {
    forms(only).find_map(|form| (form.head)(line))
}

/// Whether `text` begins with the head of a record in a format whose heads prose has not. A head is no
/// longer than `longest` bytes.
pub(crate) fn is_strong(text: &str, longest: usize, only: Option<&[Dialect]>) -> bool {
    forms(only).any(|form| {
        (form.is_strong)(text) && {
            let window = &text[..text.floor_char_boundary(longest)];
            #[cfg(test)]
            crate::tests::count(window.len());
            (form.head)(window).is_some()
        }
    })
}

fn forms(only: Option<&[Dialect]>) -> impl Iterator<Item = &'static Form> {
    let is_wanted = move |form: &&Form| only.is_none_or(|only| only.contains(&form.dialect));
    const { &FORMS }.iter().filter(is_wanted)
}
