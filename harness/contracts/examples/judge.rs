//! Judges trace files by all contracts that need no facts: `cargo run --example judge -- TRACE …`.

use std::path::Path;

use contracts::{Contracts, Facts};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in std::env::args().skip(1) {
        let mut contracts = Contracts::new(&Facts::default());
        for event in trace::read(Path::new(&file))? {
            for breach in contracts.event(&event) {
                println!("{file}: {breach:?}");
            }
        }
        for (contract, standing) in contracts.standings() {
            if standing.held + standing.broken > 0 {
                println!("{file}: exercised {} {}", contract.id, standing.held);
            }
        }
    }
    Ok(())
}
