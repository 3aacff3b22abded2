//! Evidence that was changed, that leads out of its folder, and whose signature is judged by a stranger.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::team::{Team, said, told, words};

/// Evidence of a release that passes, signed by `key` if there is one.
fn evidence(team: &Team, key: Option<&str>) {
    let mut arguments = vec![
        "--repeats",
        "1",
        "--out",
        "evidence",
        "scenarios/starts.yaml",
    ];
    arguments.extend(key.iter().flat_map(|key| ["--sign-with", key]));
    let output = team.qualify(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn each_difference_has_a_word_and_an_exit_code_of_its_own() {
    let team = Team::new();
    evidence(&team, None);
    let page = team.at("evidence/report.html");
    let whole = fs::read(&page).unwrap();

    // Of the same size.
    let mut other = whole.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    fs::write(&page, other).unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (10, Some("changed   report.html")),
        "{text}"
    );
    let against = team.qualify(&["--out", "next", "--against", "evidence"]);
    assert_eq!(against.status.code(), Some(2));
    assert!(
        told(&against).contains("report.html was changed"),
        "{against:?}"
    );

    fs::remove_file(&page).unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (11, Some("missing   report.html")),
        "{text}"
    );

    fs::write(&page, whole).unwrap();
    fs::write(team.at("evidence/traces/more"), "x").unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (12, Some("added     traces/more")),
        "{text}"
    );
    fs::remove_file(team.at("evidence/traces/more")).unwrap();
    assert_eq!(team.verify(&["evidence"]).0, 0);
}

