//! The host's clock, from which boards have their time and certificates their dates.

use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;

const CHECK: &str = "clock";
/// When this was written: no clock that is right is before it (2026-01-01T00:00:00Z).
const EARLIEST: u64 = 1_767_225_600;

pub(super) fn check() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    finding(now.unwrap_or_default().as_secs(), synchronised())
}

fn finding(now: u64, synchronised: Option<bool>) -> Finding {
    let mend = "`sudo timedatectl set-ntp true`, or `sudo apt install systemd-timesyncd`";
    if now < EARLIEST {
        let said = "this host's clock is years late: certificates made now are of no use";
        return Finding::not_ok(CHECK, said, mend);
    }
    match synchronised {
        Some(true) => Finding::ok(CHECK, "the kernel's clock is kept right (NTP)"),
        Some(false) => Finding::unknown(
            CHECK,
            "nothing keeps the kernel's clock right (NTP), so it may be wrong",
            mend,
        ),
        None => Finding::unknown(
            CHECK,
            "the kernel does not say whether its clock is right",
            mend,
        ),
    }
}

/// Whether the kernel's clock is kept by NTP or the like (adjtimex(2)). Nothing is set.
fn synchronised() -> Option<bool> {
    // SAFETY: zero is a value of every field, and asks for no change.
    let mut asked: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the call gets a place for its result.
    let state = unsafe { libc::adjtimex(&mut asked) };
    (state >= 0).then_some(state != libc::TIME_ERROR && asked.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;

    #[test]
    fn a_clock_that_is_years_late_is_wrong_and_one_that_nothing_keeps_may_be() {
        assert_eq!(finding(0, Some(true)).answer, Answer::NotOk);
        assert_eq!(finding(EARLIEST, Some(true)).answer, Answer::Ok);
        for unsure in [Some(false), None] {
            let found = finding(EARLIEST, unsure);
            assert_eq!(found.answer, Answer::Unknown);
            assert!(found.mend.expect("one").contains("set-ntp"));
        }
    }

    #[test]
    fn the_kernel_is_asked_without_a_change() {
        let now = SystemTime::now();
        let _ = synchronised();
        assert!(now.elapsed().is_ok_and(|took| took.as_secs() < 60));
    }
}
