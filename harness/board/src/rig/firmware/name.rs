//! The name by which phones find a device.

use regex::Regex;

use super::super::section::Section;

/// What ESP-IDF's manager prints before the name when its service starts.
const ANNOUNCED: &str = "Provisioning started with service name : ";

/// SSID of a device's network, or the name that it advertises.
#[derive(Clone, Debug)]
pub enum ServiceName {
    /// A text in which bytes of the MAC address stand.
    Template(NameTemplate),
    /// What ESP-IDF's manager prints when its service starts.
    Announced,
    /// The first group of this expression in a line of its log.
    FromLog(Regex),
}

impl ServiceName {
    /// The name, if this line of the log tells it.
    pub fn in_line(&self, line: &str) -> Option<String> {
        let name = match self {
            Self::Template(_) => return None,
            Self::Announced => line.split_once(ANNOUNCED)?.1,
            Self::FromLog(expression) => expression.captures(line)?.get(1)?.as_str(),
        };
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// A name in which `{mac:N}` stands for the byte N of the station's MAC address in upper-case
/// hexadecimal, and `{mac:N:x}` in lower-case.
///
/// ```
/// use board::rig::NameTemplate;
/// let template = NameTemplate::parse("PROV_{mac:3}{mac:4}{mac:5:x}")?;
/// assert_eq!(template.fill([2, 0, 0, 0xAB, 0xCD, 0xEF]), "PROV_ABCDef");
/// assert!(template.needs_mac());
/// # Ok::<_, String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Byte { index: usize, lower: bool },
}

impl NameTemplate {
    /// The template that `text` is, or why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| "`{` has no `}` behind it".to_owned())?;
            parts.extend((!before.is_empty()).then(|| Part::Plain(before.to_owned())));
            parts.push(byte(name).ok_or_else(|| {
                format!("`{{{name}}}` stands for nothing; `{{mac:0}}` to `{{mac:5}}` stand for bytes of the MAC address, with `:x` in lower case")
            })?);
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Plain(rest.to_owned())));
        Ok(Self { parts })
    }

    /// The name of the device with this MAC address.
    pub fn fill(&self, mac: [u8; 6]) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Plain(plain) => name.push_str(plain),
                Part::Byte {
                    index,
                    lower: false,
                } => name += &format!("{:02X}", mac[*index]),
                Part::Byte { index, lower: true } => name += &format!("{:02x}", mac[*index]),
            }
        }
        name
    }

    /// Whether bytes of the MAC address stand in it.
    pub fn needs_mac(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Byte { .. }))
    }
}

/// `mac:3` or `mac:3:x`.
fn byte(name: &str) -> Option<Part> {
    let rest = name.strip_prefix("mac:")?;
    let (index, lower) = match rest.strip_suffix(":x") {
        Some(index) => (index, true),
        None => (rest, false),
    };
    let index = index.parse().ok().filter(|index| *index < 6)?;
    Some(Part::Byte { index, lower })
}

/// `service_name`: a text, `{ from_log = true }` or `{ from_log = "expression" }`. Left out, it is what
/// ESP-IDF's manager prints.
pub(super) fn service_name(section: &Section<'_>) -> Option<ServiceName> {
    const KEY: &str = "service_name";
    if section.is_table(KEY) {
        let example = "`service_name = { from_log = true }`";
        let table = section.table(KEY, example)?;
        let name = if table.is_text("from_log") {
            let found = table.string("from_log", example)?;
            match Regex::new(&found.value) {
                Ok(expression) if expression.captures_len() == 2 => {
                    Some(ServiceName::FromLog(expression))
                }
                Ok(_) => {
                    let message = format!("`{}` has not one group", table.name("from_log"));
                    let help = "put the name in brackets, such as `name: (.+)`";
                    table.note(found.span, message, help);
                    None
                }
                Err(error) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default();
                    let message = format!(
                        "`{}` is no regular expression: {why}",
                        table.name("from_log")
                    );
                    table.note(found.span, message, format!("write {example}"));
                    None
                }
            }
        } else {
            if !table.has("from_log") {
                table.missing("from_log", "`from_log = true`");
            }
            table
                .flag("from_log", example)?
                .then_some(ServiceName::Announced)
        };
        table.end();
        return name;
    }
    if !section.has(KEY) {
        return Some(ServiceName::Announced);
    }
    let example = "`service_name = \"PROV_{mac:3}{mac:4}{mac:5}\"`, as the device advertises it";
    let found = section.string(KEY, example)?;
    match NameTemplate::parse(&found.value) {
        Ok(template) => Some(ServiceName::Template(template)),
        Err(why) => {
            let message = format!("`{}`: {why}", section.name(KEY));
            section.note(found.span, message, format!("write {example}"));
            None
        }
    }
}

impl PartialEq for ServiceName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Template(one), Self::Template(other)) => one == other,
            (Self::Announced, Self::Announced) => true,
            (Self::FromLog(one), Self::FromLog(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Eq for ServiceName {}

/// The MAC address that `text` is: six bytes in hexadecimal, with colons or without.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let colons = text.len() - digits.len();
    let is_hex = digits.chars().all(|digit| digit.is_ascii_hexdigit());
    if digits.len() != 12 || !is_hex || (colons != 0 && colons != 5) {
        return None;
    }
    let mut mac = [0; 6];
    for (index, byte) in mac.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_tells_the_name() {
        let line = "Provisioning started with service name : PROV_0A BC01 ";
        let found = ServiceName::Announced.in_line(line);
        assert_eq!(found.as_deref(), Some("PROV_0A BC01"));
        assert_eq!(ServiceName::Announced.in_line("Provisioning started"), None);
        let own = ServiceName::FromLog(Regex::new("^I am (.+)$").expect("sound"));
        assert_eq!(own.in_line("I am LAMP").as_deref(), Some("LAMP"));
        assert_eq!(own.in_line(line), None);
    }

    #[test]
    fn a_template_takes_bytes_of_the_mac_and_nothing_else() {
        for text in ["{mac}", "{mac:6}", "{mac:3:X}", "{name}", "{mac:3"] {
            assert!(NameTemplate::parse(text).is_err(), "{text}");
        }
        let plain = NameTemplate::parse("LAMP").expect("plain");
        assert!(!plain.needs_mac());
        assert_eq!(plain.fill([0; 6]), "LAMP");
    }

    #[test]
    fn a_mac_address_has_colons_or_none() {
        let read = Some([0x60, 0x55, 0xF9, 0, 0x0A, 1]);
        assert_eq!(parse_mac("60:55:f9:00:0a:01"), read);
        assert_eq!(parse_mac("6055F9000A01"), read);
        for text in [
            "",
            "60:55",
            "60:55:f9:00:0a:0g",
            "+1:55:f9:00:0a:01",
            "éééééé",
        ] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
    }
}
