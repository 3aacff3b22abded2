//! Boards that may have fallen ill in the middle of a run: looked at after a broken attempt, and taken
//! out if they are not well any more.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

type Look = dyn Fn(&str, &Checkup) -> Result<(), String> + Send + Sync;

/// How a board is looked at after a broken attempt. It is called on a thread of its own, gets the
/// board's name, mends what it can within a bound of its own, and says in a sentence why the board
/// cannot be used any more, if so.
#[derive(Clone)]
pub struct Recheck(Arc<Look>);

impl Recheck {
    /// Boards are looked at by `look`.
    pub fn new(
        look: impl Fn(&str, &Checkup) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(look))
    }
}

impl fmt::Debug for Recheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recheck")
    }
}

/// What a look at a board knows of the run.
pub struct Checkup {
    stop: Arc<AtomicBool>,
    told: Sender<Heard>,
}

impl Checkup {
    /// Whether the run was interrupted, so that the result is of no use any more.
    pub fn is_called_off(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Tells the user of the run.
    pub fn tell(&self, text: String) {
        // A run that has ended reports nothing more.
        let _ = self.told.send(Heard::Notice(text));
    }
}

enum Heard {
    Notice(String),
    Ended(String, Result<(), String>),
}

/// The boards of a run that are looked at, and those that were taken out.
pub(super) struct Checkups {
    recheck: Option<Recheck>,
    stop: Arc<AtomicBool>,
    told: Sender<Heard>,
    heard: Receiver<Heard>,
    /// Looks that have not ended, by board.
    open: BTreeMap<String, thread::JoinHandle<()>>,
    /// Why, by board.
    taken_out: BTreeMap<String, String>,
}

impl Checkups {
    pub(super) fn new(recheck: Option<Recheck>) -> Self {
        let (told, heard) = mpsc::channel();
        Self {
            recheck,
            stop: Arc::default(),
            told,
            heard,
            open: BTreeMap::new(),
            taken_out: BTreeMap::new(),
        }
    }

    /// Begins to look at `board`, which gets no attempt until that has ended.
    pub(super) fn begin(&mut self, board: &str) {
        let Some(Recheck(look)) = self.recheck.clone() else {
            return;
        };
        if self.open.contains_key(board) || self.taken_out.contains_key(board) {
            return;
        }
        let checkup = Checkup {
            stop: Arc::clone(&self.stop),
            told: self.told.clone(),
        };
        let name = board.to_owned();
        let begun = thread::Builder::new()
            .name(format!("look at {board}"))
            .spawn(move || {
                let result = look(&name, &checkup);
                let _ = checkup.told.send(Heard::Ended(name, result));
            });
        // A host without threads has worse to tell: the next attempt does.
        if let Ok(begun) = begun {
            self.open.insert(board.to_owned(), begun);
        }
    }

    /// Whether any board is looked at.
    pub(super) fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether `board` is looked at.
    pub(super) fn is_looking_at(&self, board: &str) -> bool {
        self.open.contains_key(board)
    }

    /// Why `board` was taken out, if it was.
    pub(super) fn reason(&self, board: &str) -> Option<&str> {
        self.taken_out.get(board).map(String::as_str)
    }

    /// What was told since the last call, for the user. Waits for none.
    pub(super) fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        while let Ok(heard) = self.heard.try_recv() {
            match heard {
                Heard::Notice(text) => news.push(text),
                Heard::Ended(board, result) => {
                    self.open.remove(&board);
                    if let Err(why) = result {
                        let text = format!("{board} is taken out of this run: {why}");
                        news.push(text.clone());
                        self.taken_out.insert(board, text);
                    }
                }
            }
        }
        // One whose look ended without a word, in a panic, is as it was.
        self.open.retain(|_, look| !look.is_finished());
        news
    }

    /// The results are of no use any more.
    pub(super) fn call_off(&self) {
        self.stop.store(true, Ordering::Release);
    }
}
