//! What a board's firmware would be told, written into a folder instead of to the board.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use board::process::{Text, Value};
use board::rig::{BoardLink, Broker, Firmware, ProcessLink, Rig, RigBoard};
use factory::{Factory, Network};
use language::{Case, Mistakes, WorldSpec};
use trace::Secrets;

use super::external_cloud::ExternalCloud;
use super::factory_data::{Meeting, factory_data};
use super::hand_over::{self, Handed};
use super::problem::LabError;
use super::program;
use super::surroundings::passphrase;
use super::values::Maker;
use super::world::{self, HOME};

/// The scenario that has everything which a firmware can be told of.
const EVERYTHING: &str = "\
name: Everything that a firmware can be told of
world:
  access_points: { home: {} }
  cloud: { linkkit: {} }
  devices: { device: { telemetry: { topic: proving/telemetry, payload: '{}' } } }
steps:
  - power: on
";

/// The case with everything that a firmware can be told of.
pub fn everything(known: &language::Known) -> Result<Case, Mistakes> {
    let mut cases = language::parse("built-in scenario", EVERYTHING, known)?;
    Ok(cases.remove(0))
}

/// Writes into the new folder `out` what the firmware of `board` would be told in `case`, made from `seed`
/// and at `now` in s since 1970. Each file is its owner's alone. What was written; nothing, if the firmware
/// is told nothing.
pub fn write_hand_over(
    rig: &Rig,
    board: &RigBoard,
    case: &Case,
    (seed, now): (u64, u64),
    out: &Path,
) -> Result<Vec<PathBuf>, LabError> {
    let firmware = board.firmware.as_ref();
    if firmware.is_some_and(|firmware| firmware.hand_over.is_none()) {
        return Ok(Vec::new());
    }
    let world = &*hand_over::world_for(firmware, &case.scenario.world);
    let pki = world::pki(Some(rig), now)?;
    let mut maker = Maker::new(seed);
    let unseen = Secrets::default();
    let mut folder = Folder::new(out)?;
    let loopback = Broker::on_loopback();
    let is_program = matches!(board.link, BoardLink::Process(_));
    let own = rig.broker.as_ref().and_then(|broker| broker.own());
    let meeting = match own.or(is_program.then_some(&loopback)) {
        Some(broker) => Meeting {
            broker: (broker.host(), broker.port),
            time: (broker.host(), broker.time_port),
        },
        None => Meeting::default(),
    };
    let external = ExternalCloud::of(rig)?;
    for (name, device) in world.devices.iter() {
        let values = maker.device(name, world, &unseen);
        let mut factory = factory_data(device, &values, world, &pki, None, None, &meeting)?;
        if let Some(external) = &external {
            external.tell(&mut factory);
        }
        if firmware.is_some_and(Firmware::is_told_of_a_network) {
            factory.network = network(rig, world)?;
        }
        match (&board.link, firmware) {
            (BoardLink::Process(link), firmware) => {
                folder.program(name, link, firmware, &factory)?;
            }
            (_, Some(firmware)) => folder.firmware(name, firmware, &factory)?,
            (_, None) => folder.file(&format!("{name}.factory.bin"), &factory.encode())?,
        }
    }
    Ok(folder.written)
}

/// The network of the rig that a firmware is told of, if the rig has it.
fn network(rig: &Rig, world: &WorldSpec) -> Result<Option<Network>, LabError> {
    let role = world.access_points.names().next().unwrap_or(HOME);
    let Some(point) = rig.access_points.get(role) else {
        return Ok(None);
    };
    Ok(Some(Network {
        ssid: point.ssid.as_bytes().to_vec(),
        passphrase: passphrase(point)?,
    }))
}

/// A folder that is being filled.
struct Folder {
    path: PathBuf,
    written: Vec<PathBuf>,
}

impl Folder {
    fn new(path: &Path) -> Result<Self, LabError> {
        let made = fs::DirBuilder::new().mode(0o700).create(path);
        made.map_err(|source| LabError::Io {
            what: format!("make the new folder {}", path.display()),
            source,
        })?;
        let path = path.to_owned();
        Ok(Self {
            path,
            written: Vec::new(),
        })
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), LabError> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(&path)
            .and_then(|mut file| file.write_all(bytes));
        written.map_err(|source| LabError::Io {
            what: format!("write {}", path.display()),
            source,
        })?;
        self.written.push(path);
        Ok(())
    }

    fn firmware(
        &mut self,
        device: &str,
        firmware: &Firmware,
        factory: &Factory,
    ) -> Result<(), LabError> {
        let path = self.path.clone();
        let handed = Handed {
            firmware,
            device,
            factory,
            folder: &path,
        };
        if let Some(image) = handed.nvs_image(None)? {
            self.file(&format!("{device}.nvs.bin"), &image)?;
        }
        if let Some(files) = &firmware.hand_over.files {
            let folder = hand_over::files_folder(&path, device)?;
            handed.write_files(files, &folder)?;
            let names = files.entries.iter().map(|entry| folder.join(&entry.name));
            self.written.extend(names.filter(|path| path.exists()));
        }
        if let Some(request) = handed.request() {
            self.file(
                &format!("{device}.{}", request.endpoint),
                request.text.as_bytes(),
            )?;
        }
        Ok(())
    }

    /// Certificates and keys as files, and what names them: a line for each variable and argument.
    fn program(
        &mut self,
        device: &str,
        link: &ProcessLink,
        firmware: Option<&Firmware>,
        factory: &Factory,
    ) -> Result<(), LabError> {
        if let Some(firmware) = firmware {
            self.firmware(device, firmware, factory)?;
        }
        let factory_file = format!("{device}.factory.bin");
        if link.mentions(Value::Factory) {
            self.file(&factory_file, &factory.encode())?;
        }
        let settings = program::settings(device, link.clone(), factory, &self.path)?;
        let mut values = settings.values;
        let factory_file = settings.folder.join(factory_file);
        values.insert(Value::Factory, factory_file.display().to_string());
        let of_files = values.values().map(PathBuf::from);
        let is_ours = |path: &PathBuf| path.starts_with(&settings.folder) && path.is_file();
        self.written.extend(of_files.filter(is_ours));
        self.written.sort();
        self.written.dedup();
        let fill = |text: &Text| {
            text.fill(&values).map_err(|value| {
                let what =
                    format!("the world of this case has no `${{{value}}}`, which {device} is told");
                LabError::Scenario(what)
            })
        };
        let arguments = link
            .command
            .iter()
            .map(fill)
            .collect::<Result<Vec<_>, _>>()?;
        self.file(&format!("{device}.command"), lines(arguments).as_bytes())?;
        let variables = link.environment.iter();
        let variables = variables.map(|(name, text)| Ok(format!("{name}={}", fill(text)?)));
        let variables = variables.collect::<Result<Vec<_>, LabError>>()?;
        self.file(
            &format!("{device}.environment"),
            lines(variables).as_bytes(),
        )
    }
}

fn lines(texts: Vec<String>) -> String {
    texts.into_iter().map(|text| text + "\n").collect()
}
