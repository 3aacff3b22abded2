//! What can be said of a qualification.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use engine::run::Settings;

use super::super::arguments::{Selection, bug, speed, time};
use super::super::prepared::OnBoards;

/// Most attempts for each case.
pub(super) const MOST_REPEATS: u32 = 100_000;

/// What is qualified, and against what.
#[derive(Debug, Args)]
pub(crate) struct Qualify {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) boards: OnBoards,
    /// Number of attempts for each case, each with other chances. Of a case that passes 20 times, the failure rate
    /// is below 14 %, with a confidence of 95 %; 59 times: below 5 %, 299 times: below 1 %
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_REPEATS)))]
    pub(super) repeats: u32,
    /// Failure rate that each case has to be shown to stay below, such as 5%
    #[arg(long, value_name = "RATE", value_parser = share)]
    pub(super) below: Option<f64>,
    /// Qualify also if cases cannot be run on these boards; without it, only a difference that says so excuses one
    #[arg(long)]
    pub(super) allow_skips: bool,
    /// Evidence of an earlier release, to be compared with
    #[arg(long, value_name = "DIR")]
    pub(super) against: Option<PathBuf>,
    /// Public key that the earlier evidence has to be signed by, a file of OpenSSH's
    #[arg(long, value_name = "KEY.pub", requires = "against")]
    pub(super) against_signed_by: Option<PathBuf>,
    /// Where to write the evidence; nothing may be there yet
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// What is qualified, such as 'lamp 2.3.1'; stands in the evidence
    #[arg(long, value_name = "TEXT")]
    pub(super) release: Option<String>,
    /// Private key that signs the evidence: a file of OpenSSH's, Ed25519, without a passphrase
    #[arg(long, value_name = "KEY")]
    pub(super) sign_with: Option<PathBuf>,
    /// How many cases at the same time [default: two for each core]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Seed of the first attempts, to repeat a qualification [default: a new one for each]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Lab seconds per host second while no task is busy, as of `proving run`
    #[arg(long, value_name = "FACTOR", default_value_t = Settings::SPEED, value_parser = speed)]
    pub(super) speed: f64,
    /// Wall time after which an attempt counts as broken
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = time)]
    pub(super) timeout: Duration,
    /// Put this bug into the devices, to see a qualification fail
    #[arg(long, value_name = "NAME", value_parser = bug)]
    pub(super) bug: Option<String>,
    /// Folder in which the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "proving-out")]
    pub(super) runs: PathBuf,
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.001..=99.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a share such as 5% or 0.1%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_in_percent() {
        assert_eq!((share("5%"), share("0.5")), (Ok(0.05), Ok(0.005)));
        for text in ["0", "100%", "-1", "NaN", "inf", "five"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
