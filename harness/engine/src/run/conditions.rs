//! What of a plan's settings an attempt's report has to say, so that it can be made again.

use std::path::Path;

use board::rig::DEFAULT_FILE;
use report::Conditions;

use super::{BoardKind, BoardModel, BrokenProbe, Case, Flash, Settings};

/// What an attempt at `case` is made with, as far as it is not the default.
pub(super) fn of(case: &Case, settings: &Settings) -> Conditions {
    let kind = BoardModel::named(&case.board).map_or(BoardKind::Rig, |model| model.kind);
    let native = kind == BoardKind::Native;
    let rig = case.rig.clone();
    let image = settings.image.clone();
    let device = settings.device.clone();
    let is_usual = settings.speed.total_cmp(&Settings::SPEED).is_eq();
    Conditions {
        case_id: (case.case_id != case.id).then(|| case.case_id.clone()),
        board: (!native).then(|| case.board.clone()),
        rig: rig.filter(|rig| rig != Path::new(DEFAULT_FILE)),
        image: image.filter(|_| !native),
        device: device.filter(|_| native),
        flash: (!native && settings.flash == Flash::Always).then(|| "always".to_owned()),
        probe_fault: settings
            .probe_fault
            .filter(|_| !native)
            .map(|fault| name_of(fault).to_owned()),
        speed: (!is_usual).then(|| settings.speed.to_string()),
    }
}

fn name_of(fault: BrokenProbe) -> &'static str {
    let mut all = BrokenProbe::ALL.into_iter();
    all.find(|(known, _, _)| *known == fault)
        .map_or("", |(_, name, _)| name)
}
