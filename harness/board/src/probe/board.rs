//! The board itself.

use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use trace::Trace;

use super::event::into_trace;
use super::{ProbeSettings, Worker, flash};
use crate::defmt::Image;
use crate::error::ProbeError;
use crate::power::PowerSwitch;
use crate::state::{must_be_off, must_be_on};
use crate::{Abilities, Board, BoardError, ImageFlashed, Power, PowerChanged};

/// A board behind a debug probe. Dropping it leaves the firmware running.
pub struct ProbeBoard {
    settings: ProbeSettings,
    trace: Trace,
    image: Arc<Image>,
    worker: Worker,
    switch: Option<Box<dyn PowerSwitch>>,
    factory: Option<Vec<u8>>,
    /// Whether the image has been looked for on the chip.
    flashed: bool,
    /// Whether the image is written although it stands there already.
    flashes_anew: bool,
    /// It was given power, or tried to be, and not taken it since.
    powered: bool,
    /// The trace was told last that it is on, unless the device itself has told that it is dark.
    told_on: bool,
}

impl ProbeBoard {
    /// A board that is off as far as the lab is concerned. Reads the image; the probe is opened
    /// when it is first needed.
    pub fn new(settings: ProbeSettings, trace: Trace) -> Result<Self, BoardError> {
        let image = Arc::new(Image::read(&settings.image).map_err(ProbeError::from)?);
        let listener = {
            let (trace, device) = (trace.clone(), settings.device.clone());
            let unexplained = settings.unexplained_reset;
            move || into_trace(trace.clone(), device.clone(), unexplained)
        };
        let worker = Worker::start(settings.clone(), image.clone(), listener);
        Ok(Self {
            settings,
            trace,
            image,
            worker,
            switch: None,
            factory: None,
            flashed: false,
            flashes_anew: false,
            powered: false,
            told_on: false,
        })
    }

    /// The same board with a supply that can be switched, and that is off.
    #[must_use]
    pub fn with_power_switch(mut self, switch: Box<dyn PowerSwitch>) -> Self {
        self.switch = Some(switch);
        self
    }

    /// The same board, whose image is written although it stands there already, if `anew`.
    #[must_use]
    pub fn flashing_anew(self, anew: bool) -> Self {
        Self {
            flashes_anew: anew,
            ..self
        }
    }

    /// What the firmware describes itself as.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Makes the image stand on the chip, unless it stands there already; the first
    /// [`power_on`](Board::power_on) does it too. The firmware is held in reset afterwards.
    pub async fn flash(&mut self) -> Result<(), BoardError> {
        let image = self.image.clone();
        let anew = self.flashes_anew;
        let _busy = self.trace.clock().busy();
        let flashed = self
            .worker
            .call(
                "flash the image",
                self.settings.limits.flash,
                move |device| {
                    let flashed = flash::image(device.session()?, &image, anew, &mut |_| {})?;
                    device.hold()?;
                    Ok(flashed)
                },
            )
            .await?;
        self.flashed = true;
        self.trace.emit(
            Some(&self.settings.device),
            &ImageFlashed {
                image: self.settings.image.display().to_string(),
                skipped: flashed.skipped,
                bytes: flashed.bytes,
                took_ms: u64::try_from(flashed.took.as_millis()).unwrap_or(u64::MAX),
            },
        );
        Ok(())
    }

    /// Brings everything onto the chip that counts from the next start on, and starts it.
    async fn start(&mut self, how: &str) -> Result<(), BoardError> {
        let _busy = self.trace.clock().busy();
        if !self.flashed {
            self.flash().await?;
        }
        if let Some(factory) = self.factory.take() {
            let region = self.region("factory")?;
            let address = region.start;
            self.worker
                .call(
                    "write the factory data",
                    self.settings.limits.flash,
                    move |device| device.write(address, &factory, "the factory data"),
                )
                .await?;
        }
        self.power_changed(Power::On, how);
        (self.powered, self.told_on) = (true, true);
        let limit = self.settings.limits.command + self.settings.limits.boot;
        Ok(self
            .worker
            .call("start the firmware", limit, super::Device::start)
            .await?)
    }

    async fn stop(&mut self) -> Result<(), BoardError> {
        let _busy = self.trace.clock().busy();
        let limit = self.settings.limits.command;
        Ok(self
            .worker
            .call("hold the board in reset", limit, super::Device::hold)
            .await?)
    }

    async fn is_running(&mut self) -> Result<bool, BoardError> {
        let limit = self.settings.limits.command;
        Ok(self
            .worker
            .call("say whether it runs", limit, |device| {
                Ok(device.is_running())
            })
            .await?)
    }

    async fn is_on(&mut self) -> Result<bool, BoardError> {
        if !self.told_on {
            return Ok(false);
        }
        let limit = self.settings.limits.command;
        let dark = self
            .worker
            .call("say whether it is dark", limit, |device| {
                Ok(device.is_dark())
            })
            .await?;
        Ok(!dark)
    }

    async fn must_be_off(&mut self, what: &'static str) -> Result<(), BoardError> {
        must_be_off(self.is_on().await?, what)
    }

    async fn must_be_on(&mut self, what: &'static str) -> Result<(), BoardError> {
        must_be_on(self.is_on().await?, what)
    }

    async fn switch(&mut self, power: Power) -> Result<(), BoardError> {
        match &mut self.switch {
            Some(switch) => switch.switch(power).await,
            None => Ok(()),
        }
    }

