//! Changes by rule: those of cargo-mutants, and statements left out and numbers that are off by one.
//!
//! cargo-mutants itself asks `cargo test` alone, and builds the tests for each mutant; here scenarios are the
//! judge, and the device is built alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::mutant::{Edit, Mutant};

/// Files without behaviour of their own: the bugs that can be put in, and what only prints.
const LEFT_OUT: [&str; 3] = ["bugs.rs", "description.rs", "lib.rs"];

/// All changes of the source in `source`, by file and place.
pub fn mutants(source: &Path) -> Result<Vec<Mutant>, String> {
    let mut files = Vec::new();
    list(source, source, &mut files)?;
    files.sort();
    let mut mutants = Vec::new();
    let mut alike: BTreeMap<[String; 5], usize> = BTreeMap::new();
    for file in files {
        let path = source.join(&file);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| format!("failed to parse {}: {error}", path.display()))?;
        let mut found = Finder::new(&text);
        found.visit_file(&parsed);
        for change in found.changes {
            let find = text[change.start..change.end].to_owned();
            let key = [
                file.clone(),
                change.function.clone(),
                change.operator.to_owned(),
                find.clone(),
                change.replace.clone(),
            ];
            let nth = alike.entry(key.clone()).or_default();
            *nth += 1;
            let parts: Vec<&str> = key.iter().map(String::as_str).collect();
            mutants.push(Mutant {
                id: Mutant::id_of(&parts, *nth),
                operator: change.operator,
                about: format!(
                    "{} in {}: {}",
                    change.function,
                    shortened(&find),
                    shortened(&change.replace)
                ),
                line: text[..change.start].matches('\n').count() + 1,
                edits: vec![Edit {
                    file: file.clone(),
                    start: change.start,
                    find,
                    replace: change.replace,
                }],
            });
        }
    }
    Ok(mutants)
}

/// Source files below `folder`, tests left out.
fn list(source: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), String> {
    let failed = |error| format!("failed to read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if name != "tests" {
                list(source, &path, files)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let file = path
                .strip_prefix(source)
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/");
            if !LEFT_OUT.contains(&&*file) {
                files.push(file);
            }
        }
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

/// A change within one file.
struct Change {
    operator: &'static str,
    function: String,
    start: usize,
    end: usize,
    replace: String,
}

struct Finder<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Names around the place.
    within: Vec<String>,
    changes: Vec<Change>,
}

impl<'t> Finder<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(ends).collect(),
            within: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn change(&mut self, operator: &'static str, span: Span, replace: impl Into<String>) {
        let (start, end) = (self.place(span.start()), self.place(span.end()));
        let replace = replace.into();
        // What is switched by a bug repeats that bug.
        let what = &self.text[start..end];
        if what != replace && !what.contains("bugs::is") {
            self.changes.push(Change {
                operator,
                function: self.within.join("::"),
                start,
                end,
                replace,
            });
        }
    }

    /// Where a line and a column are in bytes: columns count characters.
    fn place(&self, at: proc_macro2::LineColumn) -> usize {
        let start = self.lines[at.line - 1];
        let rest = &self.text[start..];
        let column = rest.char_indices().nth(at.column);
        start + column.map_or(rest.len(), |(bytes, _)| bytes)
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if block.stmts.is_empty() || signature.constness.is_some() {
            return;
        }
        for value in values(&signature.output) {
            self.change("value", block.span(), format!("{{ {value} }}"));
        }
    }
}

