//! The binary that is handed on, and the symbols of its backtraces in a file of their own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, command, exists, root, run, target};

/// Largest size of the binary, in bytes.
const LARGEST: u64 = 40_000_000;
/// The file of symbols. Rust's backtraces, gdb and perf look for it beside the binary, which names it
/// in its section `.gnu_debuglink`.
const SYMBOLS: &str = "proving.debug";
/// What else is handed on.
const PAPERS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Builds both into `target/dist`. The code is that of one build, so that every address of a backtrace
/// has its line in the symbols.
pub fn release() -> Result<(), String> {
    if !exists("objcopy") {
        return Err("objcopy is missing; apt-get install binutils".into());
    }
    run(cargo().args(["build", "--profile", "lines", "--package", "proving"]))?;
    let built = target().join("lines/proving");
    let dist = fresh(target().join("dist"))?;
    run(command("objcopy")
        .arg("--only-keep-debug")
        .args([&built, &dist.join(SYMBOLS)]))?;
    // Only the name of the file goes into the link.
    run(command("objcopy")
        .arg("--strip-all")
        .arg("--add-gnu-debuglink")
        .args([&dist.join(SYMBOLS), &built, &dist.join("proving")]))?;
    small_enough(&dist.join("proving"))?;
    eprintln!("    {} and {SYMBOLS}", dist.join("proving").display());
    archive(&dist)
}

/// Puts what is handed on into one file that is called by its target, with its SHA-256 beside it.
fn archive(dist: &Path) -> Result<(), String> {
    let name = format!("proving-{}", host()?);
    let folder = dist.join(&name);
    fresh(folder.clone())?;
    let here = [dist.join("proving"), dist.join(SYMBOLS)];
    let texts = PAPERS.iter().map(|paper| root().join(paper));
    for file in here.into_iter().chain(texts) {
        let to = folder.join(file.file_name().unwrap_or_default());
        fs::copy(&file, &to)
            .map_err(|error| format!("failed to copy {}: {error}", file.display()))?;
    }
    let completions = [
        ("bash", "proving.bash"),
        ("zsh", "_proving"),
        ("fish", "proving.fish"),
    ];
    let made = completions.map(|(shell, file)| (vec!["completions", shell], file));
    for (arguments, file) in made.into_iter().chain([(vec!["man"], "proving.1")]) {
        let said = command(dist.join("proving")).args(arguments).output();
        let said = said.map_err(|error| format!("failed to start what was built: {error}"))?;
        if !said.status.success() {
            let why = String::from_utf8_lossy(&said.stderr);
            return Err(format!("what was built does not write {file}: {why}"));
        }
        fs::write(folder.join(file), said.stdout)
            .map_err(|error| format!("failed to write {file}: {error}"))?;
    }
    let asset = asset(&host()?);
    run(command("tar")
        .current_dir(dist)
        .args(["-czf", &asset, &name]))?;
    let sum = command("sha256sum").current_dir(dist).arg(&asset).output();
    let sum = sum.map_err(|error| format!("failed to start sha256sum: {error}"))?;
    let path = dist.join(format!("{asset}.sha256"));
    fs::write(&path, sum.stdout)
        .map_err(|error| format!("failed to write {}: {error}", path.display()))?;
    eprintln!("    {}", path.display());
    Ok(())
}

/// What a release is called that is built for `target`.
fn asset(target: &str) -> String {
    format!("proving-{target}.tar.gz")
}

/// The target that is built for.
fn host() -> Result<String, String> {
    let said = command("rustc").arg("-vV").output();
    let said = said.map_err(|error| format!("failed to start rustc: {error}"))?;
    let text = String::from_utf8_lossy(&said.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
        .ok_or_else(|| "rustc does not say what it builds for".to_owned())
}

/// Fails if the binary at `path` is larger than one that is handed on may be.
pub fn small_enough(path: &Path) -> Result<(), String> {
    let size = fs::metadata(path)
        .map_err(|error| format!("failed to look at {}: {error}", path.display()))?
        .len();
    within(path, size)
}

fn within(path: &Path, size: u64) -> Result<(), String> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let told = format!(
        "release binary {}: {:.1} MB",
        path.display(),
        megabytes(size)
    );
    if size >= LARGEST {
        return Err(format!(
            "{told}; it has to be smaller than {} MB",
            megabytes(LARGEST)
        ));
    }
    eprintln!("==> {told}");
    Ok(())
}

