//! The table that the benchmarks end in.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::figures::Figure;

/// What was measured, or why it could not be.
pub type Measured = Result<Figure, String>;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    benchmark: String,
    ours: Measured,
    target: Option<Target>,
    peer: Option<(String, Measured)>,
    note: Option<String>,
    missing: Option<String>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Less than this.
    Below(f64),
    /// This or more.
    AtLeast(f64),
    /// No worse than the peer.
    LikePeer,
}

impl Row {
    /// A benchmark without target and peer.
    pub fn new(benchmark: impl Into<String>, ours: Measured) -> Self {
        Self {
            benchmark: benchmark.into(),
            ours,
            target: None,
            peer: None,
            note: None,
            missing: None,
        }
    }

    /// With a target.
    pub fn target(self, target: Target) -> Self {
        let target = Some(target);
        Self { target, ..self }
    }

    /// With a peer that was measured in the same run.
    pub fn peer(self, name: impl Into<String>, figure: Measured) -> Self {
        let peer = Some((name.into(), figure));
        Self { peer, ..self }
    }

    /// With a remark below the table: how it was measured, or why a target is missed.
    pub fn note(self, note: impl Into<String>) -> Self {
        let note = Some(note.into());
        Self { note, ..self }
    }

    /// With a remark in which a figure stands, or why that could not be measured.
    pub fn measured_note(self, note: Result<String, String>) -> Self {
        match note {
            Ok(note) => self.note(note),
            Err(why) => Self {
                missing: Some(why),
                ..self
            },
        }
    }

    /// Why something of this row is not there.
    pub fn gaps(&self) -> Vec<String> {
        let ours = self
            .ours
            .as_ref()
            .err()
            .map(|why| format!("{}: {why}", self.benchmark));
        let peer = self.peer.as_ref().and_then(|(name, figure)| {
            let why = figure.as_ref().err()?;
            Some(format!("{}, {name}: {why}", self.benchmark))
        });
        let missing = self.missing.as_ref();
        let missing = missing.map(|why| format!("{}: {why}", self.benchmark));
        ours.into_iter().chain(peer).chain(missing).collect()
    }

    /// Whether the target is met; none without a target or a figure.
    pub fn is_met(&self) -> Option<bool> {
        let ours = self.ours.as_ref().ok()?;
        match self.target? {
            Target::Below(limit) => Some(ours.judged() < limit),
            Target::AtLeast(limit) => Some(ours.judged() >= limit),
            Target::LikePeer => self.ratio().map(|ratio| ratio >= 1.0),
        }
    }

    /// How many times better than the peer's our figure is.
    fn ratio(&self) -> Option<f64> {
        let ours = self.ours.as_ref().ok()?;
        let (_, peers) = self.peer.as_ref()?;
        let peers = peers.as_ref().ok()?;
        Some(if ours.unit.more_is_better() {
            ours.value / peers.value
        } else {
            peers.value / ours.value
        })
    }

    fn cells(&self, note: Option<usize>) -> [String; 6] {
        let shown = |figure: &Measured| match figure {
            Ok(figure) => figure.to_string(),
            Err(_) => "not measured".to_owned(),
        };
        let benchmark = match note {
            Some(number) => format!("{} [{number}]", self.benchmark),
            None => self.benchmark.clone(),
        };
        [
            benchmark,
            shown(&self.ours),
            self.target_cell(),
            self.peer
                .as_ref()
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
            self.peer
                .as_ref()
                .map(|(_, figure)| shown(figure))
                .unwrap_or_default(),
            self.ratio()
                .map(|ratio| format!("{ratio:.2}x"))
                .unwrap_or_default(),
        ]
    }

    fn target_cell(&self) -> String {
        let (Some(target), Ok(ours)) = (self.target, &self.ours) else {
            return String::new();
        };
        let wanted = match target {
            Target::Below(limit) => format!("< {}", ours.unit.show(limit)),
            Target::AtLeast(limit) => format!(">= {}", ours.unit.show(limit)),
            Target::LikePeer => "like the peer".to_owned(),
        };
        match self.is_met() {
            Some(false) => format!("{wanted} MISSED"),
            _ => wanted,
        }
    }

