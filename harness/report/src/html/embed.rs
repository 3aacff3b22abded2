//! The parts of a page, put together so that nothing in them can be taken for markup.

use std::io::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Traces;

/// Script of a page: its files in this order, each of which uses only what stands before it when
/// the page is loaded.
const SCRIPTS: [&str; 11] = [
    include_str!("viewer/text.js"),
    include_str!("viewer/load.js"),
    include_str!("viewer/spans.js"),
    include_str!("viewer/overview.js"),
    include_str!("viewer/failure.js"),
    include_str!("viewer/timeline.js"),
    include_str!("viewer/moment.js"),
    include_str!("viewer/filter.js"),
    include_str!("viewer/list.js"),
    include_str!("viewer/compare.js"),
    include_str!("viewer/main.js"),
];
const STYLE: &str = include_str!("viewer/viewer.css");
const DOCUMENT: &str = include_str!("viewer/page.html");

/// Text as gzip in base64, which has no character that HTML gives a meaning to.
pub(super) struct Compressed(String);

impl Compressed {
    /// Packs `value` as JSON.
    pub(super) fn json(value: &impl Serialize) -> io::Result<Self> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(io::BufWriter::new(&mut packed), value)?;
        packed.flush()?;
        Ok(Self(STANDARD.encode(packed.finish()?)))
    }

    /// Bytes that it takes in a page.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// JSON that can stand in a script element: no `<` in it begins or ends anything.
pub(super) fn inline_json(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// The whole file. `overview` is JSON from [`inline_json`].
pub(super) fn document(title: &str, overview: &str, traces: &Traces) -> String {
    let script = format!("\"use strict\";\n{}", SCRIPTS.concat());
    let mut data = String::new();
    for (index, trace) in traces.iter().enumerate() {
        if let Some(trace) = trace {
            data.push_str(&format!(
                "<script type=\"application/gzip+base64\" id=\"events-{index}\">{}</script>\n",
                trace.0
            ));
        }
    }
    // What stands last may hold anything, also the names of the other places.
    DOCUMENT
        .replace("{{style-hash}}", &hash(STYLE))
        .replace("{{script-hash}}", &hash(&script))
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &script)
        .replace("{{title}}", &escaped(title))
        .replacen("{{events}}", &data, 1)
        .replacen("{{overview}}", overview, 1)
}

/// The hash by which a policy lets an inline script or style be used.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('{', "&#123;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element_that_it_stands_in() {
        let hostile = "</script><script>alert(1)</script><!--";
        let json = inline_json(&[hostile]).expect("JSON");
        assert!(!json.contains('<'), "{json}");
        let back: Vec<String> = serde_json::from_str(&json).expect("the same");
        assert_eq!(back, [hostile]);
        let page = document("<b>{{overview}}", &json, &Vec::new());
        assert!(page.contains("<title>&lt;b>&#123;&#123;overview}}</title>"));
        assert!(!page.contains("alert(1)</script>"));
    }

    #[test]
    fn script_and_style_are_what_the_policy_has_the_hash_of() {
        let page = document("a", "{}", &Vec::new());
        let between = |from: &str, to: &str| {
            let after = page.split_once(from).expect("there is one").1;
            after.split_once(to).expect("it ends").0.to_owned()
        };
        for text in [
            between("<script>", "</script>"),
            between("<style>", "</style>"),
        ] {
            assert!(page.contains(&format!("'{}'", hash(&text))));
        }
        assert!(!page.contains("{{"));
    }
}
