//! The flash of an ESP8266 in a world: what esptool writes to it, and what the firmware looks for.

use factory::{Credentials, Factory};
use pki::esp8266::{Chip, Material, Order};
use pki::{Pki, PkiError};

use language::{Device, Esp8266Nonos, FlashedLast};

/// The authority that signs what is good for devices which know RSA alone.
pub const AUTHORITY: &str = "rsa-ca";
/// Profile of the broker's certificate in a world with such devices.
pub const SERVER: &str = "server-rsa";
/// Profile of such a device's certificate.
pub const CLIENT: &str = "client-rsa";

/// Bytes of flash that are handed to a device.
const MOST: usize = 48 * 1024;
/// From a failed connection to the next: the demo counts five whole seconds and acts at the sixth tick.
const RECONNECT_MS: u32 = 6_000;

/// Puts the flash of a device of this kind into its factory data.
pub fn put_in(device: &Device, pki: &Pki, factory: &mut Factory) -> Result<(), PkiError> {
    let (Some(chip), Some(cloud)) = (&device.esp8266_nonos, &mut factory.cloud) else {
        return Ok(());
    };
    let (flash_address, flash) = flash(chip, cloud.credentials.as_ref(), pki)?;
    if !chip.client.enabled {
        cloud.credentials = None;
    }
    cloud.check_dates &= chip.ca.enabled;
    // axTLS compares no name.
    cloud.check_name = false;
    cloud.reconnect_ms = RECONNECT_MS;
    cloud.reconnect_max_ms = RECONNECT_MS;
    // What stands in the demo's configuration.
    cloud.username = "chenwu".to_owned();
    cloud.password = "chenwu".to_owned();
    factory.esp8266 = Some(factory::Esp8266 {
        ca_sector: chip.ca.enabled.then_some(chip.ca.sector),
        certificate_sector: chip.client.enabled.then_some(chip.client.sector),
        buffer: chip.buffer,
        max_fragment: chip
            .max_fragment
            .as_ref()
            .map_or(0, |longest| longest.value),
        topics: chip.topics.clone(),
        flash_address,
        flash,
    });
    Ok(())
}

/// The address of its first byte, and what stands there.
fn flash(
    settings: &Esp8266Nonos,
    credentials: Option<&Credentials>,
    pki: &Pki,
) -> Result<(u32, Vec<u8>), PkiError> {
    let (ca, client) = (&settings.ca, &settings.client);
    let authority = ca.authority.as_ref().map_or(AUTHORITY, |name| &name.value);
    let authority = pki.authority(authority)?;
    let shown = credentials.and_then(|it| Some((it.chain.first()?.as_slice(), it.key.as_slice())));
    let order = match client.key_first {
        true => Order::KeyFirst,
        false => Order::CertificateFirst,
    };
    let mut images = Material::of_run(&authority, shown)?.images(order)?;
    images.ca.fill(ca.size.value.into())?;
    let ca_image = ca.flashed.then_some((ca.address.value, &images.ca));
    let client_image = images.client.as_ref().filter(|_| client.flashed);
    let client_image = client_image.map(|image| (client.address.value, image));
    let mut chip = Chip::default();
    let order = match settings.flashed_last {
        FlashedLast::Client => [ca_image, client_image],
        FlashedLast::Ca => [client_image, ca_image],
    };
    for (address, image) in order.into_iter().flatten() {
        chip.write(address, image.bytes());
    }
    chip.first_start();
    Ok(chip
        .region(MOST)
        .ok_or(pki::esp8266::Esp8266Error::Apart { most: MOST })?)
}
