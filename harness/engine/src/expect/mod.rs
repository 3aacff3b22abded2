//! Expectations over a trace.
//!
//! An attempt has one [`Expectations`], which meets one [`Clause`](language::Clause) after
//! the other, and one [`NeverWatch`], which is polled, or awaited beside everything else, from the
//! first step to the end of `settle`.
//!
//! - Each source of each device has a cursor, behind its last event that an expectation consumed.
//!   An expectation reads from there, or from where `since` says.
//! - `within` and `for` count lab time from the start of the step. What is there already counts at
//!   once; what comes later than the limit does not count.
//! - `in_order` takes the first event that meets the first pattern, the first after it that meets
//!   the second, and so on. `any_order` wants an event of its own for each pattern and finds a
//!   distribution if there is one. Both consume the events that they met.
//! - `count … within` is met by as many events as are needed and consumes those; `count … for` looks
//!   at the whole time and consumes all. One too many fails at once.
//! - `never … for` consumes nothing.
//! - A pattern's text is redacted like the trace, so a secret in it is found all the same. What is
//!   captured is redacted too: [`trace::Secrets::reveal`] gives what can be put to use.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! use engine::expect::Expectations;
//! use language::{Captures, Expect, Known, Step, parse};
//! use trace::{Level, LogLine, Trace};
//!
//! let text = "
//! name: Example
//! world: { devices: { device: {} } }
//! steps: [expect: { log: { text: Got IP }, within: 5s }]
//! ";
//! let cases = parse("example.yaml", text, &Known::default()).unwrap();
//! let Step::Expect(Expect::Clause(clause)) = &cases[0].scenario.steps[0].value else { panic!() };
//!
//! let trace = Trace::in_memory(clock::Clock::start(1000.0));
//! let mut expectations = Expectations::new(trace.clone());
//! let mut captures = Captures::default();
//! let start = trace.clock().now();
//! let miss = expectations.meet(clause, &mut captures, start).await.unwrap_err();
//! assert_eq!(miss.message, "log \"Got IP\" did not come within 5s");
//! # });
//! ```

mod cursors;
mod expectations;
mod matcher;
mod miss;
mod near;
mod never;
mod progress;
mod unasked;

#[cfg(test)]
mod tests;

pub use cursors::Sets;
pub use expectations::Expectations;
pub use matcher::NotReady;
pub use miss::Miss;
pub use never::{NeverWatch, Violation};
