//! The fake keeps a board's rules, so that what is tested against it holds on others.

use board::conformance::{self, Bench, Firmware, Subject};
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
