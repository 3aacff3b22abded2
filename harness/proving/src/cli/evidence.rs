//! `proving evidence verify`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use evidence::{Fault, SignedBy, Signers, Verified, verify};

use super::{CommandError, print};

/// Differences that are told one by one.
const SHOWN: usize = 20;

/// What becomes of evidence.
#[derive(Debug, Args)]
pub(super) struct EvidenceArguments {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// Say whether evidence is what was written, and who signed it
    #[command(after_help = EXIT_CODES)]
    Verify(Verify),
}

const EXIT_CODES: &str = "\
Exit code, the first of these that holds: 2 mistake in the command line, or the evidence is
refused; 10 a file was changed, 11 a file is missing, 12 a file was added, 15 what stands there
is no signature of this evidence, 13 unsigned though a signer was named, 14 signed by another;
0 nothing differs, and the signer is the one that was named, if one was.
`ssh-keygen -Y verify -n proving-evidence` judges the signature, too: docs/qualify.md.";

#[derive(Debug, Args)]
struct Verify {
    /// The evidence, a folder that `proving qualify` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Public key that it has to be signed by, a file of OpenSSH's
    #[arg(long, value_name = "KEY.pub", conflicts_with = "allowed_signers")]
    signed_by: Option<PathBuf>,
    /// Signers that it has to be signed by one of, in the form of ssh-keygen(1)
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
}

/// What is told of evidence, by its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Outcome {
    Whole = 0,
    Changed = 10,
    Missing = 11,
    Added = 12,
    Unsigned = 13,
    SignedByAnother = 14,
    InvalidSignature = 15,
}

pub(super) fn evidence(arguments: &EvidenceArguments) -> Result<ExitCode, CommandError> {
    let EvidenceCommand::Verify(arguments) = &arguments.command;
    Ok(ExitCode::from(judged(arguments)? as u8))
}

fn judged(arguments: &Verify) -> Result<Outcome, CommandError> {
    let signers = match (&arguments.signed_by, &arguments.allowed_signers) {
        (Some(key), _) => Some(Signers::one(key)?),
        (None, Some(file)) => Some(Signers::allowed(file)?),
        (None, None) => None,
    };
    let verified = verify(&arguments.folder, &signers.clone().unwrap_or_default())?;
    print(&told(&verified, signers.as_ref()))?;
    Ok(outcome(&verified, signers.is_some()))
}

fn outcome(verified: &Verified, is_signer_named: bool) -> Outcome {
    let any = |of: fn(&Fault) -> bool| verified.faults.iter().any(of);
    if any(|fault| matches!(fault, Fault::Changed(_))) {
        return Outcome::Changed;
    }
    if any(|fault| matches!(fault, Fault::Missing(_))) {
        return Outcome::Missing;
    }
    if any(|fault| matches!(fault, Fault::Added(_))) {
        return Outcome::Added;
    }
    match &verified.signed {
        SignedBy::Invalid(_) => Outcome::InvalidSignature,
        SignedBy::Nobody if is_signer_named => Outcome::Unsigned,
        SignedBy::Another { .. } if is_signer_named => Outcome::SignedByAnother,
        _ => Outcome::Whole,
    }
}

fn told(verified: &Verified, signers: Option<&Signers>) -> String {
    let mut text = String::new();
    for fault in verified.faults.iter().take(SHOWN) {
        let (what, path) = match fault {
            Fault::Changed(path) => ("changed", path),
            Fault::Missing(path) => ("missing", path),
            Fault::Added(path) => ("added", path),
        };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{what:<10}{}", path.escape_debug());
    }
    if let Some(more @ 1..) = verified.faults.len().checked_sub(SHOWN) {
        let _ = writeln!(text, "          and {more} more");
    }
    if verified.is_whole() {
        let _ = writeln!(
            text,
            "whole     {} files, written by {}",
            verified.manifest.files.len(),
            verified.manifest.tool.escape_debug(),
        );
    }
    let _ = match (&verified.signed, signers) {
        (SignedBy::Nobody, _) => writeln!(
            text,
            "unsigned  whoever changes a file can change the manifest as well"
        ),
        (SignedBy::Known { name, fingerprint }, _) => {
            writeln!(text, "signed    by {} ({fingerprint})", name.escape_debug())
        }
        (SignedBy::Another { fingerprint }, None) => writeln!(
            text,
            "signed    by {fingerprint}; name the key that you trust: --signed-by KEY.pub"
        ),
        (SignedBy::Another { fingerprint }, Some(signers)) => writeln!(
            text,
            "signed    by another: {fingerprint}, not {}",
            signers.fingerprints().join(" or ")
        ),
        (SignedBy::Invalid(why), _) => writeln!(text, "signature not valid: {why}"),
    };
    text
}
