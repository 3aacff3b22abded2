pub fn run(_yes: bool) -> Result<(), String> { Ok(()) }
