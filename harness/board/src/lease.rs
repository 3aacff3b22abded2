//! Leases: a board is held by one run at a time.
//!
//! A lease is a file with the owner's name in it that the owner keeps locked, in a folder of the
//! user's own. The kernel takes the lock from an owner that dies, however it dies, so that its lease
//! is free at once; an owner that lives but has outstayed its lease loses it to the next who asks.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// First line of a lease's file.
const HEADING: &str = "proving lease 1";
/// No lease's file is longer.
const LONGEST: u64 = 4096;
/// The guard is held for a few system calls; a process that holds it longer was stopped in between.
const GUARD_LIMIT: Duration = Duration::from_secs(5);
const GUARD_INTERVAL: Duration = Duration::from_millis(5);

/// The leases of one user on one host.
#[derive(Clone, Debug)]
pub struct Leases {
    folder: PathBuf,
}

/// Who holds a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// What for, such as `proving run`.
    pub purpose: String,
    /// Since when it holds it; none in a lease of an older version.
    pub since: Option<SystemTime>,
    /// When its lease ends.
    pub until: SystemTime,
}

impl Holder {
    /// Seconds until its lease ends; 0 if it has ended.
    pub fn seconds_left(&self) -> u64 {
        let left = self.until.duration_since(SystemTime::now());
        left.unwrap_or_default().as_secs()
    }

    /// Seconds for which it has held the board, if that is known.
    pub fn seconds_held(&self) -> Option<u64> {
        let held = SystemTime::now().duration_since(self.since?);
        Some(held.unwrap_or_default().as_secs())
    }
}

/// A board could not be leased.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run has it.
    #[error(
        "{board} is held by process {} ({}), for {} s more; wait, or end that process",
        holder.pid, holder.purpose, holder.seconds_left()
    )]
    Held {
        /// The board.
        board: String,
        /// Who.
        holder: Holder,
    },
    /// Others could write to the folder of leases.
    #[error(
        "the folder of leases {} belongs to another user or lets others write; remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        folder.display()
    )]
    Unsafe {
        /// Where.
        folder: PathBuf,
    },
    /// Another process keeps the folder locked.
    #[error(
        "{} has been locked for {} s; is a `proving` process stopped?",
        file.display(), GUARD_LIMIT.as_secs()
    )]
    Guarded {
        /// What is locked.
        file: PathBuf,
    },
    /// The host refused.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Leases {
    /// The leases of this user: in `$XDG_RUNTIME_DIR`, or where the system keeps temporary files.
    pub fn open() -> Result<Self, LeaseError> {
        Self::in_folder(own_folder())
    }

    /// The same, without making anything; none if this user never had a lease.
    pub fn if_there() -> Result<Option<Self>, LeaseError> {
        let folder = own_folder();
        match folder.is_dir() {
            true => Self::in_folder(folder).map(Some),
            false => Ok(None),
        }
    }

    /// The leases in `folder`, which is made if it is not there and must be this user's own.
    pub fn in_folder(folder: PathBuf) -> Result<Self, LeaseError> {
        let failed = |source| LeaseError::Io {
            what: format!("make the folder of leases {}", folder.display()),
            source,
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let found = fs::symlink_metadata(&folder).map_err(failed)?;
        let others_write = found.permissions().mode() & 0o022 != 0;
        if !found.is_dir() || found.uid() != user() || others_write {
            return Err(LeaseError::Unsafe { folder });
        }
        Ok(Self { folder })
    }

    /// Takes `board`, which is its identity rather than its name in some rig.toml, for `purpose`
    /// and until `until`. May wait some seconds for others who ask at the same time.
    pub fn take(&self, board: &str, purpose: &str, until: SystemTime) -> Result<Lease, LeaseError> {
        let _guard = self.guard()?;
        let path = self.path(board);
        let failed = |source| LeaseError::Io {
            what: format!("take the lease {}", path.display()),
            source,
        };
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            // That of no owner, or of one that has ended.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                if let Some(holder) = read(&mut file)
                    && holder.until > SystemTime::now()
                {
                    let board = board.to_owned();
                    return Err(LeaseError::Held { board, holder });
                }
                // Its owner keeps a file that is no lease any more.
                fs::remove_file(&path).map_err(failed)?;
                file = open(&path).map_err(failed)?;
                file.try_lock().map_err(|error| failed(error.into()))?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let holder = Holder {
            pid: std::process::id(),
            purpose: purpose.to_owned(),
            since: Some(SystemTime::now()),
            until,
        };
        write(&mut file, &holder).map_err(failed)?;
        Ok(Lease {
            leases: self.clone(),
            file,
            path,
            holder,
        })
    }

    /// Takes all of `parts` of this host for a turn, which lasts until `until` at most. `queue` keeps the
    /// place of whoever could not have its turn: nobody else takes one before.
    ///
    /// A turn is short, and another process is after the next one: without a queue, who has had it would
    /// have it again before others can ask.
    pub fn take_turn(
        &self,
        parts: &[String],
        purpose: &str,
        until: SystemTime,
        queue: &mut Vec<Lease>,
    ) -> Result<Turn, LeaseError> {
        let mut parts: Vec<&String> = parts.iter().collect();
        // All take them in the same order, so that no two wait for each other.
        parts.sort_unstable();
        let next = |part: &str| format!("next turn with {part}");
        for part in &parts {
            let next = next(part);
            if queue.iter().all(|place| place.path != self.path(&next)) {
                queue.push(self.take(&next, purpose, until)?);
            }
        }
        let taken = (parts.iter()).map(|part| self.take(part, purpose, until));
        let turn = Turn {
            _leases: taken.collect::<Result<_, _>>()?,
        };
        queue.clear();
        Ok(turn)
    }

    /// Who holds `board` at the moment. Takes it from no owner.
    pub fn holder(&self, board: &str) -> Option<Holder> {
        let _guard = self.guard().ok()?;
        let mut file = File::open(self.path(board)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                read(&mut file).filter(|holder| holder.until > SystemTime::now())
            }
            _ => None,
        }
    }

    /// Only who has the guard opens, locks, writes and removes leases.
    fn guard(&self) -> Result<File, LeaseError> {
        let path = self.folder.join(".guard");
        let failed = |source| LeaseError::Io {
            what: format!("lock {}", path.display()),
            source,
        };
        let guard = open(&path).map_err(failed)?;
        let began = Instant::now();
        loop {
            match guard.try_lock() {
                Ok(()) => return Ok(guard),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if began.elapsed() > GUARD_LIMIT => {
                    return Err(LeaseError::Guarded { file: path });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(GUARD_INTERVAL),
            }
        }
    }

    fn path(&self, board: &str) -> PathBuf {
        self.folder.join(file_name(board))
    }
}

