//! The reference device as if it were firmware of others: nothing is known of it but what its section of
//! the rig file says and its log tells.

use std::fs;

use super::rig::{ImitatedRig, Uart};
use super::{passes, skipped};

/// What only its log tells is its name, and its secret comes with the code that it prints.
const OWN: &str = r#"
[firmware.own]
provisioning = { transport = "ble", security = "v1", qr = "log", custom_endpoints = ["custom-data"] }
components = ["esp-idf"]
files = { entries = [{ name = "factory.bin", value = "${factory.bin}" }], command = ["cp", "{folder}/factory.bin", "{file}"] }
endpoint = { name = "custom-data", value = '{"broker":"${broker.host}"}', reply = "SUCCESS" }
[phone]
bluetooth = "hci0"
"#;
const SCENARIO: &str = r#"
name: Provisioned, whatever firmware it is
world:
  access_points: { home: {} }
  devices: { device: { provisioning: { over: ble, custom_endpoints: [custom-data] } } }
  phones: [alice, mallory]
steps:
  - power: on
  - provision: { phone: mallory, pop: not-the-one, outcome: session-refused }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { log: { tag: wifi_prov_mgr, text: Provisioning stopped }, within: 40s }
"#;

/// The rig with its board on the firmware `own`.
fn rig(firmware: &str) -> ImitatedRig {
    let rig = ImitatedRig::start(Uart::Console, firmware);
    let file = rig.folder().join("rig.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace(
        "kind = \"serial\"\n",
        "kind = \"serial\"\nfirmware = \"own\"\n",
    );
    fs::write(file, text).unwrap();
    rig
}

#[test]
fn a_firmware_is_provisioned_by_what_its_log_tells_and_told_of_the_world_in_the_session() {
    let trace = passes(&rig(OWN), SCENARIO);
    let position = |what: &str| {
        trace
            .find(what)
            .unwrap_or_else(|| panic!("{what}: {trace}"))
    };
    assert!(position("\"endpoint\":\"custom-data\"") < position("\"endpoint\":\"prov-config\""));
    assert!(trace.contains("lab.example"), "{trace}");
}

#[test]
fn a_firmware_that_does_not_answer_as_its_section_says_fails() {
    let rig = rig(&OWN.replace("\"SUCCESS\"", "\"never\""));
    let output = super::command(&rig, SCENARIO).output().unwrap();
    let result = super::result(&output);
    assert_eq!(result["verdict"], "failed", "{result:#}");
    let text = result.to_string();
    assert!(text.contains("`never` was expected"), "{text}");
}

#[test]
fn what_a_firmware_does_not_print_is_not_asked_of_it() {
    let scenario = SCENARIO.replace("tag: wifi_prov_mgr", "tag: app");
    assert_eq!(skipped(&rig(OWN), &scenario), "needs log component app");
}
