//! What a firmware that is not the reference device's is told of the world, and how.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use board::process::Value;
use board::rig::{Files, Firmware, HandOver, NvsTemplate};
use board::{Board, BoardError};
use clock::Clock;
use factory::Factory;
use language::WorldSpec;
use trace::in_full;

use super::problem::LabError;
use super::program::{self, write_private};

/// The namespace in which ESP-IDF keeps the network that a device was told of.
const WIFI: &str = "nvs.net80211";

/// `world` with a cloud that `firmware` can be told of, if it wants to be and there is none: without, it
/// would complain of what the scenario does not speak of.
pub fn world_for<'w>(firmware: Option<&Firmware>, world: &'w WorldSpec) -> Cow<'w, WorldSpec> {
    let told = firmware.map(|firmware| &firmware.hand_over);
    let is_told = |value| told.is_some_and(|told| told.mentions(value));
    let broker = is_told(Value::BrokerHost) || is_told(Value::BrokerPort);
    let linkkit = is_told(Value::ProductKey) || is_told(Value::DeviceSecret);
    if !broker && !linkkit {
        return Cow::Borrowed(world);
    }
    let mut world = world.clone();
    let cloud = world.cloud.get_or_insert_default();
    // A world has one cloud.
    if linkkit && cloud.thingsboard.is_none() {
        cloud.linkkit.get_or_insert_default();
    }
    Cow::Owned(world)
}

/// What a phone tells a firmware in its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedRequest {
    /// To which endpoint.
    pub endpoint: String,
    /// What is sent.
    pub text: String,
    /// What the answer must contain.
    pub reply: Option<String>,
}

/// What a firmware is told, with what goes before and after it on its board.
pub struct Handed<'h> {
    /// Its section of the rig file.
    pub firmware: &'h Firmware,
    /// The device's name in the scenario.
    pub device: &'h str,
    /// What the reference firmware would be told.
    pub factory: &'h Factory,
    /// A folder of the attempt's alone.
    pub folder: &'h Path,
}

