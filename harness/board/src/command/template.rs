//! Commands as rig.toml has them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Command;

/// A program and its arguments, in which `{name}` stands for something that is known later.
///
/// ```
/// # use std::time::Duration;
/// use board::command::CommandTemplate;
/// let words = ["esptool", "--port", "{port}", "write_flash", "{offset}", "{file}"];
/// let words = words.map(str::to_owned).to_vec();
/// let known = ["port", "offset", "file"];
/// let template = CommandTemplate::new(words, &known, Duration::from_secs(120), ".".as_ref())?;
/// let command = template.fill_each(
///     &[("port", "/dev/ttyUSB0")],
///     &[[("offset", "0x0"), ("file", "boot.bin")], [("offset", "0x10000"), ("file", "app.bin")]],
/// );
/// assert_eq!(
///     command.to_string(),
///     "esptool --port /dev/ttyUSB0 write_flash 0x0 boot.bin 0x10000 app.bin",
/// );
/// # Ok::<_, board::command::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    words: Vec<String>,
    limit: Duration,
    folder: PathBuf,
}

/// Why words are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No program.
    #[error("a command begins with a program")]
    Empty,
    /// A word that no program can be given.
    #[error("a command cannot hold a zero byte")]
    Zero,
    /// `{name}` that stands for nothing here.
    #[error("`{{{name}}}` stands for nothing here; there {}", listed(known))]
    Unknown {
        /// Without its braces.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "is none".to_owned(),
        [name] => format!("is `{{{name}}}`"),
        names => {
            let names: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
            format!("are {}", names.join(", "))
        }
    }
}

impl CommandTemplate {
    /// A command that is started in `folder`, may take `limit`, and in which `known` will have
    /// values.
    pub fn new(
        words: Vec<String>,
        known: &[&str],
        limit: Duration,
        folder: &Path,
    ) -> Result<Self, TemplateError> {
        if words.first().is_none_or(String::is_empty) {
            return Err(TemplateError::Empty);
        }
        for word in &words {
            if word.contains('\0') {
                return Err(TemplateError::Zero);
            }
            if let Some(name) = names(word).find(|name| !known.contains(name)) {
                return Err(TemplateError::Unknown {
                    name: name.to_owned(),
                    known: known.iter().map(|&name| name.to_owned()).collect(),
                });
            }
        }
        Ok(Self {
            words,
            limit,
            folder: folder.to_owned(),
        })
    }

    /// Whether `{name}` stands in it.
    pub fn mentions(&self, name: &str) -> bool {
        self.words.iter().any(|word| mentions(word, name))
    }

    /// The words, for what must differ when the command does.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The program as it is started: with a slash in its name, relative to the rig file; without one, to
    /// be looked for in `PATH`.
    pub fn program(&self) -> PathBuf {
        match self.words.first() {
            Some(program) if program.contains('/') => self.folder.join(program),
            program => program.map(PathBuf::from).unwrap_or_default(),
        }
    }

    /// Whether that could be started now.
    pub fn is_there(&self) -> bool {
        crate::process::is_there(&self.program())
    }

    /// The command with these values.
    pub fn fill(&self, values: &[(&str, &str)]) -> Command {
        self.command(self.words.iter().map(|word| fill(word, values)).collect())
    }

    /// The command with these values, in which each run of words that mention a name of `each` is
    /// repeated for every one of `each`.
    pub fn fill_each<const N: usize>(
        &self,
        values: &[(&str, &str)],
        each: &[[(&str, &str); N]],
    ) -> Command {
        let names: Vec<&str> = each
            .first()
            .iter()
            .flat_map(|one| one.map(|(name, _)| name))
            .collect();
        let repeats = |word: &String| names.iter().any(|name| mentions(word, name));
        let mut words = Vec::new();
        for run in self.words.chunk_by(|a, b| repeats(a) == repeats(b)) {
            if repeats(&run[0]) {
                for one in each {
                    let all: Vec<_> = values.iter().chain(one).copied().collect();
                    words.extend(run.iter().map(|word| fill(word, &all)));
                }
            } else {
                words.extend(run.iter().map(|word| fill(word, values)));
            }
        }
        self.command(words)
    }

    fn command(&self, words: Vec<String>) -> Command {
        Command::new(words, self.limit, &self.folder)
    }
}

fn mentions(word: &str, name: &str) -> bool {
    names(word).any(|found| found == name)
}

/// The names in braces in `word`. Braces around anything else are just braces.
fn names(word: &str) -> impl Iterator<Item = &str> {
    word.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
}

/// `word` with these values, looked at once, so that a value's own braces stay.
fn fill(word: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let value = values.iter().find_map(|(name, value)| {
            let behind = rest[1..].strip_prefix(name)?.strip_prefix('}')?;
            Some((value, behind))
        });
        match value {
            Some((value, behind)) => {
                filled.push_str(value);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(words: &[&str]) -> Result<CommandTemplate, TemplateError> {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let known = ["port", "offset", "file"];
        CommandTemplate::new(words, &known, Duration::from_secs(1), Path::new("/"))
    }

    #[test]
    fn values_stand_where_their_names_stood() {
        let template = template(&["f", "--at={offset}:{file}", "{port}", "{}", "{Port}", "{"]);
        let command = template.expect("well formed").fill(&[
            ("port", "{file}"),
            ("offset", "0"),
            ("file", "a b"),
        ]);
        assert_eq!(
            command.to_string(),
            "f '--at=0:a b' '{file}' '{}' '{Port}' '{'"
        );
    }

    #[test]
    fn what_is_said_of_each_image_is_repeated_and_the_rest_is_not() {
        let template = template(&["f", "{port}", "--image", "{offset}", "{file}", "end"])
            .expect("well formed");
        let command = template.fill_each(
            &[("port", "P")],
            &[
                [("offset", "1"), ("file", "a")],
                [("offset", "2"), ("file", "b")],
            ],
        );
        assert_eq!(command.to_string(), "f P --image 1 a 2 b end");
        assert!(template.mentions("offset") && !template.mentions("end"));
    }

    #[test]
    fn a_template_that_can_be_no_command_says_why() {
        for (words, problem) in [
            (&[][..], "begins with a program"),
            (&[""], "begins with a program"),
            (&["a\0"], "zero byte"),
            (
                &["f", "{ports}"],
                "`{ports}` stands for nothing here; there are `{port}`, `{offset}`, `{file}`",
            ),
        ] {
            let error = template(words).expect_err(problem).to_string();
            assert!(error.contains(problem), "{words:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_word_breaks_the_filling(word in "[{}a-z_é]{0,20}", value in ".{0,10}") {
            let filled = fill(&word, &[("port", &value), ("file", "")]);
            if !word.contains("{port}") && !word.contains("{file}") {
                prop_assert_eq!(filled, word);
            }
        }
    }
}
