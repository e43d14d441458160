//! A mount in its short form: `source:target:options`. (compose-go `format/volume.go`)

/// A short form, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    pub(super) read_only: bool,
    pub(super) no_copy: bool,
    pub(super) propagation: Option<String>,
    pub(super) selinux: Option<String>,
    /// One of the options that only binds have was given.
    pub(super) bind_options: bool,
    /// Whether nothing but a target of one or two bytes was given: Compose then says the type and no more.
    pub(super) bare: bool,
}

/// Takes a short form apart, without knowing which system it is for.
pub(super) fn parse(spec: &str) -> Result<Volume, &'static str> {
    let mut volume = Volume::default();
    match spec.len() {
        0 => return Err("is empty"),
        1 | 2 => {
            return Ok(Volume { target: Some(spec.to_owned()), bare: true, ..volume });
        }
        _ => {}
    }
    let mut section = String::new();
    let mut variables = 0u32;
    for (at, character) in spec.char_indices() {
        match character {
            '$' if spec[at + 1..].starts_with('{') => {
                variables += 1;
                section.push(character);
            }
            '}' if variables > 0 => {
                variables -= 1;
                section.push(character);
            }
            ':' if is_drive(&section) => section.push(character),
            ':' if variables == 0 => {
                volume.take(&section, false)?;
                section.clear();
            }
            _ => section.push(character),
        }
    }
    if variables == 0 {
        volume.take(&section, true)?;
    }
    Ok(volume)
}

/// `C` before a colon is a drive of Windows, not a source.
fn is_drive(section: &str) -> bool {
    let mut characters = section.chars();
    characters.next().is_some_and(char::is_alphabetic) && characters.next().is_none()
}

impl Volume {
    fn take(&mut self, section: &str, last: bool) -> Result<(), &'static str> {
        if section.is_empty() {
            return Err("has an empty part between its colons");
        }
        if self.source.is_none() && last {
            self.target = Some(section.to_owned());
        } else if self.source.is_none() {
            self.source = Some(section.to_owned());
        } else if self.target.is_none() {
            self.target = Some(section.to_owned());
        } else if !last {
            return Err("has too many colons");
        } else {
            self.options(section);
        }
        Ok(())
    }

    /// Unknown options are passed over, as Compose does.
    fn options(&mut self, section: &str) {
        for option in section.split(',') {
            match option {
                "ro" => self.read_only = true,
                "rw" => self.read_only = false,
                "nocopy" => self.no_copy = true,
                "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                    self.propagation = Some(option.to_owned());
                    self.bind_options = true;
                }
                "z" | "Z" => {
                    self.selinux = Some(option.to_owned());
                    self.bind_options = true;
                }
                _ => {}
            }
        }
    }

    /// Whether the source is a path and not a volume's name.
    pub(super) fn is_bind(&self) -> bool {
        let Some(source) = &self.source else { return false };
        let mut characters = source.chars();
        let drive = characters.next().is_some_and(char::is_alphabetic) && characters.next() == Some(':');
        source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") || drive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_short_form_is_found() {
        let parsed = |spec: &str| {
            let volume = parse(spec).unwrap();
            (volume.source.clone(), volume.target.clone(), volume.read_only, volume.is_bind())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("./a:/b:ro"), (some("./a"), some("/b"), true, true));
        assert_eq!(parsed("data:/b"), (some("data"), some("/b"), false, false));
        assert_eq!(parsed("/b"), (None, some("/b"), false, false));
        assert_eq!(parsed("c:\\a:/b"), (some("c:\\a"), some("/b"), false, true));
        assert_eq!(parsed("${A:-x}:/b"), (some("${A:-x}"), some("/b"), false, false));
        assert_eq!(parse("aa:bb:cc:dd"), Err("has too many colons"));
        assert_eq!(parse("aa::c"), Err("has an empty part between its colons"));
    }
}
