//! Choosing boards: `chip=esp32c3 & can=power | name=lamp`.
//!
//! | term | chooses boards |
//! | --- | --- |
//! | `name=n` | called `n` |
//! | `kind=k` | of that kind: `probe`, `serial` or `process` |
//! | `chip=c` | with that chip, upper and lower case alike |
//! | `can=a` | that can do that: `power`, `storage`, … |
//! | `port=p`, `probe=p` | behind that port, or that debug probe |
//!
//! `~` in the place of `=` means that it is contained. Operators are those of [`super::Filter`].

use super::logic::{Expression, FilterError, Parser};
use super::mistake::Mistake;

/// An expression that chooses boards.
#[derive(Clone, Debug)]
pub struct BoardFilter {
    text: String,
    expression: Expression<Term>,
}

/// What an expression can ask about a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardFacts {
    /// Its name in the rig file.
    pub name: String,
    /// `probe`, `serial` or `process`.
    pub kind: &'static str,
    /// Its chip, if the rig file says so.
    pub chip: Option<String>,
    /// What it can do.
    pub can: Vec<String>,
    /// The port that it is behind.
    pub port: Option<String>,
    /// The selector of the debug probe that it is behind.
    pub probe: Option<String>,
}

#[derive(Clone, Debug)]
struct Term {
    key: Key,
    value: String,
    value_at: usize,
    is_part: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Name,
    Kind,
    Chip,
    Can,
    Port,
    Probe,
}

const KEYS: [(&str, Key); 6] = [
    ("name", Key::Name),
    ("kind", Key::Kind),
    ("chip", Key::Chip),
    ("can", Key::Can),
    ("port", Key::Port),
    ("probe", Key::Probe),
];
/// What boards of a rig file can be.
const KINDS: [&str; 3] = ["probe", "serial", "process"];
/// What the rig file can say that boards can do.
const ABILITIES: [&str; 5] = [
    "power",
    "torn-write",
    "storage",
    "isolate",
    "switch-access-point",
];

impl BoardFilter {
    /// Whether `text` is meant as an expression: no board's name has any of its signs.
    pub fn is_one(text: &str) -> bool {
        text.contains(['=', '~', '&', '|', '!', '(', ')']) || text.trim().contains(' ')
    }

    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let filter = Self {
            text: text.to_owned(),
            expression: Parser::read(text, Parser::board_term)?,
        };
        filter.check()?;
        Ok(filter)
    }

    /// Whether the board is chosen.
    pub fn matches(&self, board: &BoardFacts) -> bool {
        self.expression.holds(&mut |term| term.matches(board))
    }

    /// A mistake for a kind or an ability that no board can have.
    fn check(&self) -> Result<(), FilterError> {
        self.expression.each(&mut |term| {
            let (what, known): (_, &[&str]) = match term.key {
                Key::Kind => ("kind of board", &KINDS),
                Key::Can => ("ability", &ABILITIES),
                Key::Name | Key::Chip | Key::Port | Key::Probe => return Ok(()),
            };
            if term.is_part || known.contains(&term.value.as_str()) {
                return Ok(());
            }
            let mistake = Mistake::unknown(None, what, &term.value, known.iter().copied());
            let problem = format!("{}; {}", mistake.message, mistake.help.unwrap_or_default());
            Err(FilterError::new(&self.text, term.value_at, problem))
        })
    }
}

impl Term {
    fn matches(&self, board: &BoardFacts) -> bool {
        let is = |text: &str| match self.is_part {
            true => text.contains(&self.value),
            false => text == self.value,
        };
        match self.key {
            Key::Name => is(&board.name),
            Key::Kind => is(board.kind),
            Key::Can => board.can.iter().any(|ability| is(ability)),
            Key::Port => board.port.as_deref().is_some_and(is),
            Key::Probe => board.probe.as_deref().is_some_and(is),
            Key::Chip => board.chip.as_deref().is_some_and(|chip| {
                let (chip, wanted) = (chip.to_lowercase(), self.value.to_lowercase());
                match self.is_part {
                    true => chip.contains(&wanted),
                    false => chip == wanted,
                }
            }),
        }
    }
}

