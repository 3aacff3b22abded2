//! Whether another run has the board.

use board::lease::Leases;
use board::rig::RigBoard;

use super::Finding;

const CHECK: &str = "lease";

pub(super) fn check(board: &RigBoard) -> Vec<Finding> {
    let held = match Leases::if_there() {
        Ok(leases) => leases.and_then(|leases| leases.holder(&board.identity())),
        Err(error) => {
            let mend = "remove that folder, or set XDG_RUNTIME_DIR to one of your own";
            return vec![Finding::not_ok(CHECK, error.to_string(), mend)];
        }
    };
    vec![match held {
        None => Finding::ok(CHECK, format!("no run holds {}", board.name)),
        Some(holder) => Finding::not_ok(
            CHECK,
            format!(
                "{} is held by process {} ({}), for {} s more",
                board.name,
                holder.pid,
                holder.purpose,
                holder.seconds_left()
            ),
            format!(
                "`proving run --wait 10m` queues for it; `kill {}` ends that process",
                holder.pid
            ),
        ),
    }]
}
