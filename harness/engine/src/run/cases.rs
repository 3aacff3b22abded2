//! What became of the plan's cases so far.

use std::path::PathBuf;

use report::{AttemptResult, CaseResult};
use trace::Verdict;

use super::{Case, Plan, folder};

/// An attempt of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The case's position in the plan.
    pub(super) case: usize,
    /// From 1.
    pub(super) number: u32,
}

/// Every case of a plan, and what became of it.
pub(super) struct Cases<'p> {
    list: Vec<Progress<'p>>,
}

struct Progress<'p> {
    case: &'p Case,
    folder: String,
    /// Attempts that wait or run.
    open: u32,
    attempts: Vec<AttemptResult>,
    result: Option<CaseResult>,
}

impl<'p> Cases<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let names = folder::names(plan.cases.iter().map(|case| case.id.as_str()));
        let progress = |(case, folder)| Progress {
            case,
            folder,
            open: plan.attempts_per_case(),
            attempts: Vec::new(),
            result: None,
        };
        Self {
            list: plan.cases.iter().zip(names).map(progress).collect(),
        }
    }

    /// The case that this is an attempt at.
    pub(super) fn case(&self, attempt: Attempt) -> &'p Case {
        self.list[attempt.case].case
    }

    /// The attempt's folder, in the run's.
    pub(super) fn folder(&self, attempt: Attempt) -> PathBuf {
        let case = PathBuf::from(&self.list[attempt.case].folder);
        case.join(attempt.number.to_string())
    }

    /// Notes that one more attempt at the same case follows, and returns it.
    pub(super) fn again(&mut self, attempt: Attempt) -> Attempt {
        self.list[attempt.case].open += 1;
        Attempt {
            number: attempt.number + 1,
            ..attempt
        }
    }

    /// Notes how an attempt ended. The case's result, if that was the last.
    pub(super) fn ended(&mut self, attempt: Attempt, result: AttemptResult) -> Option<CaseResult> {
        let reason = (result.verdict == Verdict::Skipped).then(|| match &result.failure {
            Some(failure) => failure.message.clone(),
            None => "interrupted".to_owned(),
        });
        self.list[attempt.case].attempts.push(result);
        self.close(attempt, reason, false)
    }

    /// Notes that an attempt is not made. The case's result, if that was the last; `forbidden` makes
    /// it failed instead of skipped, if no attempt was made at all.
    pub(super) fn let_go(
        &mut self,
        attempt: Attempt,
        reason: String,
        forbidden: bool,
    ) -> Option<CaseResult> {
        self.close(attempt, Some(reason), forbidden)
    }

    fn close(
        &mut self,
        attempt: Attempt,
        reason: Option<String>,
        forbidden: bool,
    ) -> Option<CaseResult> {
        let progress = &mut self.list[attempt.case];
        progress.open -= 1;
        if progress.open > 0 {
            return None;
        }
        let Progress { case, attempts, .. } = progress;
        // Those that were made at the same time may end in any order.
        attempts.sort_by_key(|attempt| attempt.attempt);
        let together = CaseResult::verdict_of(attempts);
        let result = CaseResult {
            case: case.id.clone(),
            name: case.name.clone(),
            scenario: case.scenario.clone(),
            board: case.board.clone(),
            difference: case.difference.clone(),
            verdict: together.unwrap_or(if forbidden {
                Verdict::Failed
            } else {
                Verdict::Skipped
            }),
            skipped: reason.filter(|_| together.is_none()),
            attempts: std::mem::take(attempts),
        };
        progress.result = Some(result.clone());
        Some(result)
    }

    /// The results, in the order of the plan.
    pub(super) fn results(&self) -> Vec<CaseResult> {
        self.list
            .iter()
            .filter_map(|progress| progress.result.clone())
            .collect()
    }
}
