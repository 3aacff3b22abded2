//! Building the machine's kernel and disk from Debian's packages.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::recipe;
use crate::command::{command, run, shown};
use crate::requirements::is_root;

/// What the image in a folder was built from.
const STAMP: &str = "recipe";

/// What QEMU starts.
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// Why it cannot be had on this host, if that is so: it is not in `folder`, and cannot be built.
    pub fn cannot_be_had(folder: &Path) -> Option<String> {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if !is_debian(&release) || std::env::consts::ARCH != "x86_64" {
            let why = "it is made of the host's own packages, and this host is no Debian on x86-64";
            return Some(why.into());
        }
        let is_built = debian_sources().is_ok_and(|sources| is_of(folder, &recipe::text(&sources)));
        (!is_built && !is_root())
            .then(|| "its disk is made of files that belong to root: start this as root".into())
    }

    /// The image in `folder`, built anew if it was built from something else than the recipe.
    pub fn of(folder: &Path) -> Result<Self, String> {
        let image = Self {
            folder: folder.to_owned(),
        };
        if let Some(why) = Self::cannot_be_had(folder) {
            return Err(format!("there is no machine: {why}"));
        }
        let sources = debian_sources()?;
        let recipe = recipe::text(&sources);
        if is_of(folder, &recipe) {
            return Ok(image);
        }
        remove(folder)?;
        let root = folder.join("root");
        fs::create_dir_all(folder).map_err(said("make", folder))?;
        unpack(&sources, &root)?;
        image.finish(&root)?;
        remove(&root)?;
        let stamp = folder.join(STAMP);
        fs::write(&stamp, recipe).map_err(said("write", &stamp))?;
        Ok(image)
    }

    pub fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    pub fn first_stage(&self) -> PathBuf {
        self.folder.join("first-stage.cpio")
    }

    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.ext4")
    }

    /// Makes kernel, first stage and disk out of unpacked packages.
    fn finish(&self, root: &Path) -> Result<(), String> {
        let version = kernel_version(root)?;
        let kernel = root.join("boot").join(format!("vmlinuz-{version}"));
        fs::copy(&kernel, self.kernel()).map_err(said("copy", &kernel))?;
        remove(&root.join("boot"))?;
        let modules = Modules::of(root, &version)?;
        modules.first_stage(root, &self.folder.join("first"), &self.first_stage())?;
        modules.thin_out(root)?;
        configure(root)?;
        let disk = self.disk();
        let file = File::create(&disk).map_err(said("make", &disk))?;
        // Sparse: only what is used takes room.
        file.set_len(512 << 20).map_err(said("make", &disk))?;
        run(command("mke2fs")
            .args(["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d"])
            .arg(root)
            .arg(&disk))
    }
}

/// Whether the image in `folder` was built from this recipe.
fn is_of(folder: &Path, recipe: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|built| built == recipe)
}

fn is_debian(os_release: &str) -> bool {
    os_release.lines().any(|line| line == "ID=debian")
}

