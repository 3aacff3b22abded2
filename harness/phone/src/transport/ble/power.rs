//! The power of an adapter, which is as it was once it is no longer used.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use tokio::runtime::Handle;
use zbus::Connection;

use crate::hold::Hold;

/// What stands in the note about an adapter that was off.
const WAS_OFF: &str = "off";

/// An adapter that was off and is switched on, until the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Borrowed(Arc<Adapter>);

#[derive(Debug)]
struct Adapter {
    name: String,
    hold: Option<Hold>,
}

#[zbus::proxy(interface = "org.bluez.Adapter1", default_service = "org.bluez")]
trait Adapter1 {
    #[zbus(property(emits_changed_signal = "false"))]
    fn powered(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn set_powered(&self, on: bool) -> zbus::Result<()>;
}

impl Borrowed {
    /// The adapter `name`, if it is off, or was until a process of ours switched it on that was killed
    /// since.
    pub(super) async fn of(name: &str, is_on: bool, clock: &Clock) -> Option<Self> {
        if is_on && !Hold::is_noted(name) {
            return None;
        }
        let taken = Hold::take(name, Duration::ZERO, clock).await.ok().flatten();
        let (hold, note) = match taken {
            Some((mut hold, note)) => {
                // Without a note it is on after a kill, which is all that is lost.
                let _ = hold.note(WAS_OFF);
                (Some(hold), note)
            }
            // Another process of ours, which puts it back.
            None if is_on => return None,
            None => (None, None),
        };
        let was_left_on = note.as_deref() == Some(WAS_OFF);
        (!is_on || was_left_on).then(|| {
            Self(Arc::new(Adapter {
                name: name.to_owned(),
                hold,
            }))
        })
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let (name, hold) = (std::mem::take(&mut self.name), self.hold.take());
        // It has no name once it was put back.
        if let (false, Ok(runtime)) = (name.is_empty(), Handle::try_current()) {
            // A process that ends before that has left its note.
            runtime.spawn(async move { switch_off(&name, hold).await });
        }
    }
}

/// Puts back what is borrowed, if this is the last clone, and waits until it is.
pub(super) async fn put_back(borrowed: Borrowed) {
    if let Ok(mut adapter) = Arc::try_unwrap(borrowed.0) {
        let (name, hold) = (std::mem::take(&mut adapter.name), adapter.hold.take());
        switch_off(&name, hold).await;
    }
}

async fn switch_off(name: &str, hold: Option<Hold>) {
    let switched = async {
        let connection = Connection::system().await?;
        let path = format!("/org/bluez/{name}");
        let adapter = Adapter1Proxy::new(&connection, path).await?;
        adapter.set_powered(false).await
    };
    // An adapter that is gone is off.
    let _ = switched.await;
    if let Some(mut hold) = hold {
        // The next one finds it off.
        let _ = hold.note("");
    }
}