/// Values of a type that are as good as any.
fn values(output: &syn::ReturnType) -> Vec<&'static str> {
    let syn::ReturnType::Type(_, output) = output else {
        return vec![""];
    };
    let syn::Type::Path(path) = &**output else {
        return Vec::new();
    };
    let Some(last) = path.path.segments.last() else {
        return Vec::new();
    };
    let unit = matches!(&last.arguments, syn::PathArguments::AngleBracketed(generic)
        if matches!(generic.args.first(), Some(syn::GenericArgument::Type(syn::Type::Tuple(tuple))) if tuple.elems.is_empty()));
    match last.ident.to_string().as_str() {
        "bool" => vec!["true", "false"],
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => vec!["0", "1"],
        "Option" => vec!["None"],
        "Result" if unit => vec!["Ok(())"],
        "String" => vec!["Default::default()"],
        "Vec" => vec!["Default::default()"],
        _ => Vec::new(),
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let of = |path: &syn::Path| path.segments.last().map(|last| last.ident.to_string());
        let shows = item.trait_.as_ref().and_then(|(_, path, _)| of(path));
        if shows.is_some_and(|name| matches!(&*name, "Debug" | "Display" | "Error")) {
            return;
        }
        if let syn::Type::Path(path) = &*item.self_ty {
            self.within.push(of(&path.path).unwrap_or_default());
            visit::visit_item_impl(self, item);
            self.within.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if is_test(&item.attrs) {
            return;
        }
        self.within.push(item.sig.ident.to_string());
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
        self.within.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.within.push(item.sig.ident.to_string());
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
        self.within.pop();
    }

    fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
        use syn::BinOp;
        let other = match &binary.op {
            BinOp::Eq(_) => "!=",
            BinOp::Ne(_) => "==",
            BinOp::Lt(_) => "<=",
            BinOp::Le(_) => "<",
            BinOp::Gt(_) => ">=",
            BinOp::Ge(_) => ">",
            BinOp::And(_) => "||",
            BinOp::Or(_) => "&&",
            BinOp::Add(_) => "-",
            BinOp::Sub(_) => "+",
            BinOp::Mul(_) => "/",
            BinOp::Div(_) => "*",
            BinOp::AddAssign(_) => "-=",
            BinOp::SubAssign(_) => "+=",
            _ => "",
        };
        if !other.is_empty() {
            self.change("operator", binary.op.span(), other);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'a syn::ExprUnary) {
        if let syn::UnOp::Not(_) = unary.op {
            self.change("not", unary.op.span(), "");
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.change("guard", guard.span(), "true");
            self.change("guard", guard.span(), "false");
        }
        visit::visit_arm(self, arm);
    }

    fn visit_stmt(&mut self, statement: &'a syn::Stmt) {
        // An effect that is forgotten. What is only logged is left alone: scenarios ask for lines that matter.
        if let syn::Stmt::Expr(expression, Some(_)) = statement {
            let is_effect = matches!(
                expression,
                syn::Expr::MethodCall(_)
                    | syn::Expr::Call(_)
                    | syn::Expr::Assign(_)
                    | syn::Expr::Await(_)
            );
            if is_effect {
                self.change("statement", statement.span(), "");
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_lit_int(&mut self, literal: &'a syn::LitInt) {
        if let Ok(number) = literal.base10_parse::<u64>()
            && let Some(more) = number.checked_add(1)
        {
            self.change(
                "number",
                literal.span(),
                format!("{more}{}", literal.suffix()),
            );
        }
    }

    fn visit_macro(&mut self, _: &'a syn::Macro) {
        // Lines of the log, mostly.
    }

    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Ident>()
                    .is_ok_and(|what| what == "test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Vec<(String, String)> {
        let mut finder = Finder::new(text);
        finder.visit_file(&syn::parse_file(text).expect("it is sound"));
        let found = finder.changes.iter();
        found
            .map(|change| {
                (
                    text[change.start..change.end].to_owned(),
                    change.replace.clone(),
                )
            })
            .collect()
    }

    #[test]
    fn operators_values_guards_statements_and_numbers_are_changed() {
        let text = "fn f(ä: u8) -> bool { g(); match ä { n if n < 3 => !true, _ => false } }";
        let found = changes(text);
        let has = |from: &str, to: &str| found.iter().any(|(a, b)| a == from && b == to);
        assert!(has("<", "<="), "{found:?}");
        assert!(has("!", ""));
        assert!(has("n < 3", "true"));
        assert!(has("g();", ""));
        assert!(has("3", "4"));
        assert!(found.iter().any(|(_, to)| to == "{ true }"));
    }

    #[test]
    fn tests_and_bugs_are_left_alone() {
        let text =
            "#[cfg(test)] mod tests { fn f() { g(1 + 2); } } fn h() -> bool { bugs::is(Bug::A) }";
        assert_eq!(changes(text), []);
    }

    #[test]
    fn the_device_has_mutants_each_of_a_name_of_its_own() {
        let source = crate::command::root().join(super::super::SOURCE);
        let all = mutants(&source).expect("it is sound");
        let ids: std::collections::BTreeSet<_> = all.iter().map(|mutant| &mutant.id).collect();
        assert!(all.len() > 1_000, "{}", all.len());
        assert_eq!(ids.len(), all.len());
    }
}