    fn json(&self) -> Value {
        let figure = |figure: &Measured| match figure {
            Ok(figure) => figure.json(),
            Err(why) => json!({ "error": why }),
        };
        json!({
            "benchmark": self.benchmark,
            "ours": figure(&self.ours),
            "target": self.target.map(|target| match target {
                Target::Below(limit) => json!({ "below": limit }),
                Target::AtLeast(limit) => json!({ "at_least": limit }),
                Target::LikePeer => json!("like_peer"),
            }),
            "met": self.is_met(),
            "peer": self.peer.as_ref().map(|(name, measured)| {
                json!({ "name": name, "figure": figure(measured) })
            }),
            "ratio": self.ratio(),
            "note": self.note,
        })
    }
}

const HEAD: [&str; 6] = [
    "benchmark",
    "ours",
    "target",
    "peer",
    "peer's figure",
    "ratio",
];

/// The rows as one table, notes below it.
pub fn render(rows: &[Row]) -> String {
    let mut notes: Vec<&str> = Vec::new();
    let mut lines = vec![HEAD.map(str::to_owned)];
    for row in rows {
        let number = row.note.as_deref().map(|note| {
            notes
                .iter()
                .position(|other| *other == note)
                .unwrap_or_else(|| {
                    notes.push(note);
                    notes.len() - 1
                })
                + 1
        });
        lines.push(row.cells(number));
    }
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    });
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<String> = std::iter::zip(line, widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join(" | ").trim_end());
        text.push('\n');
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rules.join("-|-"));
            text.push('\n');
        }
    }
    text.push_str("\nTimes are medians, and held against targets by their p95. A ratio above 1: ours is better.\n");
    for (index, note) in notes.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[{}] {note}", index + 1);
    }
    text
}

/// The rows for programs.
pub fn json(rows: &[Row]) -> Value {
    json!({
        "version": 1,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::figures::Unit;
    use super::*;

    fn millis(value: f64) -> Measured {
        Ok(Figure::single(value, Unit::Millis))
    }

    #[test]
    fn a_missed_target_is_marked() {
        let row = Row::new("start", millis(120.0)).target(Target::Below(100.0));
        assert_eq!(row.is_met(), Some(false));
        assert!(render(&[row]).contains("< 100 ms MISSED"));
    }

    #[test]
    fn the_ratio_says_how_many_times_better_ours_is() {
        let row = Row::new("start", millis(50.0)).peer("other", millis(100.0));
        assert_eq!(row.ratio(), Some(2.0));
        let rate = |value| Ok(Figure::single(value, Unit::PerSecond("lines")));
        let row = Row::new("lines", rate(50.0))
            .peer("other", rate(100.0))
            .target(Target::LikePeer);
        assert_eq!((row.ratio(), row.is_met()), (Some(0.5), Some(false)));
    }

    #[test]
    fn what_could_not_be_measured_is_a_gap_and_no_missed_target() {
        let row = Row::new("start", millis(1.0))
            .peer("other", Err("not installed".to_owned()))
            .target(Target::LikePeer);
        assert_eq!(row.is_met(), None);
        assert_eq!(row.gaps(), ["start, other: not installed"]);
        let row = Row::new("start", Err("no binary".to_owned())).target(Target::Below(1.0));
        assert_eq!(row.gaps(), ["start: no binary"]);
        let row =
            Row::new("start", millis(1.0)).measured_note(Err("the peer is silent".to_owned()));
        assert_eq!(row.gaps(), ["start: the peer is silent"]);
        let row = Row::new("start", millis(1.0)).measured_note(Ok("5 s".to_owned()));
        assert!(row.gaps().is_empty() && render(&[row]).contains("[1] 5 s"));
    }

    #[test]
    fn rows_share_a_note() {
        let row = Row::new("start", millis(1.0)).note("how");
        let text = render(&[row.clone(), row]);
        assert_eq!(text.matches("[1] how").count(), 1);
        assert_eq!(text.matches("start [1]").count(), 2);
    }
}
