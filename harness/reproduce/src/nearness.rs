//! How near one log is to another.

use diagnose::Diagnosis;

use crate::Signature;

/// Lines of a difference that are kept.
const SHOWN: usize = 8;

/// How near a reproduction's log is to the field's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearness {
    /// Whether the first cause is of the same stage.
    pub same_stage: bool,
    /// Whether it is the same cause.
    pub same_cause: bool,
    /// Telling lines that both have, in the same order.
    pub shared: usize,
    /// Telling lines of the field's log.
    pub of: usize,
    /// Lines that only the field's log has, the first of them.
    pub only_field: Vec<String>,
    /// Lines that only the reproduction's log has, the first of them.
    pub only_ours: Vec<String>,
}

impl Nearness {
    /// Compares the field's log with ours.
    pub fn of(field: (&Diagnosis, &Signature), ours: (&Diagnosis, &Signature)) -> Self {
        let (there, here) = (first(field.0), first(ours.0));
        let a: Vec<&str> = field.1.lines().collect();
        let b: Vec<&str> = ours.1.lines().collect();
        let common = common(&a, &b);
        let lacks = |lines: &[&str], others: &[&str]| {
            let mut only: Vec<String> = Vec::new();
            for line in lines.iter().filter(|line| !others.contains(line)) {
                if only.len() < SHOWN && !only.iter().any(|known| known == line) {
                    only.push((*line).to_owned());
                }
            }
            only
        };
        Self {
            same_stage: there.is_some() && there.map(|(_, stage)| stage) == here.map(|(_, s)| s),
            same_cause: there.is_some() && there == here,
            shared: common,
            of: a.len(),
            only_field: lacks(&a, &b),
            only_ours: lacks(&b, &a),
        }
    }

    /// Of a hundred: the stage counts for half, the cause for a quarter, the lines for the rest.
    pub fn percent(&self) -> usize {
        let lines = (self.shared * 25).checked_div(self.of).unwrap_or(0);
        50 * usize::from(self.same_stage) + 25 * usize::from(self.same_cause) + lines
    }
}

/// The first cause and its stage; of a log that ends well, the last one that was over.
fn first(diagnosis: &Diagnosis) -> Option<(&str, diagnose::Stage)> {
    let cause = diagnosis.causes.first();
    let cause = cause.map(|cause| (cause.id.as_str(), cause.stage));
    cause.or_else(|| {
        let past = diagnosis.history.first()?;
        Some((past.id.as_str(), past.stage))
    })
}

/// The length of the longest sequence that both have in common.
fn common(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = match x == y {
                true => diagonal + 1,
                false => above.max(row[at]),
            };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use diagnose::Log;

    use super::*;

    fn read(lines: &[&str]) -> (Diagnosis, Signature) {
        let (mut log, mut signature) = (Log::new("log"), Signature::default());
        for line in lines {
            log.line(line.as_bytes());
            signature.line(line.as_bytes());
        }
        (log.end(), signature)
    }

    #[test]
    fn a_log_is_as_near_as_can_be_to_itself_with_other_values() {
        let (a, b) = (
            read(&["W (5541) app: disconnected, reason 15"]),
            read(&["W (17) app: disconnected, reason 15"]),
        );
        let near = Nearness::of((&a.0, &a.1), (&b.0, &b.1));
        assert_eq!((near.percent(), near.shared, near.of), (100, 1, 1));
        assert!(near.only_field.is_empty() && near.only_ours.is_empty());
    }

    #[test]
    fn the_stage_counts_more_than_the_words() {
        let field = read(&["E (9) wifi: NO_AP_FOUND"]);
        let same = read(&["W (5541) app: disconnected, reason 15"]);
        let other = read(&["E (9) esp-tls: [sock=54] select() timeout"]);
        let near = Nearness::of((&field.0, &field.1), (&same.0, &same.1));
        let far = Nearness::of((&field.0, &field.1), (&other.0, &other.1));
        assert_eq!((near.percent(), far.percent()), (50, 0));
        assert_eq!(near.only_field.len(), 1);
    }

    #[test]
    fn order_counts() {
        assert_eq!(common(&["a", "b", "c"], &["c", "a", "b"]), 2);
        assert_eq!(common(&[], &["a"]), 0);
    }
}
