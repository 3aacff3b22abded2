//! Salt and verifier: a firmware takes them, and Espressif's own arithmetic finds the same.

use device::security::Security;
use phone::security::{Handshake, Step};
use rand_core::OsRng;

use super::*;
use crate::peer::python;
use crate::up::fixture;

const USERNAME: &str = "wifiprov";
const PASSWORD: &str = "abcd1234";

fn generate(more: &[&str]) -> Said {
    let mut command = bare();
    command.args([
        "gen-sec2",
        "--username",
        USERNAME,
        "--password",
        "env:PASSWORD",
    ]);
    let said = run(command.args(more).env("PASSWORD", PASSWORD)).well();
    assert!(!said.text().contains(PASSWORD) && !said.stderr.contains(PASSWORD));
    said
}

/// Salt and verifier, as hex digits.
fn made(more: &[&str]) -> [String; 2] {
    let said = generate(&[more, &["--message-format", "json"]].concat());
    let made: Value = serde_json::from_str(said.text()).unwrap();
    ["salt", "verifier"].map(|field| made[field].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_device_that_is_born_with_them_knows_the_password_and_no_other() {
    let bytes = made(&[]).map(|digits| hex::decode(digits).unwrap());
    let [salt, verifier] = bytes;
    assert_eq!((salt.len(), verifier.len()), (16, 384));
    let knows = async |password: &str| {
        let mut device = Security::new(&factory::Security::V2 {
            username: USERNAME.into(),
            salt: salt.clone(),
            verifier: verifier.clone(),
        });
        let mut phone = Handshake::v2(USERNAME, password, Some(1));
        let answer = device.handshake(&phone.start(), &mut OsRng).await.unwrap();
        let Ok(Step::Send(proof)) = phone.next(&answer) else {
            panic!("a proof comes next");
        };
        let answer = device.handshake(&proof, &mut OsRng).await;
        answer.is_ok_and(|answer| matches!(phone.next(&answer), Ok(Step::Done(_))))
    };
    assert!(knows(PASSWORD).await);
    assert!(!knows("abcd12345").await);
}

#[test]
fn espressifs_arithmetic_finds_the_same_verifier() {
    let Some(python) = python("rmaker_tools.common.security", "esp-rainmaker-cli") else {
        return;
    };
    for length in ["1", "16", "64"] {
        let [salt, verifier] = made(&["--salt-length", length]);
        let mut command = Command::new(&python);
        command.arg(fixture("sec2_verifier.py"));
        let said = run(command.args([USERNAME, PASSWORD, &salt])).well();
        assert_eq!(said.text().trim(), verifier, "salt {salt}");
    }
}

#[test]
fn a_c_compiler_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("sec2.h"), generate(&["--c"]).text()).unwrap();
    let program = r#"
        #include <stdio.h>
        #include "sec2.h"
        int main(void) {
            printf("%zu %zu %02x", sizeof sec2_salt, sizeof sec2_verifier,
                   (unsigned char)sec2_verifier[383]);
        }"#;
    std::fs::write(path("main.c"), program).unwrap();
    // The build has needed it already.
    let mut compiler = Command::new("cc");
    compiler.args(["-Wall", "-Werror", "-Wno-overflow", "-o"]);
    run(compiler.arg(path("main")).arg(path("main.c"))).well();
    let said = run(&mut Command::new(path("main"))).well();
    assert!(said.text().starts_with("16 384 "), "{said:?}");
}
