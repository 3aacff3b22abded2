//! Folders of scenarios.

use super::*;

#[test]
fn profiles_in_a_folder_of_certificates_are_no_scenarios_and_what_has_steps_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let certs = folder.path().join("certs");
    std::fs::create_dir(&certs).expect("a folder");
    std::fs::write(certs.join("own.yaml"), "server-own: {}\n").expect("a write");
    let text = scenario("  - power: on\n");
    std::fs::write(certs.join("expired.yaml"), text).expect("a write");
    let cases = read_all(&[folder.path().to_owned()], &known()).expect("sound");
    assert_eq!(cases.len(), 1);
}

#[test]
fn two_scenarios_of_one_name_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, step) in [
        ("b.yaml", "power: on"),
        ("a.yaml", "power: on"),
        ("c.yaml", "power: up"),
    ] {
        let text = scenario(&format!("  - {step}\n"));
        std::fs::write(folder.path().join(name), text).expect("a write");
    }
    let errors = read_all(&[folder.path().to_owned()], &known()).expect_err("mistakes");
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].contains("b.yaml: a scenario named `A try` is in"),
        "{messages:?}"
    );
    assert!(messages[1].contains("c.yaml: 1 mistake"), "{messages:?}");
}