fn fresh(folder: PathBuf) -> Result<PathBuf, String> {
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("failed to clear {}: {error}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder)
        .map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> String {
        fs::read_to_string(root().join(path)).expect(path)
    }

    /// The targets that the workflow builds.
    fn targets() -> Vec<String> {
        let workflow = text(".github/workflows/release.yml");
        let lines = workflow.lines();
        lines
            .filter_map(|line| Some(line.trim().strip_prefix("- target: ")?.to_owned()))
            .collect()
    }

    #[test]
    fn what_is_published_is_called_as_its_takers_call_it() {
        let targets = targets();
        assert_eq!(
            targets,
            ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
        );
        let workflow = text(".github/workflows/release.yml");
        // The workflow names the file for each leg of its matrix, and its checksum.
        let leg = asset("${{ matrix.target }}");
        for name in [leg.clone(), format!("{leg}.sha256")] {
            assert!(
                workflow.contains(&format!("target/dist/{name}\n")),
                "{name}"
            );
        }
        let manifest = text("harness/proving/Cargo.toml");
        let (_, binstall) =
            (manifest.split_once("[package.metadata.binstall]")).expect("it is there");
        let value = |key: &str| {
            let line = binstall.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|rest| rest.split('"').nth(1))
                .expect("a value")
                .to_owned()
        };
        let filled = |text: String, target: &str| {
            text.replace("{ name }", "proving")
                .replace("{ bin }", "proving")
                .replace("{ binary-ext }", "")
                .replace("{ target }", target)
                .replace("{ version }", "1.2.3")
                .replace("{ repo }", "https://github.com/proving-hil/proving")
        };
        for target in &targets {
            let url = filled(value("pkg-url"), target);
            let from = "https://github.com/proving-hil/proving/releases/download/v1.2.3";
            assert_eq!(url, format!("{from}/{}", asset(target)));
            assert_eq!(
                filled(value("bin-dir"), target),
                format!("proving-{target}/proving")
            );
        }
        assert_eq!(value("pkg-fmt"), "tgz");
        let init = text("harness/proving/src/cli/init/proving.yml");
        assert!(init.contains(&format!("/v{{version}}/{}", asset(&targets[0]))));
        // What the repository is called in all of them.
        assert!(
            text("Cargo.toml").contains("repository = \"https://github.com/proving-hil/proving\"")
        );
    }

    #[test]
    fn the_archive_holds_what_its_takers_look_for_and_its_sum_is_right() {
        use std::os::unix::fs::PermissionsExt;
        let dist = tempfile::tempdir().expect("there is room");
        let dist = dist.path();
        let program = dist.join("proving");
        fs::write(&program, "#!/bin/sh\necho said \"$@\"\n").expect("there is room");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::write(dist.join(SYMBOLS), "symbols").expect("there is room");
        archive(dist).expect("it is made");

        let host = host().expect("rustc says it");
        let sum = format!("{}.sha256", asset(&host));
        let judged = command("sha256sum")
            .current_dir(dist)
            .args(["--check", &sum])
            .status();
        assert!(judged.expect("it is installed").success());
        fs::remove_dir_all(dist.join(format!("proving-{host}"))).expect("it is there");
        run(command("tar")
            .current_dir(dist)
            .args(["-xzf", &asset(&host)]))
        .expect("it unpacks");
        let unpacked = dist.join(format!("proving-{host}"));
        let completions = fs::read_to_string(unpacked.join("_proving")).expect("it is there");
        assert_eq!(completions, "said completions zsh\n");
        let started = command(unpacked.join("proving"))
            .status()
            .expect("it can be started");
        assert!(started.success() && unpacked.join("LICENSE-MIT").is_file());
    }

    #[test]
    fn an_archive_without_its_completions_is_none() {
        use std::os::unix::fs::PermissionsExt;
        let dist = tempfile::tempdir().expect("there is room");
        let program = dist.path().join("proving");
        fs::write(&program, "#!/bin/sh\necho no shell >&2\nexit 2\n").expect("there is room");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::write(dist.path().join(SYMBOLS), "symbols").expect("there is room");
        let error = archive(dist.path()).expect_err("the program fails");
        assert!(error.contains("proving.bash: no shell"), "{error}");
    }

    #[test]
    fn only_a_tag_of_this_version_that_passes_all_checks_is_published_as_a_draft() {
        let workflow = text(".github/workflows/release.yml");
        let (_, publish) = workflow.split_once("  publish:\n").expect("it is there");
        for line in [
            "needs: [version, checks, binary, container]\n",
            "gh release create \"$TAG\" --draft ",
        ] {
            assert!(publish.contains(line), "{line}");
        }
        assert!(workflow.contains("    uses: ./.github/workflows/ci.yml\n"));
        assert!(text(".github/workflows/ci.yml").contains("\n  workflow_call:\n"));
        let step = workflow
            .lines()
            .find_map(|line| line.trim().strip_prefix("- run: test "))
            .expect("a step compares them");
        let judged = |tag: &str| {
            let status = command("bash")
                .current_dir(root())
                .args(["-c", &format!("test {step}")])
                .env("GITHUB_REF_NAME", tag)
                .status();
            status.expect("bash is here").success()
        };
        assert!(judged(concat!("v", env!("CARGO_PKG_VERSION"))));
        assert!(!judged("v9.9.9") && !judged("main"));
    }

    #[test]
    fn the_image_of_the_emulated_board_lies_in_the_container_where_the_program_looks() {
        let container = text("Dockerfile");
        let place = "firmware/thumbv7em-none-eabi/release/mps2";
        let program = text("harness/proving/src/cli/chosen_boards.rs");
        assert!(program.contains(&format!("const MPS2_IMAGE: &str = \"{place}\"")));
        for line in [
            format!("COPY --from=build /src/target/{place} /opt/proving/{place}"),
            "ENV CARGO_TARGET_DIR=/opt/proving".to_owned(),
        ] {
            assert!(container.contains(&line), "{line}");
        }
        assert!(container.contains(" qemu-system-arm "), "{container}");
        let version = text("Cargo.toml");
        let version = version
            .split("rust-version = \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let image = format!("FROM rust:{}-bookworm", version.expect("a version"));
        assert!(container.contains(&image), "{image}");
    }

    #[test]
    fn a_binary_that_is_too_large_is_named() {
        let path = Path::new("target/release/proving");
        assert_eq!(within(path, LARGEST - 1), Ok(()));
        let error = within(path, 44_123_456).expect_err("too large");
        assert_eq!(
            error,
            "release binary target/release/proving: 44.1 MB; it has to be smaller than 40 MB"
        );
        let missing = small_enough(Path::new("no/such/binary")).expect_err("not there");
        assert!(missing.contains("no/such/binary"), "{missing}");
    }
}
