//! Requests of the script `rig`, and their answers: files in a folder, which also pass through a
//! shared folder of a virtual machine.
//!
//! A request is `N.request`, renamed from `N.new`: its words on one line. Bytes that belong to it, such
//! as factory data, are in `N.data` before that. The answer is `N.done`, of which the first line is `ok`
//! or why it was not done; bytes that belong to it are in `N.data` before that.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::super::UpError;

/// No request is longer, in bytes.
const LONGEST_REQUEST: u64 = 1024;
/// No data are longer, in bytes.
const LONGEST_DATA: u64 = 4 << 20;
const REQUEST: &str = "request";

/// The folder of requests.
pub struct Control {
    folder: PathBuf,
}

/// One request, still to be answered.
pub struct Request {
    number: String,
    words: Vec<String>,
    data: PathBuf,
}

impl Request {
    /// Its words.
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// The bytes that belong to it.
    pub fn data(&self) -> Result<Vec<u8>, String> {
        let read = bounded(&self.data, LONGEST_DATA);
        read.map_err(|error| format!("failed to read what was handed over: {error}"))
    }

    /// Hands bytes over with the answer.
    pub fn give(&self, bytes: &[u8]) -> Result<(), String> {
        let written = fs::write(&self.data, bytes);
        written.map_err(|error| format!("failed to hand over what was read: {error}"))
    }
}

impl Control {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The next request, if there is one.
    pub fn next(&self) -> Result<Option<Request>, UpError> {
        let failed = |source| UpError::Io {
            what: format!("look into {}", self.folder.display()),
            source,
        };
        let mut waiting: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == REQUEST) {
                waiting.push(path);
            }
        }
        let Some(path) = waiting.into_iter().min() else {
            return Ok(None);
        };
        let text = bounded(&path, LONGEST_REQUEST).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().next().unwrap_or_default();
        fs::remove_file(&path).map_err(failed)?;
        let number = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Some(Request {
            number: number.into_owned(),
            words: line.split_whitespace().map(str::to_owned).collect(),
            data: path.with_extension("data"),
        }))
    }

    /// Answers a request.
    pub fn answer(&self, request: &Request, answer: Result<(), String>) -> Result<(), UpError> {
        let text = match answer {
            Ok(()) => "ok".to_owned(),
            Err(why) => why.replace(['\n', '\r'], " "),
        };
        let path = |end: &str| self.folder.join(format!("{}.{end}", request.number));
        let (unfinished, done) = (path("answer"), path("done"));
        let written = fs::write(&unfinished, format!("{text}\n"));
        written
            .and_then(|()| fs::rename(&unfinished, &done))
            .map_err(|source| UpError::Io {
                what: format!("write {}", done.display()),
                source,
            })
    }
}

/// The bytes of a file that has to be a plain one and no longer than `most`.
fn bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match u64::try_from(length) {
        Ok(length) if length <= most => Ok(bytes),
        _ => Err(io::Error::other(format!("it is longer than {most} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> (tempfile::TempDir, Control) {
        let folder = tempfile::tempdir().expect("a folder");
        let control = Control::new(folder.path().to_owned());
        (folder, control)
    }

    #[test]
    fn a_request_is_taken_once_and_answered_in_a_line() {
        let (folder, control) = control();
        let at = |name: &str| folder.path().join(name);
        assert!(control.next().expect("a folder").is_none());
        fs::write(at("7.new"), "power on\n").expect("written");
        assert!(control.next().expect("a folder").is_none());
        fs::rename(at("7.new"), at("7.request")).expect("renamed");
        let request = control.next().expect("a folder").expect("a request");
        assert_eq!(request.words(), ["power", "on"]);
        assert!(control.next().expect("a folder").is_none());
        let answer = Err("no\nsuch thing".to_owned());
        control.answer(&request, answer).expect("answered");
        let said = fs::read_to_string(at("7.done")).expect("an answer");
        assert_eq!(said, "no such thing\n");
    }

    #[test]
    fn what_is_no_request_is_answered_and_not_followed() {
        let (folder, control) = control();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("/dev/zero", at("1.request")).expect("a link");
        fs::write(at("2.request"), vec![0xFF; 5000]).expect("written");
        for _ in 0..2 {
            let request = control.next().expect("a folder").expect("a request");
            assert_eq!(request.words(), [""; 0]);
            assert!(request.data().is_err());
        }
    }
}