impl Parser<'_> {
    fn board_term(&mut self) -> Result<Term, FilterError> {
        let start = self.at();
        let word = self.take_while(|letter| !letter.is_whitespace() && !"()&|!=~".contains(letter));
        if word.is_empty() {
            return Err(self.error("expected a term such as `chip=esp32c3`"));
        }
        let Some((_, key)) = KEYS.into_iter().find(|(name, _)| *name == word) else {
            let mistake = Mistake::unknown(None, "key", word, KEYS.map(|(name, _)| name));
            let help = mistake.help.unwrap_or_default();
            return Err(self.error_at(start, &format!("{}; {help}", mistake.message)));
        };
        self.skip_spaces();
        let is_part = self.eat('~');
        if !is_part && !self.eat('=') {
            let problem = format!("expected `=` or `~` after `{word}`; not equal is `!{word}=…`");
            return Err(self.error(&problem));
        }
        self.skip_spaces();
        let value_at = self.at();
        let value =
            self.take_while(|letter| !letter.is_whitespace() && !"()&|!=~".contains(letter));
        if value.is_empty() {
            return Err(self.error(&format!("expected what `{word}` is to be")));
        }
        Ok(Term {
            key,
            value: value.to_owned(),
            value_at,
            is_part,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn board() -> BoardFacts {
        BoardFacts {
            name: "c3-left".into(),
            kind: "serial",
            chip: Some("esp32c3".into()),
            can: vec!["power".into(), "storage".into()],
            port: Some("/dev/serial/by-id/usb-1".into()),
            probe: None,
        }
    }

    #[test]
    fn terms_choose_by_what_the_rig_file_says() {
        for (expression, chosen) in [
            ("chip=esp32c3 & can=power", true),
            ("chip = ESP32C3", true),
            ("chip~esp32 and not can=isolate", true),
            ("chip=esp32", false),
            ("chip=esp32c6 | name=c3-left", true),
            ("!(kind=serial)", false),
            ("kind=probe || port=/dev/serial/by-id/usb-1", true),
            ("probe=1366:1051", false),
            ("!probe~1366", true),
            ("can=torn-write", false),
        ] {
            let filter = BoardFilter::parse(expression).expect(expression);
            assert_eq!(filter.matches(&board()), chosen, "{expression}");
        }
    }

    #[test]
    fn mistakes_say_where_and_what_is_near() {
        for (expression, at, problem) in [
            ("", 0, "expected a term such as `chip=esp32c3`"),
            (
                "chpi=esp32c3",
                0,
                "unknown key `chpi`; did you mean `chip`?",
            ),
            (
                "chip=a & can=pwoer",
                13,
                "unknown ability `pwoer`; did you mean `power`?",
            ),
            ("kind=native", 5, "unknown kind of board `native`"),
            (
                "chip!=a",
                4,
                "expected `=` or `~` after `chip`; not equal is `!chip=…`",
            ),
            ("chip=", 5, "expected what `chip` is to be"),
            ("(chip=a", 7, "expected `)`"),
            ("chip=a can=power", 7, "expected `&`, `|` or the end"),
        ] {
            let error = BoardFilter::parse(expression).expect_err(expression);
            assert_eq!(error.position(), at, "{error}");
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn a_name_is_no_expression() {
        for (text, expected) in [
            ("c3-left", false),
            ("qemu", false),
            ("name=c3-left", true),
            ("a | b", true),
            ("!a", true),
            ("chip esp32", true),
        ] {
            assert_eq!(BoardFilter::is_one(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_expression_makes_it_panic(text in "[a-z()!&|~= é]{0,60}|(chip=a[&|! ()]){0,9}") {
            let _ = BoardFilter::parse(&text);
        }
    }
}
