//! What of the device could be wrong without any scenario or contract noticing: `cargo xtask mutants`.
//!
//! A mutant is the reference device with one change: one of the operators of [`operators`], or a defect of the
//! list in `defects/`, which says what firmware of the field gets wrong. Each is built alone, in a copy of the
//! firmware's workspace, and given to every scenario by `proving run --device`. A verdict `failed` kills it;
//! `broken`, a mutant that does not build and one that takes too long are counted apart. Unit tests are not
//! asked: what only they see, nobody would see on another board.

mod defects;
mod judge;
mod mutant;
mod operators;
mod plan;
mod results;
mod table;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::command::{release, root, target};
use judge::{Attempt, Judge, Judgement};
use mutant::Mutant;
use plan::{Plan, Wanted};
use results::{Outcome, Record, Results};
use tree::Tree;

/// Where the device's source is, from the root.
const SOURCE: &str = "firmware/device/src";

/// So many cases that have killed others of a module are run first.
const KILLERS: usize = 12;

/// Does what the arguments say.
pub fn mutants(arguments: &[String]) -> Result<(), String> {
    let plan = Plan::of(arguments)?;
    let all = every(&root())?;
    let chosen = plan.choose(&all);
    if plan.wanted == Wanted::List {
        for mutant in &chosen {
            println!("{mutant}");
        }
        println!("{} of {} mutants", chosen.len(), all.len());
        return Ok(());
    }
    let results = match plan.contracts_alone {
        true => "mutants/by_contracts.jsonl",
        false => "mutants/results.jsonl",
    };
    let mut results = Results::open(&target().join(results))?;
    if plan.wanted == Wanted::Table {
        print!("{}", table::table(&chosen, &results)?);
        return Ok(());
    }
    if chosen.is_empty() {
        return Err("no mutant is chosen: see `cargo xtask mutants --list`".into());
    }
    let proving = match &plan.proving {
        Some(file) => file.clone(),
        None => release()?,
    };
    let judge = Judge::new(proving, plan.jobs, plan.contracts_alone);
    let tree = Tree::make(&root(), &target().join("mutants"))?;
    let device = tree
        .build()
        .map_err(|error| format!("the device itself does not build: {error}"))?;
    if plan.checks_the_device {
        sound(&judge, &device)?;
    }
    for (number, mutant) in chosen.iter().enumerate() {
        if !plan.again(results.of(&mutant.id)) {
            continue;
        }
        let number = format!("{}/{}", number + 1, chosen.len());
        match tried(mutant, &tree, &judge, &results, &plan)? {
            Some(record) => {
                eprintln!("    {number} {record}");
                results.add(record)?;
            }
            None => eprintln!("    {number} unnoticed   {mutant}: not by the cases of its part"),
        }
    }
    print!("{}", table::table(&chosen, &results)?);
    Ok(())
}

/// Every mutant of the device's source, in the order of files and lines, then those of the list.
fn every(root: &Path) -> Result<Vec<Mutant>, String> {
    let source = root.join(SOURCE);
    let mut mutants = operators::mutants(&source)?;
    mutants.extend(defects::mutants(
        &root.join("xtask/src/mutants/defects"),
        &source,
    )?);
    let mut seen: BTreeMap<&str, &Mutant> = BTreeMap::new();
    for mutant in &mutants {
        if let Some(other) = seen.insert(&mutant.id, mutant) {
            return Err(format!(
                "two mutants are called {}: {other} and {mutant}",
                mutant.id
            ));
        }
    }
    Ok(mutants)
}

/// The device without a change must pass, or no verdict on a mutant means anything.
fn sound(judge: &Judge, device: &Path) -> Result<(), String> {
    let judgement = judge.judge(device)?;
    match (judgement.outcome, judgement.by) {
        (Outcome::Survived, _) => Ok(()),
        (_, by) => Err(format!(
            "the device without a change does not pass: {}",
            by.map(|by| by.to_string()).unwrap_or_default()
        )),
    }
}

/// What is likely to notice a mutant: cases that have noticed others of its module, and the scenarios of its part.
fn first(mutant: &Mutant, results: &Results) -> Vec<String> {
    let module = mutant.module();
    let killers = results.killers(module, KILLERS);
    // What an expression cannot hold is run with all the others.
    let named = killers.iter().filter(|case| !case.contains(['(', ')']));
    let named: Vec<_> = named.map(|case| format!("name(={case})")).collect();
    let mut first = Vec::new();
    if !named.is_empty() {
        first.push(named.join(" | "));
    }
    let parts: &[&str] = match module {
        "http" | "httpd" => &["https", "hostile", "softap"],
        "coap" | "linkkit" => &["linkkit", "hostile", "softap"],
        "uplink" => &[
            "mqtt",
            "thingsboard",
            "esp8266",
            "clock",
            "network",
            "linkkit",
        ],
        "mqtt" => &["mqtt", "on_network", "tls", "network", "linkkit"],
        "transport" => &["tls", "mqtt", "network"],
        "board" => &["clock", "tls"],
        "network" | "station" | "resolve" | "backoff" => &["network", "clock", "softap"],
        "storage" | "credentials" => &["storage", "provisioning"],
        "mdns" => &["softap", "https"],
        _ => &["provisioning", "softap", "ble", "console", "hostile"],
    };
    let paths: Vec<_> = parts
        .iter()
        .map(|part| format!("path(scenarios/{part}/)"))
        .collect();
    first.push(paths.join(" | "));
    first
}

/// What came of a mutant; None if only the cases of its part are run, and none of them has noticed it.
fn tried(
    mutant: &Mutant,
    tree: &Tree,
    judge: &Judge,
    results: &Results,
    plan: &Plan,
) -> Result<Option<Record>, String> {
    let began = Instant::now();
    let built = tree.build_with(mutant)?;
    let build_s = began.elapsed().as_secs_f32();
    let began = Instant::now();
    let (outcome, by, case) = match built {
        Ok(device) => {
            // What has noticed one mutant often notices the next.
            let mut judgement = judge.killed_by(&device, &first(mutant, results))?;
            if judgement.is_none() && !plan.part {
                judgement = Some(judge.judge(&device)?);
            }
            if judgement.as_ref().is_none_or(Judgement::is_survivor)
                && let Some(lasts) = &plan.explore
                && let Some(found) = judge.explore(&device, lasts)?
            {
                judgement = Some(found);
            }
            let Some(Judgement { outcome, by }) = judgement else {
                return Ok(None);
            };
            let said = by.as_ref().map(Attempt::to_string);
            // What a walk found cannot be asked for by the name of a case.
            let by = by.filter(|by| outcome == Outcome::Killed && by.case != judge::EXPLORE);
            (outcome, said, by.map(|by| by.case))
        }
        Err(why) => (Outcome::Unbuildable, Some(why), None),
    };
    Ok(Some(Record {
        id: mutant.id.clone(),
        module: mutant.module().to_owned(),
        what: mutant.to_string(),
        outcome,
        by,
        case,
        build_s,
        judge_s: began.elapsed().as_secs_f32(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_mutants_have_one_name() {
        every(&root()).expect("names of their own");
    }
}
