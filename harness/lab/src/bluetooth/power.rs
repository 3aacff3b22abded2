//! A board's controller has power when the board has.

use futures_util::FutureExt;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::ether::WeakEther;
use crate::wire::LabEnd;

/// Runs a controller whenever the board behind `wire` has power, until the board or the medium is
/// gone.
pub(super) async fn follow(ether: WeakEther, device: String, address: [u8; 6], mut wire: LabEnd) {
    let mut power = wire.power();
    loop {
        if switched_on(&mut power).await.is_err() {
            return;
        }
        let Some(controller) = ether
            .upgrade()
            .map(|ether| ether.controller(&device, address))
        else {
            return;
        };
        let changed = tokio::select! {
            // Gone for this board's next start, after garbage.
            () = controller.run(&mut wire) => power.changed().await,
            changed = power.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        // What the board said last is for nobody. Its next words come after this task has run.
        let mut rest = [0; 512];
        while let Some(Ok(1..)) = wire.read(&mut rest).now_or_never() {}
    }
}

async fn switched_on(power: &mut watch::Receiver<bool>) -> Result<(), watch::error::RecvError> {
    power.wait_for(|on| *on).await.map(drop)
}
