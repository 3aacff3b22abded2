//! References to variables that nothing sets.

use super::captures::references;
use super::mistake::{Mistake, nearest, quoted};
use super::tree::{Kind, Node};

/// A mistake for every `${name}` that neither the matrix nor any step's capture sets. What the matrix
/// sets was put in before.
pub(super) fn references_to_nothing(root: &Node) -> Vec<Mistake> {
    let matrix = root.child("matrix").map(Node::entries).unwrap_or_default();
    let in_matrix: Vec<&str> = matrix.iter().map(|entry| entry.key.as_str()).collect();
    let captured = captured(root);
    let mut mistakes = Vec::new();
    for entry in root.entries().iter().filter(|entry| entry.key != "matrix") {
        // The world stands there before the first step that could capture something.
        let is_later = matches!(entry.key.as_str(), "steps" | "never");
        entry.value.walk(&mut |node| {
            let Kind::Text(text) = &node.kind else {
                return;
            };
            let unset = references(text)
                .filter(|name| !in_matrix.contains(name))
                .filter(|name| !is_later || !captured.contains(name));
            mistakes.extend(unset.map(|name| {
                let known = match is_later {
                    true => [&in_matrix[..], &captured].concat(),
                    false => in_matrix.clone(),
                };
                mistake(node, name, &known)
            }));
        });
    }
    mistakes
}

fn mistake(node: &Node, name: &str, known: &[&str]) -> Mistake {
    let where_to = "a variable is set in the `matrix`, or by the `capture` of a step before";
    let help = match nearest(name, known) {
        Some(word) => format!("did you mean `${{{word}}}`?"),
        None if known.is_empty() => where_to.to_owned(),
        None => format!("{where_to}; set here: {}", quoted(known)),
    };
    Mistake::at(node.span, format!("`${{{name}}}` is not set")).help(help)
}

/// The names that steps capture: the keys of `capture`, and tokens that phones make.
fn captured(root: &Node) -> Vec<&str> {
    let mut names = Vec::new();
    if let Some(steps) = root.child("steps") {
        steps.walk(&mut |node| {
            let list = node.child("capture").map(Node::entries).unwrap_or_default();
            names.extend(list.iter().map(|entry| entry.key.as_str()));
            let token = node.child("provision").and_then(|step| step.child("token"));
            names.extend(token.and_then(Node::spelled));
        });
    }
    names
}
