//! The virtual machine: QEMU, which ends together with us.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::cases::PASSED;
use super::image::Image;
use crate::command::command;

/// Lines of the console that are shown of a machine that did not end well.
const TAIL: usize = 25;

/// A machine that runs; ended when dropped.
pub struct Machine {
    qemu: Child,
    /// What its kernel says.
    console: PathBuf,
}

impl Machine {
    /// Boots `image`; `folder/host` is what the machine shares with this host.
    pub fn boot(image: &Image, folder: &Path) -> Result<Self, String> {
        let console = folder.join("console.log");
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
            .arg(format!("file:{}", console.display()))
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
        Ok(Self { qemu, console })
    }

    /// Shows what the machine reports until it is off. One that is not off within `limit` is ended.
    pub fn follow(&mut self, limit: Duration) -> Result<(), String> {
        // As long as it is open, so is the machine's port.
        let _input = self.qemu.stdin.take();
        let report = self
            .qemu
            .stdout
            .take()
            .ok_or("the machine's report is taken")?;
        let (to, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(report).lines().map_while(Result::ok) {
                // No receiver is left once the machine has been given up.
                let _ = to.send(line);
            }
        });
        let began = Instant::now();
        let mut passed = false;
        loop {
            match lines.recv_timeout(limit.saturating_sub(began.elapsed())) {
                Ok(line) => {
                    passed |= line == PASSED;
                    println!("{line}");
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.qemu.kill();
                    let what = format!("the machine was not done within {} s", limit.as_secs());
                    return Err(self.with_tail(&what));
                }
            }
        }
        let status = self.qemu.wait().map_err(|error| error.to_string())?;
        match (status.success(), passed) {
            (true, true) => Ok(()),
            (true, false) => Err(self.with_tail("not everything has passed in the machine")),
            (false, _) => Err(self.with_tail(&format!("QEMU: {status}"))),
        }
    }

    /// `what`, and how the console ends.
    fn with_tail(&self, what: &str) -> String {
        let said = fs::read(&self.console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        let console = self.console.display();
        format!(
            "{what}; its console ({console}) ends with:\n{}",
            tail.join("\n")
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell in the machine's place.
    fn machine(name: &str, script: &str) -> Machine {
        let console = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let kernel: String = (0..100).map(|line| format!("line {line}\n")).collect();
        fs::write(&console, kernel).expect("written");
        let qemu = command("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Machine {
            qemu: qemu.expect("started"),
            console,
        }
    }

    #[test]
    fn a_machine_that_hangs_is_ended_and_its_console_shown() {
        let mut hung = machine("hung", "echo up; exec sleep 600");
        let began = Instant::now();
        let why = hung.follow(Duration::from_millis(300)).expect_err("hung");
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            began.elapsed()
        );
        assert!(hung.qemu.wait().is_ok_and(|status| !status.success()));
        assert!(
            why.contains("not done within 0 s") && why.ends_with("line 98\nline 99"),
            "{why}"
        );
        assert!(!why.contains("line 50"), "{why}");
    }

    #[test]
    fn only_one_that_says_so_and_ends_well_has_passed() {
        let minute = Duration::from_secs(60);
        let said = format!("echo '{PASSED}'");
        assert_eq!(machine("passed", &said).follow(minute), Ok(()));
        for (name, script) in [
            ("silent", "echo 'rig: passe'".to_owned()),
            ("broken", format!("{said}; exit 1")),
        ] {
            assert!(machine(name, &script).follow(minute).is_err(), "{script}");
        }
    }
}
