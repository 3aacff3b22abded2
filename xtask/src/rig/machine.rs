//! The virtual machine: QEMU, which ends together with us.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use super::cases::PASSED;
use super::image::Image;
use crate::command::command;

/// A machine that runs; ended when dropped.
pub struct Machine {
    qemu: Child,
}

impl Machine {
    /// Boots `image`; `folder/host` is what the machine shares with this host.
    pub fn boot(image: &Image, folder: &Path) -> Result<Self, String> {
        let mut qemu = command("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(["-M", "q35", "-smp", "1", "-m", "512", "-display", "none"])
            .args(["-nodefaults", "-no-reboot"]);
        if has_kvm() {
            qemu.args(["-accel", "kvm", "-cpu", "host"]);
        } else {
            qemu.args(["-accel", "tcg,tb-size=256", "-cpu", "max"]);
        }
        qemu.arg("-kernel")
            .arg(image.kernel())
            .arg("-initrd")
            .arg(image.first_stage())
            .arg("-append")
            .arg("console=ttyS0 quiet loglevel=4 mitigations=off nokaslr tsc=unstable net.ifnames=0 panic=-1")
            .arg("-drive")
            .arg(format!("file={},format=raw,if=none,id=disk,snapshot=on", image.disk().display()))
            .args(["-device", "virtio-blk-pci,drive=disk"])
            .arg("-virtfs")
            .arg(format!("local,path={},mount_tag=host,security_model=none", folder.join("host").display()))
            .arg("-serial")
            .arg(format!("file:{}", folder.join("console.log").display()))
            .args(["-device", "virtio-serial-pci"])
            .args(["-chardev", "stdio,id=report,signal=off"])
            .args(["-device", "virtserialport,chardev=report,name=report"])
            .args(["-chardev", "socket,id=hci,path=hci.sock"])
            .args(["-device", "virtserialport,chardev=hci,name=hci"])
            .args(["-chardev", "socket,id=uart,path=uart.sock"])
            .args(["-serial", "chardev:uart"]);
        for (name, mac) in [
            ("lan", "52:54:00:00:00:01"),
            ("softap", "52:54:00:00:00:02"),
        ] {
            qemu.arg("-netdev").arg(format!(
                "stream,id={name},server=off,addr.type=unix,addr.path={name}.sock"
            ));
            // Nothing is to start from it.
            qemu.arg("-device")
                .arg(format!("virtio-net-pci,netdev={name},mac={mac},romfile="));
        }
        // Paths of sockets have to be short.
        qemu.current_dir(folder.join("host/rig"))
            // The machine's port is open as long as this is.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let qemu = qemu
            .spawn()
            .map_err(|error| format!("failed to start QEMU: {error}"))?;
        Ok(Self { qemu })
    }

    /// Shows what the machine reports until it is off.
    pub fn follow(&mut self) -> Result<(), String> {
        // As long as it is open, so is the machine's port.
        let _input = self.qemu.stdin.take();
        let mut passed = false;
        if let Some(report) = self.qemu.stdout.take() {
            for line in BufReader::new(report).lines().map_while(Result::ok) {
                passed |= line == PASSED;
                println!("{line}");
            }
        }
        let status = self.qemu.wait().map_err(|error| error.to_string())?;
        match (status.success(), passed) {
            (true, true) => Ok(()),
            (true, false) => Err("not every case has passed in the machine".into()),
            (false, _) => Err(format!("QEMU: {status}")),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Whether the processor can run a machine itself; /dev/kvm alone does not tell.
fn has_kvm() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let can = flags
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    can && fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok()
}
