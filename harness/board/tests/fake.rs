//! The fake keeps a board's rules, so that what is tested against it holds on others.

use board::conformance::{self, Bench, Firmware, Storage, Subject};
use board::fake::FakeBoard;
use board::{Board, BoardError, PowerChanged};
use clock::Clock;
use futures_util::future::BoxFuture;
use trace::Trace;

/// Makes fake boards, which print what they are told and do nothing else.
struct Fakes;

impl Bench for Fakes {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        Box::pin(async move {
            if firmware != Firmware::Talks {
                return None;
            }
            let trace = Trace::in_memory(Clock::start(1.0));
            let mut board = FakeBoard::new("device", trace.clone());
            for _ in 0..10 {
                board.prints(["first", "more"]);
            }
            Some(Subject {
                board: Box::new(board),
                trace,
                factory: vec![1, 2],
                first: "first",
                storage: Storage::Flash,
                keep: Box::new(()),
            })
        })
    }
}

#[tokio::test]
async fn it_owes_what_every_board_owes() {
    let checked = conformance::check(&mut Fakes).await;
    assert_eq!(checked.expect("no departure"), [Firmware::Talks]);
}

/// Tells of every power off, whether it is on or not.
struct Talkative(FakeBoard, Trace);

impl Board for Talkative {
    fn device(&self) -> &str {
        self.0.device()
    }

    fn abilities(&self) -> board::Abilities {
        self.0.abilities()
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        self.0.write_factory(image)
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.0.power_on()
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        let off = PowerChanged {
            power: board::Power::Off,
            how: "again".to_owned(),
        };
        self.1.emit(Some("device"), &off);
        self.0.power_off()
    }

    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        self.0.cut_power_in_write(after)
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.0.reset()
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        self.0.read_storage()
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.0.erase_storage()
    }
}

struct Talkatives;

impl Bench for Talkatives {
    fn set_up(&mut self, _: Firmware) -> BoxFuture<'_, Option<Subject>> {
        let trace = Trace::in_memory(Clock::start(1.0));
        let board = Talkative(FakeBoard::new("device", trace.clone()), trace.clone());
        let subject = Subject {
            board: Box::new(board),
            trace,
            factory: Vec::new(),
            first: "first",
            storage: Storage::Flash,
            keep: Box::new(()),
        };
        Box::pin(async { Some(subject) })
    }
}

#[tokio::test]
async fn a_board_that_tells_of_a_second_power_off_departs() {
    let departure = conformance::check(&mut Talkatives)
        .await
        .expect_err("it departs");
    assert!(
        departure.to_string().contains("makes no event"),
        "{departure}"
    );
    assert!(departure.what.contains("Off"), "{departure}");
}

#[tokio::test]
async fn storage_is_read_and_erased_only_without_power() {
    let mut board = FakeBoard::new("device", Trace::in_memory(Clock::start(1.0)));
    assert_eq!(
        board.read_storage().await.expect("storage"),
        vec![0xFF; FakeBoard::STORAGE]
    );
    board.power_on().await.expect("power");
    assert!(matches!(
        board.erase_storage().await,
        Err(BoardError::State { state: "on", .. })
    ));
    board.power_off().await.expect("power");
    board.erase_storage().await.expect("erased");
}

#[tokio::test]
async fn power_is_traced_with_its_cause() {
    let trace = Trace::in_memory(Clock::start(1.0));
    let mut board = FakeBoard::new("device", trace.clone());
    assert!(board.reset().await.is_err());
    board.power_on().await.expect("power");
    board.reset().await.expect("reset");
    let causes: Vec<String> = trace
        .since(0)
        .iter()
        .filter_map(|event| event.payload::<PowerChanged>())
        .map(|change| change.how)
        .collect();
    assert_eq!(causes, ["power on", "reset"]);
}

#[tokio::test]
async fn what_it_cannot_do_is_said_in_a_sentence() {
    let mut board = FakeBoard::new("device", Trace::in_memory(Clock::start(1.0)));
    let error = board.cut_power_in_write(3).await.expect_err("unable");
    assert_eq!(
        error.to_string(),
        "a fake board cannot cut its power in the middle of a write"
    );
}

#[tokio::test]
async fn factory_data_is_kept() {
    let mut board = FakeBoard::new("device", Trace::in_memory(Clock::start(1.0)));
    board.write_factory(&[1, 2]).await.expect("written");
    assert_eq!(board.factory(), [1, 2]);
    assert!(board.abilities().storage);
    assert_eq!(board.device(), "device");
}
