//! Futures with wakers of their own, inside one task.
//!
//! A socket of embassy-net wakes its stack's runner whenever it is polled. In one task that wakes the
//! socket's user again, for ever. So the task that runs a stack and the tasks that use its sockets are kept
//! apart: each is polled only if it was woken itself.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use embassy_sync::waitqueue::AtomicWaker;

/// See [`apart`].
pub struct Apart<'f, T> {
    future: Pin<Box<dyn Future<Output = T> + 'f>>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// `future`, polled only if it was woken itself, whatever else in its task was.
pub fn apart<'f, T>(future: impl Future<Output = T> + 'f) -> Apart<'f, T> {
    let bell = Arc::new(Bell {
        rung: AtomicBool::new(true),
        task: AtomicWaker::new(),
    });
    Apart {
        future: Box::pin(future),
        waker: Waker::from(bell.clone()),
        bell,
    }
}

impl<T> Future for Apart<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.bell.task.register(context.waker());
        if !this.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future
            .as_mut()
            .poll(&mut Context::from_waker(&this.waker))
    }
}

/// Rung by whatever the future waits for.
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::{Cell, RefCell};
    use core::future::poll_fn;
    use core::pin::pin;
    use embassy_futures::join::join;

    #[test]
    fn only_who_was_woken_is_polled() {
        let polls = [Cell::new(0), Cell::new(0)];
        let wakers: [RefCell<Option<Waker>>; 2] = Default::default();
        let counting = |index: usize| {
            let (polls, wakers) = (&polls, &wakers);
            apart(poll_fn(move |context| {
                polls[index].set(polls[index].get() + 1);
                wakers[index].replace(Some(context.waker().clone()));
                Poll::<()>::Pending
            }))
        };
        let mut both = pin!(join(counting(0), counting(1)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(both.as_mut().poll(&mut context).is_pending());
        assert!(both.as_mut().poll(&mut context).is_pending());
        assert_eq!((polls[0].get(), polls[1].get()), (1, 1));

        wakers[1].take().expect("it was polled").wake();
        assert!(both.as_mut().poll(&mut context).is_pending());
        assert_eq!((polls[0].get(), polls[1].get()), (1, 2));
    }

    #[test]
    fn waking_a_part_wakes_the_task() {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let task = Waker::from(bell.clone());
        let inner = RefCell::new(None);
        let mut part = pin!(apart(poll_fn(|context| {
            inner.replace(Some(context.waker().clone()));
            Poll::<()>::Pending
        })));
        assert!(
            part.as_mut()
                .poll(&mut Context::from_waker(&task))
                .is_pending()
        );
        inner.take().expect("it was polled").wake();
        assert!(bell.rung.load(Ordering::Acquire));
    }

    #[test]
    fn a_part_that_wakes_itself_is_polled_again() {
        let mut left = 3;
        let mut part = pin!(apart(poll_fn(move |context| {
            left -= 1;
            if left == 0 {
                return Poll::Ready("done");
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })));
        let mut context = Context::from_waker(Waker::noop());
        assert!(part.as_mut().poll(&mut context).is_pending());
        assert!(part.as_mut().poll(&mut context).is_pending());
        assert_eq!(part.as_mut().poll(&mut context), Poll::Ready("done"));
    }
}