impl Handed<'_> {
    /// Tells the firmware on `board`, which is off. Storage is erased first if `erase`; what the firmware
    /// keeps there besides is kept if its section says so. The image that was written, if there is one.
    pub async fn hand_over(
        &self,
        board: &mut dyn Board,
        erase: bool,
        clock: &Clock,
    ) -> Result<Option<Vec<u8>>, LabError> {
        let told = &self.firmware.hand_over;
        let merges = told.nvs.as_ref().is_some_and(|nvs| nvs.merge);
        let stored = match merges {
            true => Some(board.read_storage().await?),
            false => None,
        };
        // An image that is merged into has no network in it any more.
        if erase && !merges {
            board.erase_storage().await?;
        }
        let mut image = self.nvs_image(stored.as_deref())?;
        if let Some(files) = &told.files {
            let made = self.made_of_files(files, clock).await?;
            image = image.or(made);
        }
        if let Some(image) = &image {
            board.write_factory(image).await?;
        }
        Ok(image)
    }

    /// The image of its NVS partition, if it is told by that. `stored` is the partition as it is now.
    pub fn nvs_image(&self, stored: Option<&[u8]>) -> Result<Option<Vec<u8>>, LabError> {
        let Some(template) = &self.firmware.hand_over.nvs else {
            return Ok(None);
        };
        let rows = self.rows(template)?;
        let size = template.size;
        let made = match stored {
            None => nvs::image(&rows, size),
            Some(stored) if stored.len() != size => {
                return Err(self.wrong(format!(
                    "`storage.read` gave {:#x} bytes, and the NVS partition has {size:#x}",
                    stored.len()
                )));
            }
            Some(stored) => nvs::rows(stored).and_then(|mut kept| {
                kept.retain(|row| row.namespace() != WIFI);
                nvs::merged(&nvs::image(&kept, size)?, &rows)
            }),
        };
        let image = made.map_err(|error| self.wrong(in_full(&error)))?;
        Ok(Some(image))
    }

    /// The rows of its NVS partition. One that wants what the world of the case does not have is left
    /// out.
    pub fn rows(&self, template: &NvsTemplate) -> Result<Vec<nvs::Row>, LabError> {
        let values = self.values();
        let mut rows = Vec::new();
        for row in &template.rows {
            let sole = row.value.sole().filter(|_| row.of == "blob");
            let value = match sole.filter(|sole| sole.is_bytes()) {
                Some(sole) => match self.bytes(sole) {
                    Some(bytes) => Ok(nvs::Value::Blob(bytes)),
                    None => continue,
                },
                None => match row.value.fill(&values) {
                    Ok(text) => nvs::Value::parse(row.of, &text),
                    Err(_) => continue,
                },
            };
            let made = value.and_then(|value| nvs::Row::new(&row.namespace, &row.key, value));
            rows.push(made.map_err(|error| self.wrong(in_full(&error)))?);
        }
        Ok(rows)
    }

    /// Writes its files, of which the command of its section, if there is one, may make an image.
    async fn made_of_files(
        &self,
        files: &Files,
        clock: &Clock,
    ) -> Result<Option<Vec<u8>>, LabError> {
        let folder = files_folder(self.folder, self.device)?;
        self.write_files(files, &folder)?;
        let Some(template) = &files.command else {
            return Ok(None);
        };
        // Beside it, and absolute like it: the command runs in the folder of the rig file.
        let image = folder.with_extension("image");
        let values = [
            ("folder", folder.display().to_string()),
            ("file", image.display().to_string()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, &**value));
        let command = template.fill(&values);
        command
            .run(clock, &mut |_| {})
            .await
            .map_err(BoardError::from)?;
        if !template.mentions("file") {
            return Ok(None);
        }
        let read = fs::read(&image).map_err(|source| LabError::Io {
            what: format!("read the image that `{command}` should have made"),
            source,
        })?;
        Ok(Some(read))
    }

    /// Writes its files into `folder`. One that wants what the world of the case does not have is left
    /// out.
    pub fn write_files(&self, files: &Files, folder: &Path) -> Result<(), LabError> {
        let values = self.values();
        for entry in &files.entries {
            let path = folder.join(&entry.name);
            let sole = entry.content.sole().filter(|sole| sole.is_bytes());
            let bytes = match sole {
                Some(sole) => self.bytes(sole),
                None => {
                    let written = |value| Some(entry.written(values.get(&value)?));
                    entry
                        .content
                        .fill_with(written)
                        .ok()
                        .map(String::into_bytes)
                }
            };
            let Some(bytes) = bytes else { continue };
            let made = path.parent().map_or(Ok(()), private_folder);
            made.and_then(|()| write_private(&path, &bytes))
                .map_err(|source| LabError::Io {
                    what: format!("write {}", path.display()),
                    source,
                })?;
        }
        Ok(())
    }

    /// What a phone tells it in its session; nothing if the world of the case does not have what stands in
    /// it.
    pub fn request(&self) -> Option<HandedRequest> {
        let endpoint = self.firmware.hand_over.endpoint.as_ref()?;
        let values = self.values();
        let written = |value| Some(endpoint.written(values.get(&value)?));
        Some(HandedRequest {
            endpoint: endpoint.name.clone(),
            text: endpoint.value.fill_with(written).ok()?,
            reply: endpoint.reply.clone(),
        })
    }

    /// A value that is bytes.
    fn bytes(&self, value: Value) -> Option<Vec<u8>> {
        match value {
            Value::Factory => Some(self.factory.encode()),
            value => program::files(self.factory).remove(&value),
        }
    }

    /// Everything as text: certificates and keys by what their files hold, DER in base64.
    fn values(&self) -> BTreeMap<Value, String> {
        let mut values = program::told(self.factory);
        for (value, bytes) in program::files(self.factory) {
            let text = match value.is_bytes() {
                true => STANDARD.encode(bytes),
                false => String::from_utf8_lossy(&bytes).into_owned(),
            };
            values.insert(value, text);
        }
        values
    }

    fn wrong(&self, why: String) -> LabError {
        LabError::HandOver {
            firmware: self.firmware.to_string(),
            why,
        }
    }
}

/// Whether the image that a firmware is told by lies in what it stores itself, so that it is gone when
/// that is erased.
pub fn is_in_storage(told: &HandOver) -> bool {
    told.nvs.is_some()
}

/// The folder of a device's files, in the attempt's.
pub fn files_folder(folder: &Path, device: &str) -> Result<PathBuf, LabError> {
    let path = std::path::absolute(folder.join(format!("{device}.files")));
    let made = path.and_then(|path| private_folder(&path).map(|()| path));
    made.map_err(|source| LabError::Io {
        what: format!("make a folder for the files of {device}"),
        source,
    })
}

fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}
