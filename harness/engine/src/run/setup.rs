//! What a run is made with: tool, host, boards and the firmware they are flashed with.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use board::rig::{BoardLink, Rig, RigBoard};
use regex::bytes::Regex;
use sha2::{Digest, Sha256};
use trace::{BoardSetup, FirmwareFile, Setup};

use super::{BoardKind, BoardModel, Plan, Settings};

/// Name and version of this tool.
const TOOL: &str = concat!("proving ", env!("CARGO_PKG_VERSION"));

/// Descriptions are looked for in files of up to so many bytes; longer ones are only hashed.
const LONGEST_SEARCHED: u64 = 256 << 20;

/// The setup of each board of `plan`, by its name. Reads what they are flashed with; of a file that
/// cannot be read nothing is said here, as the attempts that need it will say why.
pub(super) fn of(plan: &Plan, settings: &Settings) -> BTreeMap<String, Setup> {
    let mut setups = BTreeMap::new();
    let host = host();
    for case in plan.cases.iter().filter(|case| case.skip.is_none()) {
        if setups.contains_key(&case.board) {
            continue;
        }
        let board = match &case.rig {
            Some(rig) => in_rig(rig, &case.board, case.image.as_deref()),
            None => virtual_board(&case.board, case.image.as_deref(), settings),
        };
        let setup = Setup {
            tool: TOOL.into(),
            host: host.clone(),
            board,
        };
        setups.insert(case.board.clone(), setup);
    }
    setups
}

fn virtual_board(name: &str, image: Option<&Path>, settings: &Settings) -> BoardSetup {
    let is_native = BoardModel::named(name).is_some_and(|model| model.kind == BoardKind::Native);
    let file = match (is_native, &settings.device) {
        (true, Some(device)) => firmware(device),
        (true, None) => own(&settings.executable),
        (false, _) => image.and_then(firmware),
    };
    BoardSetup {
        name: name.into(),
        kind: name.into(),
        firmware: file.into_iter().collect(),
        ..BoardSetup::default()
    }
}

/// A board whose section cannot be read has no more than its name: its attempts will say why.
fn in_rig(file: &Path, name: &str, image: Option<&Path>) -> BoardSetup {
    let rig = Rig::read(file).unwrap_or_default();
    let Some(board) = rig.boards.get(name) else {
        return BoardSetup {
            name: name.into(),
            ..BoardSetup::default()
        };
    };
    let files = files(board, image);
    BoardSetup {
        name: name.into(),
        kind: board.link.kind().into(),
        reached_by: Some(board.link.place()),
        chip: board.chip.clone(),
        firmware: files.iter().filter_map(|file| firmware(file)).collect(),
    }
}

/// The files that `board` is flashed with, and the ELF that its backtraces are read by.
fn files(board: &RigBoard, image: Option<&Path>) -> Vec<PathBuf> {
    match &board.link {
        BoardLink::Probe(_) => image.map(Path::to_owned).into_iter().collect(),
        BoardLink::Serial(serial) => {
            let images = serial.flash.iter().flat_map(|flash| &flash.images);
            let images = images.map(|image| image.file.clone());
            images.chain(serial.elf.clone()).collect()
        }
        BoardLink::Process(process) => vec![process.program()],
    }
}

/// The reference device in this program, which has the program's version. Hashed once in each process,
/// as there are processes of many short runs.
fn own(program: &Path) -> Option<FirmwareFile> {
    static KNOWN: Mutex<Option<(PathBuf, FirmwareFile)>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, file)) = known.as_ref()
        && path == program
    {
        return Some(file.clone());
    }
    let hashed = File::open(program).and_then(|file| hashed(program, file));
    let file = FirmwareFile {
        version: Some(env!("CARGO_PKG_VERSION").into()),
        ..hashed.ok()?
    };
    *known = Some((program.to_owned(), file.clone()));
    Some(file)
}

/// What can be said of the firmware in `file`.
fn firmware(file: &Path) -> Option<FirmwareFile> {
    read(file).ok()
}

/// The file's hash and nothing else; in pieces, as programs can be long.
fn hashed(path: &Path, mut file: File) -> io::Result<FirmwareFile> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match file.read(&mut piece)? {
            0 => break,
            length => {
                hash.update(&piece[..length]);
                bytes += length as u64;
            }
        }
    }
    Ok(FirmwareFile {
        file: path.display().to_string(),
        sha256: hex::encode(hash.finalize()),
        bytes,
        ..FirmwareFile::default()
    })
}

fn read(path: &Path) -> io::Result<FirmwareFile> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if metadata.len() > LONGEST_SEARCHED {
        return hashed(path, file);
    }
    let mut content = Vec::new();
    file.take(LONGEST_SEARCHED).read_to_end(&mut content)?;
    let sha256 = hex::encode(Sha256::digest(&content));
    let is_elf = content.starts_with(b"\x7fELF");
    let description = Description::find(&content);
    let (project, version, elf_sha256) = match description {
        Some(found) => (Some(found.project), Some(found.version), found.elf_sha256),
        None => (None, None, None),
    };
    Ok(FirmwareFile {
        file: path.display().to_string(),
        bytes: content.len() as u64,
        project,
        version,
        elf_sha256: elf_sha256.or_else(|| is_elf.then(|| sha256.clone())),
        sha256,
    })
}