/// A board is ours until this is dropped.
#[derive(Debug)]
pub struct Lease {
    leases: Leases,
    file: File,
    path: PathBuf,
    holder: Holder,
}

/// What phones use of this host is ours until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _leases: Vec<Lease>,
}

impl Lease {
    /// Holds it until `until` instead. False if it was lost to another owner.
    pub fn renew(&mut self, until: SystemTime) -> Result<bool, LeaseError> {
        let _guard = self.leases.guard()?;
        if !self.in_place() {
            return Ok(false);
        }
        self.holder.until = until;
        write(&mut self.file, &self.holder).map_err(|source| LeaseError::Io {
            what: format!("renew the lease {}", self.path.display()),
            source,
        })?;
        Ok(true)
    }

    /// Whether the board is still ours.
    pub fn is_held(&self) -> bool {
        self.in_place()
    }

    /// Whether our file is the one that everybody sees.
    fn in_place(&self) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(ours), Ok(seen)) => (ours.dev(), ours.ino()) == (seen.dev(), seen.ino()),
            _ => false,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without the guard the file stays, unlocked, which is as good as none.
        if let Ok(_guard) = self.leases.guard()
            && self.in_place()
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn own_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_absolute() => PathBuf::from(folder).join("proving"),
        _ => std::env::temp_dir().join(format!("proving-{}", user())),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

fn write(file: &mut File, holder: &Holder) -> io::Result<()> {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    };
    let since = holder
        .since
        .map_or(String::new(), |since| format!("since {}\n", seconds(since)));
    let purpose: String = holder
        .purpose
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    write!(
        file,
        "{HEADING}\npid {}\nuntil {}\nfor {purpose}\n{since}",
        holder.pid,
        seconds(holder.until),
    )
}

/// Who wrote the lease, if it is one.
fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    if lines.next()? != HEADING {
        return None;
    }
    let pid = lines.next()?.strip_prefix("pid ")?.parse().ok()?;
    let until = lines.next()?.strip_prefix("until ")?.parse().ok()?;
    let purpose = lines.next()?.strip_prefix("for ")?.to_owned();
    let time = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let since = lines.next().and_then(|line| line.strip_prefix("since "));
    Some(Holder {
        pid,
        purpose,
        since: since.and_then(|since| time(since.parse().ok()?)),
        until: time(until)?,
    })
}

/// A name of its own for each board, readable, within what file systems take.
fn file_name(board: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let readable: String = board
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .take(80)
        .collect();
    format!("{readable}-{:016x}.lease", fnv1a(board.as_bytes()))
}

