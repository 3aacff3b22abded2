//! A rig of real parts in a virtual machine.

mod image;
mod machine;
mod recipe;

use crate::command::target;
use image::Image;

/// Builds the machine if it is not there, and boots it.
pub fn rig(arguments: &[String]) -> Result<(), String> {
    let _ = arguments;
    let folder = target().join("rig");
    let image = Image::of(&folder.join("image"))?;
    let mut machine = machine::Machine::boot(&image, &folder)?;
    machine.follow()
}
