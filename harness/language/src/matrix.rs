//! One case for each combination of the matrix.

use super::captures::{references, replace, sole_reference};
use super::decode::decode;
use super::mistake::Mistake;
use super::roles::Roles;
use super::tree::{Entry, Kind, Node};

/// More cases than this are taken for a mistake.
const MOST_CASES: usize = 1_000;

/// A variable's name and its value in one case, as the file spells it.
pub(super) type Binding = (String, Node);

/// All combinations of the matrix in `root`, the last variable changing fastest; a single empty one
/// if there is no matrix.
pub(super) fn combinations(root: &Node) -> Result<Vec<Vec<Binding>>, Vec<Mistake>> {
    let Some(node) = root.child("matrix") else {
        return Ok(vec![Vec::new()]);
    };
    // Lists under names; what the values are does not matter here.
    decode::<Roles<Vec<serde::de::IgnoredAny>>>(node).map_err(|mistake| vec![mistake])?;
    let matrix = lists(node);
    let mistakes = check(&matrix, root);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut combinations = vec![Vec::new()];
    for (entry, values) in matrix {
        if combinations.len() * values.len() > MOST_CASES {
            let message = format!("the matrix makes more than {MOST_CASES} cases");
            return Err(vec![Mistake::at(node.span, message)]);
        }
        combinations = combinations
            .iter()
            .flat_map(|so_far: &Vec<Binding>| {
                values.iter().map(move |value| {
                    let mut bindings = so_far.clone();
                    bindings.push((entry.key.clone(), value.clone()));
                    bindings
                })
            })
            .collect();
    }
    Ok(combinations)
}

/// The variables and their values.
fn lists(matrix: &Node) -> Vec<(&Entry, &[Node])> {
    let entries = matrix.entries().iter();
    entries
        .filter_map(|entry| match &entry.value.kind {
            Kind::List(values) => Some((entry, values.as_slice())),
            _ => None,
        })
        .collect()
}

fn check(matrix: &[(&Entry, &[Node])], root: &Node) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let used = used_names(root);
    for (entry, values) in matrix {
        let name = entry.key.as_str();
        if values.is_empty() {
            mistakes.push(Mistake::at(
                entry.value.span,
                format!("`{name}` has no values"),
            ));
        }
        if !used.contains(&name) {
            let help = format!("put `${{{name}}}` where it is meant, or leave it out");
            mistakes
                .push(Mistake::at(entry.key_span, format!("`{name}` is never used")).help(help));
        }
        for (position, value) in values.iter().enumerate() {
            let spelled = value.spelled();
            if spelled.is_none() {
                mistakes.push(Mistake::at(
                    value.span,
                    "expected text, a number or a truth value",
                ));
            } else if values[..position].iter().any(|v| v.spelled() == spelled) {
                mistakes.push(Mistake::at(value.span, "this value is there already"));
            }
        }
    }
    mistakes
}

/// Names to which something outside the matrix refers.
fn used_names(root: &Node) -> Vec<&str> {
    let mut names = Vec::new();
    for entry in root.entries().iter().filter(|entry| entry.key != "matrix") {
        entry.value.walk(&mut |node| {
            if let Kind::Text(text) = &node.kind {
                names.extend(references(text));
            }
        });
    }
    names
}

/// `node` with the bound variables put in. A value that is nothing but a reference becomes the
/// variable's value, of any type; inside a text its spelling is put.
pub(super) fn put_in(node: &Node, bindings: &[Binding]) -> Node {
    let value_of = |name: &str| {
        bindings
            .iter()
            .find(|(bound, _)| bound == name)
            .map(|(_, v)| v)
    };
    let kind = match &node.kind {
        Kind::Text(text) => match sole_reference(text).and_then(value_of) {
            Some(value) => {
                return Node {
                    span: node.span,
                    from_matrix: true,
                    ..value.clone()
                };
            }
            None => Kind::Text(put_in_text(text, value_of)),
        },
        Kind::List(items) => Kind::List(items.iter().map(|item| put_in(item, bindings)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|entry| Entry {
                    value: put_in(&entry.value, bindings),
                    ..entry.clone()
                })
                .collect(),
        ),
        _ => return node.clone(),
    };
    Node {
        kind,
        ..node.clone()
    }
}

/// References to what is captured later stay as they are.
fn put_in_text<'v>(text: &str, value_of: impl Fn(&str) -> Option<&'v Node>) -> String {
    let value_or_reference = |name: &str| {
        let value = value_of(name).and_then(Node::spelled);
        Some(value.map_or_else(|| format!("${{{name}}}"), str::to_owned))
    };
    replace(text, value_or_reference).unwrap_or_else(|_| text.to_owned())
}

/// The case's identifier: the scenario's name and the values, if there are any.
pub(super) fn identifier(name: &str, bindings: &[Binding]) -> String {
    if bindings.is_empty() {
        return name.to_owned();
    }
    let values: Vec<_> = bindings
        .iter()
        .map(|(name, value)| format!("{name}={}", value.spelled().unwrap_or_default()))
        .collect();
    format!("{name}[{}]", values.join(","))
}