/// Debian's archives that this host's apt knows, as lines of a sources.list.
fn debian_sources() -> Result<String, String> {
    let release = fs::read_to_string("/etc/os-release")
        .map_err(|error| format!("failed to read which Debian this is: {error}"))?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or("/etc/os-release does not say which Debian this is")?;
    let mut ask = command("apt-get");
    ask.args([
        "indextargets",
        "--format",
        "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]);
    let answer = ask
        .output()
        .map_err(|error| format!("failed to start {}: {error}", shown(&ask)))?;
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    let mut lines: Vec<&str> = answer
        .lines()
        .filter(|line| {
            let release = line.split(' ').nth(2).unwrap_or_default();
            let rest = release.strip_prefix(codename);
            rest.is_some_and(|rest| matches!(rest, "" | "-updates" | "-security"))
        })
        .collect();
    lines.dedup();
    if lines.is_empty() {
        return Err(format!("apt has no archive of Debian {codename}"));
    }
    lines.push("");
    Ok(lines.join("\n"))
}

/// Unpacks the packages into `root`.
fn unpack(sources: &str, root: &Path) -> Result<(), String> {
    let codename = sources.split(' ').nth(2).unwrap_or_default();
    let mut unpack = command("mmdebstrap");
    unpack
        .args(["--mode=root", "--variant=extract", "--skip=check/empty"])
        .args(["--quiet", "--aptopt=APT::Install-Recommends \"false\""])
        .arg(format!("--include={}", recipe::PACKAGES.join(",")));
    for path in recipe::LEFT_OUT {
        unpack.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    unpack
        .arg(codename)
        .arg(root)
        .arg("-")
        .stdin(Stdio::piped());
    let what = shown(&unpack);
    eprintln!("==> {what}");
    let mut unpacking = unpack
        .spawn()
        .map_err(|error| format!("failed to start {what}: {error}"))?;
    if let Some(mut input) = unpacking.stdin.take() {
        input
            .write_all(sources.as_bytes())
            .map_err(|error| format!("failed to tell mmdebstrap its sources: {error}"))?;
    }
    match unpacking.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what}: {status}")),
        Err(error) => Err(format!("failed to wait for {what}: {error}")),
    }
}

fn kernel_version(root: &Path) -> Result<String, String> {
    let folder = root.join("lib/modules");
    let mut versions = fs::read_dir(&folder).map_err(said("read", &folder))?;
    match versions.next() {
        Some(Ok(version)) => Ok(version.file_name().to_string_lossy().into_owned()),
        _ => Err("linux-image-amd64 brought no kernel".into()),
    }
}

/// Writes what the packages' own scripts would have made.
fn configure(root: &Path) -> Result<(), String> {
    let write = |name: &str, text: &str, mode: u32| {
        let path = root.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .map_err(said("write", &path))
    };
    for folder in [
        "disk",
        "host",
        "proc",
        "root",
        "run",
        "sys",
        "var/lib/NetworkManager",
        "var/lib/bluetooth",
        "var/lib/misc",
    ] {
        let path = root.join(folder);
        fs::create_dir_all(&path).map_err(said("make", &path))?;
    }
    let shell = root.join("bin/sh");
    if !shell.is_symlink() {
        symlink("dash", &shell).map_err(said("make", &shell))?;
    }
    link_applets(root)?;
    let run_link = root.join("var/run");
    if !run_link.is_symlink() {
        symlink("/run", &run_link).map_err(said("make", &run_link))?;
    }
    write("etc/passwd", recipe::PASSWD, 0o644)?;
    write("etc/group", recipe::GROUP, 0o644)?;
    write("init", recipe::INIT, 0o755)
}

/// Has busybox stand in for every program that no package has brought.
fn link_applets(root: &Path) -> Result<(), String> {
    let mut list = command("chroot");
    list.arg(root).args(["/bin/busybox", "--list"]);
    let listed = list
        .output()
        .map_err(|error| format!("failed to start {}: {error}", shown(&list)))?;
    let folders = ["bin", "sbin", "usr/bin", "usr/sbin"];
    for applet in String::from_utf8_lossy(&listed.stdout).lines() {
        let is_there = |folder: &&str| root.join(folder).join(applet).symlink_metadata().is_ok();
        if !folders.iter().any(is_there) {
            let link = root.join("bin").join(applet);
            symlink("busybox", &link).map_err(said("make", &link))?;
        }
    }
    Ok(())
}

/// The kernel's modules, and what each needs.
struct Modules {
    folder: PathBuf,
    version: String,
    /// Path of each module from `folder`, and the paths of those that it needs, nearest first.
    needs: Vec<(String, Vec<String>)>,
}

impl Modules {
    fn of(root: &Path, version: &str) -> Result<Self, String> {
        run(command("chroot").arg(root).args(["/sbin/depmod", version]))?;
        let folder = root.join("lib/modules").join(version);
        let list = folder.join("modules.dep");
        let text = fs::read_to_string(&list).map_err(said("read", &list))?;
        let needs = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(module, needs)| {
                let needs = needs.split_whitespace().map(str::to_owned).collect();
                (module.to_owned(), needs)
            })
            .collect();
        Ok(Self {
            folder,
            version: version.to_owned(),
            needs,
        })
    }

    /// `names` and all that they need, each after what it needs itself.
    fn with_needs<'n>(&'n self, names: &[&str]) -> Vec<&'n str> {
        let mut all: Vec<&str> = Vec::new();
        for name in names {
            let file = format!("/{name}.ko");
            // One that is not there is built into the kernel.
            let Some((module, needs)) = self.needs.iter().find(|(path, _)| path.ends_with(&file))
            else {
                continue;
            };
            let needs = needs.iter().rev().map(String::as_str);
            for path in needs.chain([module.as_str()]) {
                if !all.contains(&path) {
                    all.push(path);
                }
            }
        }
        all
    }

    /// Removes every module that is not needed.
    fn thin_out(&self, root: &Path) -> Result<(), String> {
        let kept = self.folder.with_extension("kept");
        let names: Vec<&str> = [recipe::MODULES.as_slice(), &recipe::FIRST_MODULES].concat();
        for module in self.with_needs(&names) {
            let to = kept.join(module);
            let folder = to.parent().unwrap_or(&kept);
            fs::create_dir_all(folder).map_err(said("make", folder))?;
            fs::rename(self.folder.join(module), &to).map_err(said("keep", &to))?;
        }
        for list in [
            "modules.builtin",
            "modules.builtin.modinfo",
            "modules.order",
        ] {
            let to = kept.join(list);
            fs::rename(self.folder.join(list), &to).map_err(said("keep", &to))?;
        }
        remove(&self.folder)?;
        fs::rename(&kept, &self.folder).map_err(said("keep", &kept))?;
        run(command("chroot")
            .arg(root)
            .args(["/sbin/depmod", &self.version]))
    }

    /// Writes the archive that the kernel starts from: a shell and what reaches the disk.
    fn first_stage(&self, root: &Path, folder: &Path, archive: &Path) -> Result<(), String> {
        for name in ["bin", "dev", "disk", "modules"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(said("make", &path))?;
        }
        let copy =
            |from: PathBuf, to: &str| fs::copy(&from, folder.join(to)).map_err(said("copy", &from));
        copy(root.join("bin/busybox"), "bin/busybox")?;
        let mut order = String::new();
        for module in self.with_needs(&recipe::FIRST_MODULES) {
            let name = module.rsplit('/').next().unwrap_or(module);
            copy(self.folder.join(module), &format!("modules/{name}"))?;
            order.push_str(name);
            order.push('\n');
        }
        let init = folder.join("init");
        fs::write(folder.join("order"), order)
            .and_then(|()| fs::write(&init, recipe::FIRST_STAGE))
            .and_then(|()| fs::set_permissions(&init, fs::Permissions::from_mode(0o755)))
            .map_err(said("write", &init))?;
        let file = File::create(archive).map_err(said("make", archive))?;
        let mut pack = command("./bin/busybox");
        pack.current_dir(folder)
            .args([
                "sh",
                "-c",
                "./bin/busybox find . | ./bin/busybox cpio -o -H newc",
            ])
            .stdout(file);
        run(&mut pack)?;
        remove(folder)
    }
}

pub fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(said("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Words an error of the file system.
pub fn said<'w>(what: &'w str, path: &'w Path) -> impl Fn(std::io::Error) -> String + 'w {
    move |error| format!("failed to {what} {}: {error}", path.display())
}