/// FNV-1a, 64 bits: the same in every build, unlike the standard library's hashes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn user() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder() -> (tempfile::TempDir, Leases) {
        let folder = tempfile::tempdir().expect("a folder");
        let leases = Leases::in_folder(folder.path().join("leases")).expect("a folder of our own");
        (folder, leases)
    }

    fn in_an_hour() -> SystemTime {
        SystemTime::now() + Duration::from_secs(3600)
    }

    #[test]
    fn a_board_is_held_by_one() {
        let (_folder, leases) = folder();
        let first = leases.take("probe 1", "a run", in_an_hour()).expect("free");
        let error = leases
            .take("probe 1", "another", in_an_hour())
            .expect_err("held");
        let said = error.to_string();
        assert!(said.contains("probe 1 is held by process"), "{said}");
        assert!(said.contains("(a run)"), "{said}");
        leases
            .take("probe 2", "another", in_an_hour())
            .expect("another board");
        assert_eq!(leases.holder("probe 1").expect("held").purpose, "a run");
        drop(first);
        assert_eq!(leases.holder("probe 1"), None);
        leases
            .take("probe 1", "another", in_an_hour())
            .expect("free again");
    }

    #[test]
    fn who_waits_for_a_turn_has_the_next_one() {
        let (_folder, leases) = folder();
        let parts = ["wifi wlan1".to_owned(), "lan eth1".to_owned()];
        let take = |purpose, queue: &mut Vec<Lease>| {
            leases.take_turn(&parts, purpose, in_an_hour(), queue)
        };
        let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
        let turn = take("first", &mut first).expect("free");
        take("second", &mut second).expect_err("held");
        take("third", &mut third).expect_err("behind the second");
        drop(turn);
        let error = take("first", &mut first).expect_err("not before the second");
        assert!(error.to_string().contains("(second)"), "{error}");
        let turn = take("second", &mut second).expect("its turn");
        take("first", &mut first).expect_err("held");
        // Half of it is enough to be in the way, and the other half is nobody's.
        let lan = &parts[1..];
        let mut other = Vec::new();
        leases
            .take_turn(lan, "other", in_an_hour(), &mut other)
            .expect_err("held");
        drop((turn, first, third));
        leases
            .take_turn(lan, "other", in_an_hour(), &mut other)
            .expect("free again");
    }

    #[test]
    fn a_lease_says_since_when_and_that_of_an_older_version_does_not() {
        let (_folder, leases) = folder();
        let lease = leases.take("probe", "a run", in_an_hour()).expect("free");
        let held = leases.holder("probe").expect("held").seconds_held();
        assert!(held.is_some_and(|seconds| seconds < 60), "{held:?}");
        let text = fs::read_to_string(&lease.path).expect("ours");
        let (older, _) = text.split_once("since ").expect("a line of its own");
        fs::write(&lease.path, older).expect("ours");
        let holder = leases.holder("probe").expect("held");
        assert_eq!((holder.purpose.as_str(), holder.since), ("a run", None));
    }

    #[test]
    fn who_outstays_a_lease_loses_it_and_can_see_so() {
        let (_folder, leases) = folder();
        let mut late = leases
            .take("probe", "late", SystemTime::now() - Duration::from_secs(1))
            .expect("free");
        assert!(late.is_held());
        let next = leases
            .take("probe", "next", in_an_hour())
            .expect("outstayed");
        assert!(!late.is_held());
        assert!(!late.renew(in_an_hour()).expect("can be looked at"));
        drop(late);
        assert!(next.is_held());
        assert_eq!(leases.holder("probe").expect("held").purpose, "next");
    }

    #[test]
    fn a_lease_that_is_renewed_lasts() {
        let (_folder, leases) = folder();
        let mut lease = leases
            .take("probe", "long", SystemTime::now())
            .expect("free");
        assert!(lease.renew(in_an_hour()).expect("ours"));
        leases
            .take("probe", "next", in_an_hour())
            .expect_err("held");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("leases");
        fs::create_dir(&path).expect("a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("ours");
        let error = Leases::in_folder(path).expect_err("not safe").to_string();
        assert!(error.contains("lets others write"), "{error}");
    }

    proptest! {
        #[test]
        fn no_content_of_a_lease_stops_the_next(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_folder, leases) = folder();
            fs::write(leases.path("probe"), content).expect("ours");
            prop_assert!(leases.take("probe", "a run", in_an_hour()).is_ok());
        }

        #[test]
        fn different_boards_have_different_files(a in ".{0,300}", b in ".{0,300}") {
            prop_assert_eq!(a == b, file_name(&a) == file_name(&b));
            prop_assert!(file_name(&a).len() < 120);
            prop_assert!(!file_name(&a).contains('/'));
        }
    }
}
