//! Gives the linker its scripts, one of which tells a debugger what `partitions.csv` says.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=partitions.csv");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("partitions.x"), symbols("partitions.csv")?)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tpartitions.x");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    // The last one, as the chip's own scripts want it.
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
    Ok(())
}

/// Beginning and end of each data partition, in addresses of the flash.
fn symbols(table: &str) -> Result<String, Box<dyn Error>> {
    let mut symbols = String::new();
    for line in fs::read_to_string(table)?.lines() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [name, "data", _, offset, size] = fields[..] else {
            continue;
        };
        let (start, size) = (number(offset)?, number(size)?);
        writeln!(symbols, "__{name}_start = {start:#x};")?;
        writeln!(symbols, "__{name}_end = {:#x};", start + size)?;
    }
    symbols.push_str("EXTERN(STORAGE_WRITE_BUDGET);\nEXTERN(_SEGGER_RTT);\n");
    Ok(symbols)
}

fn number(hexadecimal: &str) -> Result<u32, Box<dyn Error>> {
    let digits = hexadecimal
        .strip_prefix("0x")
        .ok_or_else(|| format!("partitions.csv: {hexadecimal} is not 0x..."))?;
    Ok(u32::from_str_radix(digits, 16)?)
}
