//! Text of a stranger, for a terminal.

/// `text` with what a terminal would act upon, or would not show, as `\u{1b}`; quotes and backslashes stay.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            c => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_upon_is_escaped() {
        assert_eq!(
            printable("It's \"ä\" \u{1b}[2J\n\u{202e}"),
            "It's \"ä\" \\u{1b}[2J\\n\\u{202e}"
        );
    }
}
