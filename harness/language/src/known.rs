//! What scenarios may name that does not stand in them.

use device::bugs::Bug;
use pki::{PkiError, Profiles};

use crate::Known;

/// Everything that this build knows: bugs of the device, and certificate profiles by whom they are
/// for, which their names begin with.
pub fn known() -> Result<Known, PkiError> {
    let profiles = Profiles::built_in()?;
    let called = |prefix: &str| {
        let names = profiles.names().filter(|name| name.starts_with(prefix));
        names.map(str::to_owned).collect()
    };
    let authorities = profiles.iter().filter(|(_, profile)| profile.authority);
    Ok(Known {
        authorities: authorities.map(|(name, _)| name.to_owned()).collect(),
        bugs: bugs(),
        contracts: contracts(),
        server_certificates: called("server"),
        client_certificates: called("client"),
    })
}

fn contracts() -> Vec<String> {
    let all = contracts::ALL.iter().copied().flatten();
    all.map(|contract| contract.id.to_owned()).collect()
}

/// The names of all bugs, in the order in which the device has them.
pub fn bugs() -> Vec<String> {
    Bug::ALL.iter().map(|bug| bug.name().to_owned()).collect()
}