    /// Runs `job` while memory can be reached, the firmware does not run, and the board is off
    /// before and after.
    async fn while_off<R: Send + 'static>(
        &mut self,
        what: &'static str,
        job: impl FnOnce(&mut super::Device) -> Result<R, ProbeError> + Send + 'static,
    ) -> Result<R, BoardError> {
        let _busy = self.trace.clock().busy();
        let needs_power = self
            .switch
            .as_ref()
            .is_some_and(|switch| !switch.memory_stays_reachable());
        if needs_power {
            self.switch(Power::On).await?;
        }
        let limit = self.settings.limits.flash;
        let done = self
            .worker
            .call(what, limit, move |device| {
                if needs_power {
                    device.detach();
                }
                device.hold()?;
                job(device)
            })
            .await;
        if needs_power {
            self.detach().await?;
            self.switch(Power::Off).await?;
        }
        Ok(done?)
    }

    async fn detach(&mut self) -> Result<(), BoardError> {
        let limit = self.settings.limits.command;
        Ok(self
            .worker
            .call("let go of the chip", limit, |device| {
                device.detach();
                Ok(())
            })
            .await?)
    }

    fn region(&self, region: &'static str) -> Result<Range<u64>, ProbeError> {
        let (set, start, end) = match region {
            "factory" => (&self.settings.factory, "__factory_start", "__factory_end"),
            _ => (&self.settings.storage, "__storage_start", "__storage_end"),
        };
        set.clone()
            .or_else(|| self.image.region(start, end))
            .ok_or_else(|| ProbeError::NoRegion {
                image: self.image.path().display().to_string(),
                region,
            })
    }

    fn power_changed(&self, power: Power, how: &str) {
        let how = how.to_owned();
        self.trace
            .emit(Some(&self.settings.device), &PowerChanged { power, how });
    }
}

impl Board for ProbeBoard {
    fn device(&self) -> &str {
        &self.settings.device
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            power: self.switch.is_some(),
            torn_write: self.image.symbol("STORAGE_WRITE_BUDGET").is_some(),
            storage: self.region("storage").is_ok(),
            scaled_time: false,
            bugs: false,
            short_records: true,
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        async {
            let region = self.region("factory")?;
            self.must_be_off("write factory data").await?;
            let room = region.end - region.start;
            if image.len() as u64 > room {
                return Err(ProbeError::FactoryTooLarge {
                    bytes: image.len(),
                    room,
                }
                .into());
            }
            // Up to the end of the region, so that nothing of what was there before stays.
            let mut whole = image.to_vec();
            whole.resize(usize::try_from(room).unwrap_or(image.len()), 0xFF);
            self.factory = Some(whole);
            Ok(())
        }
        .boxed()
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.must_be_off("switch the power on").await?;
            self.powered = true;
            self.switch(Power::On).await?;
            let how = match self.switch.is_some() {
                true => "switched on",
                false => "let out of reset",
            };
            self.start(how).await
        }
        .boxed()
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            if !self.powered {
                return Ok(());
            }
            self.stop().await?;
            // A board that is dark is made sure of, and was told of.
            let on = self.is_on().await?;
            let how = match self.switch.is_some() {
                true => {
                    self.detach().await?;
                    self.switch(Power::Off).await?;
                    "switched off"
                }
                false => "held in reset",
            };
            (self.powered, self.told_on) = (false, false);
            if on {
                self.power_changed(Power::Off, how);
            }
            Ok(())
        }
        .boxed()
    }

    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        async move {
            let Some(budget) = self.image.symbol("STORAGE_WRITE_BUDGET") else {
                return Err(ProbeError::NoSymbol {
                    image: self.image.path().display().to_string(),
                    symbol: "STORAGE_WRITE_BUDGET",
                    what: "cut the power in a write",
                }
                .into());
            };
            let what = "cut the power in a write";
            self.must_be_on(what).await?;
            if !self.is_running().await? {
                return Err(BoardError::State {
                    what,
                    state: "on, but its firmware has ended",
                });
            }
            // The largest value stands for no limit.
            let after = u32::try_from(after).unwrap_or(u32::MAX).min(u32::MAX - 1);
            let limit = self.settings.limits.command;
            let _busy = self.trace.clock().busy();
            Ok(self
                .worker
                .call(what, limit, move |device| device.write_word(budget, after))
                .await?)
        }
        .boxed()
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.must_be_on("reset the board").await?;
            self.stop().await?;
            self.start("reset").await
        }
        .boxed()
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        async {
            let region = self.region("storage")?;
            self.must_be_off("read the storage").await?;
            self.while_off("read the storage", move |device| device.read(region))
                .await
        }
        .boxed()
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            let region = self.region("storage")?;
            self.must_be_off("erase the storage").await?;
            let length = usize::try_from(region.end - region.start).unwrap_or(0);
            self.while_off("erase the storage", move |device| {
                device.write(region.start, &vec![0xFF; length], "the erased storage")?;
                Ok(())
            })
            .await
        }
        .boxed()
    }

    fn write_storage<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        async {
            let region = self.region("storage")?;
            self.must_be_off("write the storage").await?;
            let length = usize::try_from(region.end - region.start).unwrap_or(0);
            let mut image = image.to_vec();
            image.resize(length, 0xFF);
            self.while_off("write the storage", move |device| {
                device.write(region.start, &image, "the storage")?;
                Ok(())
            })
            .await
        }
        .boxed()
    }
}
