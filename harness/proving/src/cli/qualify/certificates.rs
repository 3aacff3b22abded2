//! Certificates of a qualification: public ones, never keys.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ::trace::tls::Handshake;
use board::rig::Rig;
use report::RunSummary;

/// What certificates were shown, as the first attempt at each case has it: those of the lab are new in each run,
/// and are told by what they are.
pub(super) fn seen(summary: &RunSummary) -> Vec<String> {
    let mut seen = BTreeSet::new();
    for attempt in summary
        .cases
        .iter()
        .filter_map(|case| case.attempts.first())
    {
        // A trace that was never written shows none.
        let events = ::trace::read(&attempt.trace()).unwrap_or_default();
        for shake in events
            .iter()
            .filter_map(|event| event.payload::<Handshake>())
        {
            seen.insert(format!("broker: {}", shake.shown));
            if let Some(client) = shake.client_certificate {
                seen.insert(format!(
                    "device: {}, issued by {}, {} in the chain",
                    client.subject, client.issuer, client.chain_length
                ));
            }
        }
    }
    seen.into_iter().collect()
}

/// The authority of the rig file, in PEM; none if each case makes one of its own.
pub(super) fn authority(rig: &Path) -> Option<String> {
    let authority = Rig::read(rig).ok()?.authority?;
    let text = fs::read_to_string(authority.place.certificate()).ok()?;
    let public = certificates_in(&text);
    (!public.is_empty()).then_some(public)
}

/// The certificates in a PEM file, and nothing else that stands there.
fn certificates_in(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split(BEGIN).skip(1);
    blocks
        .filter_map(|block| Some(format!("{BEGIN}{}{END}\n", block.split_once(END)?.0)))
        .filter(|block| !block.contains("PRIVATE"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_beside_a_certificate_is_left_out() {
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n";
        let text = format!("{key}a note\n{certificate}{key}{certificate}");
        assert_eq!(certificates_in(&text), certificate.repeat(2));
        assert_eq!(certificates_in(key), "");
        // One that does not end would take the key behind it along.
        let cut = format!("-----BEGIN CERTIFICATE-----\nMIIB\n{key}{certificate}");
        assert_eq!(certificates_in(&cut), certificate);
    }
}