#[test]
fn evidence_that_leads_out_of_its_folder_is_refused_with_the_reason() {
    let team = Team::new();
    evidence(&team, None);
    let path = team.at("evidence/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let first = "\"path\": \"qualification.json\"";
    assert!(text.contains(first), "{text}");
    let huge = text.replacen("\"bytes\": ", "\"bytes\": 9999999999999", 1);
    let twice = text.replacen(first, "\"path\": \"report.html\"", 1);
    for (changed, why) in [
        (
            text.replacen(first, "\"path\": \"../x\"", 1),
            "`../x`, which leads out",
        ),
        (
            text.replacen(first, "\"path\": \"/etc/passwd\"", 1),
            "leads out of the folder",
        ),
        (
            text.replacen(first, "\"path\": \"a\\\\b\"", 1),
            "leads out of the folder",
        ),
        (twice, "names report.html twice"),
        (huge, "is said to have"),
        (
            text.replacen("\"version\": 1", "\"version\": 9", 1),
            "is of version 9",
        ),
        ("[".repeat(100_000), "is none"),
    ] {
        fs::write(&path, changed).unwrap();
        let (code, told) = team.verify(&["evidence"]);
        let told = words(&told);
        assert_eq!(code, 2, "{why}: {told}");
        assert!(told.contains(why), "{why}: {told}");
    }
    fs::write(&path, &text).unwrap();

    let page = team.at("evidence/report.html");
    let outside = team.at("outside.html");
    fs::rename(&page, &outside).unwrap();
    symlink(&outside, &page).unwrap();
    let (code, told) = team.verify(&["evidence"]);
    assert!(
        code == 2 && told.contains("report.html is a link"),
        "{told}"
    );
    fs::remove_file(&page).unwrap();
    fs::rename(&outside, &page).unwrap();
    symlink("..", team.at("evidence/up")).unwrap();
    let (code, told) = team.verify(&["evidence"]);
    assert!(code == 2 && told.contains("up is a link"), "{told}");
    assert_eq!(team.verify(&["scenarios"]).0, 2);
}

fn ssh_keygen_verifies(team: &Team, namespace: &str) -> bool {
    let manifest = fs::File::open(team.at("evidence/manifest.json")).unwrap();
    let output = Command::new("ssh-keygen")
        .args([
            "-Y",
            "verify",
            "-n",
            namespace,
            "-f",
            "allowed",
            "-I",
            "lab@example",
        ])
        .args(["-s", "evidence/manifest.json.sig"])
        .current_dir(team.0.path())
        .stdin(manifest)
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn ssh_keygen_accepts_our_signature_and_we_accept_its() {
    let team = Team::new();
    let Some(key) = team.key("key") else { return };
    evidence(&team, Some(&key));
    let public = fs::read_to_string(team.at("key.pub")).unwrap();
    let allowed = format!("lab@example namespaces=\"proving-evidence\" {public}");
    fs::write(team.at("allowed"), allowed).unwrap();
    assert!(ssh_keygen_verifies(&team, "proving-evidence"));
    assert!(!ssh_keygen_verifies(&team, "git"));
    let signed = [
        &["evidence", "--signed-by", "key.pub"][..],
        &["evidence", "--allowed-signers", "allowed"],
    ];
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(
            code == 0 && text.contains("signed    by lab@example (SHA256:"),
            "{text}"
        );
    }
    let (code, text) = team.verify(&["evidence"]);
    assert!(
        code == 0 && text.contains("name the key that you trust"),
        "{text}"
    );

    // Signed by the tool itself, also with a key of another kind beside.
    fs::remove_file(team.at("evidence/manifest.json.sig")).unwrap();
    let (code, text) = team.verify(signed[0]);
    assert!(code == 13 && text.contains("unsigned"), "{text}");
    let sign = |namespace: &str, key: &str| {
        let _ = fs::remove_file(team.at("evidence/manifest.json.sig"));
        let output = Command::new("ssh-keygen")
            .args([
                "-Y",
                "sign",
                "-n",
                namespace,
                "-f",
                key,
                "evidence/manifest.json",
            ])
            .current_dir(team.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    sign("proving-evidence", &key);
    for arguments in signed {
        assert_eq!(team.verify(arguments).0, 0);
    }
    sign("git", &key);
    let (code, text) = team.verify(signed[0]);
    assert!(code == 15 && text.contains("made for `git`"), "{text}");

    let other = team.key("other").unwrap();
    sign("proving-evidence", &other);
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(
            code == 14 && text.contains("signed    by another: SHA256:"),
            "{text}"
        );
    }

    // What is compared with has to be signed by the right key, too, if one is named.
    let against = |out: &str, more: &[&str]| {
        let compared = [
            "--repeats",
            "1",
            "--out",
            out,
            "--against",
            "evidence",
            "scenarios/starts.yaml",
        ];
        let output = team.qualify(&[&compared[..], more].concat());
        (output.status.code(), words(&told(&output)))
    };
    let named = ["--against-signed-by", "key.pub"];
    let (code, text) = against("a", &named);
    assert!(code == Some(2) && text.contains("but by SHA256:"), "{text}");
    sign("git", &key);
    for more in [&named[..], &[]] {
        let (code, text) = against("a", more);
        assert!(
            code == Some(2) && text.contains("is not valid: it was made for `git`"),
            "{text}"
        );
    }
    sign("proving-evidence", &key);
    let (code, text) = against("a", &named);
    assert_eq!(code, Some(0), "{text}");
    let signer = team.json("a/qualification.json")["against"]["signed_by"].clone();
    assert!(
        signer
            .as_str()
            .is_some_and(|key| key.starts_with("SHA256:")),
        "{signer}"
    );
    let (code, text) = against("b", &["--against-signed-by", "other.pub"]);
    assert!(code == Some(2) && text.contains("but by SHA256:"), "{text}");

    // A manifest that was changed after it was signed.
    sign("proving-evidence", &key);
    let path = team.at("evidence/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replacen("\"tool\": \"proving", "\"tool\": \"Proving", 1),
    )
    .unwrap();
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(code == 15 && text.contains("signature not valid"), "{text}");
    }
    assert!(!ssh_keygen_verifies(&team, "proving-evidence"));
}

#[test]
fn a_key_that_others_may_read_or_that_has_a_passphrase_signs_nothing() {
    let team = Team::new();
    let Some(key) = team.key("key") else { return };
    fs::set_permissions(team.at(&key), fs::Permissions::from_mode(0o644)).unwrap();
    let output = team.qualify(&["--out", "a", "--sign-with", &key]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("others may read it"), "{output:?}");
    fs::set_permissions(team.at(&key), fs::Permissions::from_mode(0o600)).unwrap();
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "four words of it", "-f", &key])
        .current_dir(team.0.path())
        .output()
        .unwrap();
    assert!(locked.status.success(), "{locked:?}");
    let output = team.qualify(&["--out", "a", "--sign-with", &key]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("it has a passphrase"), "{output:?}");
    assert!(!team.at("proving-out").exists());
}

/// The path is the same on every machine that the evidence is taken to.
#[test]
fn evidence_can_be_moved_and_opened() {
    let team = Team::new();
    evidence(&team, None);
    fs::create_dir(team.at("archive")).unwrap();
    fs::rename(team.at("evidence"), team.at("archive/2026")).unwrap();
    assert_eq!(team.verify(&["archive/2026"]).0, 0);
    let output = team.proving(&["trace", "open", "archive/2026", "--out", "page.html"]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(team.at("page.html")).unwrap();
    assert!(Path::new(said(&output).trim()).ends_with("page.html") && page.contains("It starts"));
}
