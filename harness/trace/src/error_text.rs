//! An error in words.

use std::error::Error;

/// An error and everything below it, in one line. What an error has said already of the one below it is not
/// said twice.
///
/// ```
/// let error = "x".parse::<u8>().unwrap_err();
/// assert_eq!(trace::in_full(&error), "invalid digit found in string");
/// ```
pub fn in_full(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let next = source.to_string();
        if !said.ends_with(&next) {
            said.push_str(": ");
            said.push_str(&next);
        }
        below = source.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (text, below) = texts.split_first()?;
        let source = layers(below);
        Some(Box::new(Layer { text, source }))
    }

    #[test]
    fn each_cause_is_said_once() {
        for (texts, said) in [
            (&["no answer"][..], "no answer"),
            (&["a", "b", "c"], "a: b: c"),
            (&["failed: b", "b", "c"], "failed: b: c"),
        ] {
            assert_eq!(in_full(&*layers(texts).expect("there is one")), said);
        }
    }
}
