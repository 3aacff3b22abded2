//! The authority that signs certificates.

use board::rig::{AuthorityPlace, Rig};

use super::Finding;

const CHECK: &str = "authority";

pub(super) fn check(rig: &Rig) -> Option<Finding> {
    let place = &rig.authority.as_ref()?.place;
    let certificate = place.certificate();
    let shown = certificate.display();
    if matches!(place, AuthorityPlace::Kept(_)) && !certificate.exists() {
        let said = format!("there is no {shown} yet: the first run makes it");
        return Some(Finding::ok(CHECK, said));
    }
    Some(match crate::authority::check(place) {
        Ok(()) => Finding::ok(
            CHECK,
            match place.key() {
                Some(_) => format!("{shown} and its key can sign"),
                None => format!("{shown} can be trusted; without its key, nothing is signed"),
            },
        ),
        Err(mistake) => Finding::not_ok(CHECK, mistake.message, mistake.help),
    })
}
