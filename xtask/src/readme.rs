pub fn run(_check: bool) -> Result<(), String> {
    Ok(())
}
