//! Secrets to which the rig file refers. None is shown.

use board::rig::{Rig, RigBoard, SecretReference};
use trace::in_full;

use super::Finding;

const CHECK: &str = "secret";

pub(super) fn check(rig: &Rig, board: &RigBoard) -> Vec<Finding> {
    let label = &board.label;
    let own = [
        ("label.service_key", &label.service_key),
        ("label.pop", &label.pop),
        ("label.password", &label.password),
    ];
    let own = own.map(|(name, reference)| (name.to_owned(), reference));
    let points = rig.access_points.iter().map(|(role, point)| {
        let name = format!("access_points.{role}.passphrase");
        (name, &point.passphrase)
    });
    let all = points.chain(own);
    all.filter_map(|(name, reference)| Some(finding(&name, reference.as_ref()?)))
        .collect()
}

fn finding(name: &str, reference: &SecretReference) -> Finding {
    match reference.resolve() {
        Ok(_) => Finding::ok(CHECK, format!("{name} is there ({reference})")),
        Err(error) => Finding::not_ok(
            CHECK,
            format!("{name}: {}", in_full(&error)),
            match reference {
                SecretReference::Environment(name) => {
                    format!("`read -rs {name} && export {name}`; in CI, a secret of the repository")
                }
                SecretReference::File(path) => {
                    format!("write it to {} and `chmod 600` that", path.display())
                }
            },
        ),
    }
}