/// What ESP-IDF's build puts into every application (`esp_app_desc_t`).
#[derive(Debug, PartialEq, Eq)]
struct Description {
    project: String,
    version: String,
    /// Only in an image: while the ELF is linked, its hash is not known.
    elf_sha256: Option<String>,
}

impl Description {
    const VERSION: usize = 16;
    const PROJECT: usize = 48;
    const IDF: usize = 112;
    const ELF_SHA256: usize = 144;
    const LENGTH: usize = 176;

    /// The first one in `content`. The magic word alone is found in code that checks for it, too, so
    /// the texts must be texts.
    fn find(content: &[u8]) -> Option<Self> {
        // A fixed expression; the test below compiles it.
        let magic = Regex::new(r"(?-u)\x32\x54\xcd\xab").ok()?;
        magic
            .find_iter(content)
            .find_map(|found| Self::at(content.get(found.start()..)?))
    }

    fn at(content: &[u8]) -> Option<Self> {
        let content = content.get(..Self::LENGTH)?;
        let version = text(&content[Self::VERSION..Self::PROJECT])?;
        let project = text(&content[Self::PROJECT..Self::PROJECT + 32])?;
        text(&content[Self::IDF..Self::ELF_SHA256])?;
        let hash = &content[Self::ELF_SHA256..];
        Some(Self {
            project,
            version,
            elf_sha256: hash.iter().any(|b| *b != 0).then(|| hex::encode(hash)),
        })
    }
}

/// A C string of printable ASCII that is not empty.
fn text(field: &[u8]) -> Option<String> {
    let text = CStr::from_bytes_until_nul(field).ok()?.to_str().ok()?;
    let is_text = !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    is_text.then(|| text.to_owned())
}

/// Its name, operating system, processor and number of cores.
fn host() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    // SAFETY: all zeros is a value of this struct of byte arrays.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is ours, and lives during the call.
    if unsafe { libc::uname(&mut names) } != 0 {
        return format!(
            "{} {}, {cores} cores",
            std::env::consts::OS,
            std::env::consts::ARCH
        );
    }
    let text = |field: &[libc::c_char]| {
        let bytes = field.iter().map(|c| *c as u8).take_while(|b| *b != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    };
    format!(
        "{}: {} {} {}, {cores} cores",
        text(&names.nodename),
        text(&names.sysname),
        text(&names.release),
        text(&names.machine),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application image, as esptool's `elf2image` writes it: 24 bytes of header, 8 of the first
    /// segment's, then the description.
    fn image(version: &[u8], hash: u8) -> Vec<u8> {
        let mut image = vec![0xe9; 32];
        let mut description = vec![0; 256];
        description[..4].copy_from_slice(&0xabcd_5432_u32.to_le_bytes());
        description[16..16 + version.len()].copy_from_slice(version);
        description[48..52].copy_from_slice(b"lamp");
        description[112..118].copy_from_slice(b"v5.5.1");
        description[144..176].fill(hash);
        image.extend(description);
        image
    }

    #[test]
    fn an_image_tells_project_version_and_the_hash_of_its_elf() {
        let found = Description::find(&image(b"1.4.2-7-gabc", 0xa5)).expect("it has one");
        assert_eq!(found.project, "lamp");
        assert_eq!(found.version, "1.4.2-7-gabc");
        assert_eq!(found.elf_sha256, Some("a5".repeat(32)));
        let in_elf = Description::find(&image(b"1", 0)).expect("it has one");
        assert_eq!(in_elf.elf_sha256, None);
    }

    #[test]
    fn a_magic_word_without_texts_is_no_description() {
        for version in [
            &b"\xff\x01"[..],
            b"",
            b"no end of this text is to be found here",
        ] {
            let mut image = image(&version[..version.len().min(32)], 1);
            if version.len() > 32 {
                image[32 + 48..32 + 80].fill(b'x');
            }
            assert_eq!(Description::find(&image), None, "{version:?}");
        }
        let whole = image(b"1", 1);
        for length in 0..whole.len() - 80 {
            assert_eq!(Description::find(&whole[..length]), None, "{length}");
        }
        // The second of two is the real one.
        let mut two = 0xabcd_5432_u32.to_le_bytes().to_vec();
        two.extend(image(b"2", 1));
        assert_eq!(Description::find(&two).expect("it has one").version, "2");
    }

    #[test]
    fn a_file_is_known_by_its_hash_and_an_elf_is_its_own_elf() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("app.elf");
        std::fs::write(&path, b"\x7fELF and so on").expect("there is room");
        let found = read(&path).expect("it is there");
        assert_eq!(found.bytes, 14);
        assert_eq!(
            found.sha256,
            "f10dcfc38df641ffd9013f9834e069b55f9c2213e1d9fedc3414fd106aa8e5d3"
        );
        assert_eq!(found.elf_sha256.as_ref(), Some(&found.sha256));
        assert_eq!(found.version, None);
        assert!(read(&folder.path().join("none")).is_err());
    }
}
