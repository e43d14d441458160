//! What a Compose file says to cosec itself, under `x-cosec:`.

use serde::Serialize;

use crate::compose::{Data, LoadError, Value};
use crate::nearest::nearest;

/// What a service wants done when one of its secrets has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRotate {
    /// Nothing: it reads the file again by itself.
    #[default]
    None,
    /// This signal to its main process, without `SIG`.
    Signal(String),
    /// A restart.
    Restart,
    /// This command in each of its containers.
    Exec(Vec<String>),
}

const FORMS: &str = "`x-cosec.on-rotate` is `none`, `restart`, `signal HUP`, `exec COMMAND`, `{signal: HUP}` or `{exec: [COMMAND, …]}`";

/// The words that they begin with.
const HOOKS: [&str; 4] = ["none", "restart", "signal", "exec"];

/// `x-cosec: {on-rotate: …}` of a service.
pub fn on_rotate(root: &Value, service: &str) -> Result<OnRotate, LoadError> {
    let services = root.get("services");
    let extension = services.and_then(|services| services.get(service)).and_then(|map| map.get("x-cosec"));
    let Some(value) = extension.and_then(|extension| extension.get("on-rotate")) else {
        return Ok(OnRotate::None);
    };
    read(value).ok_or_else(|| {
        let word = value.as_str().and_then(|text| text.split_whitespace().next());
        let meant =
            word.filter(|word| !HOOKS.contains(word)).and_then(|word| nearest(HOOKS.into_iter(), word));
        let advice = meant.map_or("correct it".to_owned(), |meant| format!("did you mean `{meant}`?"));
        LoadError::new(format!("{FORMS}; {advice}"), value.span)
    })
}

fn read(value: &Value) -> Option<OnRotate> {
    if let Some(text) = value.as_str() {
        let mut words = text.split_whitespace();
        return match (words.next()?, words.next(), text.split_once(' ')) {
            ("none", None, _) => Some(OnRotate::None),
            ("restart", None, _) => Some(OnRotate::Restart),
            ("signal", Some(name), _) if words.next().is_none() => signal(name),
            ("exec", Some(_), Some((_, command))) => {
                Some(OnRotate::Exec(["sh", "-c", command.trim()].map(str::to_owned).to_vec()))
            }
            _ => None,
        };
    }
    if matches!(value.data, Data::Null) {
        return Some(OnRotate::None);
    }
    if let Some(name) = value.get("signal") {
        return signal(name.as_str()?);
    }
    let words = value.get("exec")?.as_seq()?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.is_empty()).map(OnRotate::Exec)
}

/// Linux's signals, as `docker kill` calls them.
const SIGNALS: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `HUP`, `SIGHUP` or a number.
fn signal(name: &str) -> Option<OnRotate> {
    let name = name.strip_prefix("SIG").unwrap_or(name);
    let real_time = || name.strip_prefix("RTMIN").or_else(|| name.strip_prefix("RTMAX")).is_some();
    let valid = SIGNALS.contains(&name)
        || real_time()
        || name.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
    valid.then(|| OnRotate::Signal(name.to_owned()))
}

/// Whether all that is said to cosec can be understood: a misspelt key would be no setting at all, and nobody would
/// know. The first that cannot is the error.
pub fn check(root: &Value) -> Result<(), LoadError> {
    known(root.get("x-cosec"), "x-cosec", &["allow-host"])?;
    allows_host(root)?;
    let services = root.get("services").and_then(Value::as_map);
    for (name, service) in services.into_iter().flatten() {
        let path = format!("services.{name}.x-cosec");
        known(service.value.get("x-cosec"), &path, &["on-rotate"])?;
        let provider = service.value.get("provider");
        if provider.and_then(|provider| provider.get("type")).and_then(Value::as_str) == Some("cosec") {
            let options = provider.and_then(|provider| provider.get("options"));
            // Compose itself leaves out what it does not know.
            known(options, &format!("services.{name}.provider.options"), PROVIDER_OPTIONS)?;
        }
        on_rotate(root, name)?;
    }
    Ok(())
}

/// What `provider: {type: cosec}` can be told.
pub const PROVIDER_OPTIONS: &[&str] = &["file", "project-directory", "allow-unignored"];

fn known(extension: Option<&Value>, path: &str, keys: &[&str]) -> Result<(), LoadError> {
    let Some(extension) = extension.filter(|extension| !extension.is_null()) else { return Ok(()) };
    let Some(map) = extension.as_map() else {
        return Err(LoadError::new(
            format!("`{path}` is a mapping with `{}:`", keys.join(":`, `")),
            extension.span,
        ));
    };
    match map.iter().find(|(key, _)| !keys.contains(&&***key)) {
        None => Ok(()),
        Some((key, entry)) => {
            let meant = match nearest(keys.iter().copied(), key) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there is `{}`", keys.join("`, `")),
            };
            Err(LoadError::new(format!("`{path}` has no setting `{key}`; {meant}"), entry.key_span))
        }
    }
}

/// `x-cosec: {allow-host: true}` at the top: processes outside the project's containers may read too.
pub fn allows_host(root: &Value) -> Result<bool, LoadError> {
    let Some(value) = root.get("x-cosec").and_then(|extension| extension.get("allow-host")) else {
        return Ok(false);
    };
    match value.data {
        Data::Bool(allowed) => Ok(allowed),
        _ => Err(LoadError::new("`x-cosec.allow-host` is `true` or `false`; correct it", value.span)),
    }
}

/// `content:` of a config.
pub fn content<'v>(root: &'v Value, config: &str) -> Option<&'v str> {
    root.get("configs")?.get(config)?.get("content")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Interpolation, LoadRequest, load};
    use crate::files::MemoryFiles;
    use crate::source::Sources;

    fn value(text: &str) -> Value {
        let mut files = MemoryFiles::default();
        files.insert("compose.yaml", text);
        let (mut sources, mut documents) = (Sources::default(), Vec::new());
        let names = ["compose.yaml".to_owned()];
        let request = LoadRequest {
            files: &names,
            directory: "",
            working_directory: "/work",
            environment: &crate::compose::Environment::default(),
            interpolation: Interpolation::Strict,
            name: None,
            profiles: &[],
            services: &[],
        };
        load(&files, &mut sources, &mut documents, &request).unwrap().root
    }

    fn hook(text: &str) -> Result<OnRotate, String> {
        let text = format!("services:\n  web:\n    image: x\n    x-cosec: {{on-rotate: {text}}}\n");
        on_rotate(&value(&text), "web").map_err(|error| error.message)
    }

    #[test]
    fn a_misspelt_setting_is_no_silence() {
        let wrong = |text: &str| check(&value(text)).err().map(|error| error.message).unwrap_or_default();
        assert_eq!(
            wrong("x-cosec: {allow-hosts: true}\nservices: {web: {image: x}}"),
            "`x-cosec` has no setting `allow-hosts`; did you mean `allow-host`?"
        );
        let of_service = |text: &str| wrong(&format!("services: {{web: {{image: x, x-cosec: {text}}}}}"));
        assert_eq!(
            of_service("{on-rotat: restart}"),
            "`services.web.x-cosec` has no setting `on-rotat`; did you mean `on-rotate`?"
        );
        assert!(of_service("{on-rotate: HUP}").starts_with("`x-cosec.on-rotate` is"));
        assert!(of_service("{on-rotate: restrat}").ends_with("; did you mean `restart`?"));
        assert!(of_service("{on-rotate: signal FOO}").ends_with("; correct it"));
        assert_eq!(of_service("restart"), "`services.web.x-cosec` is a mapping with `on-rotate:`");
        let provider = |option: &str| {
            wrong(&format!("services: {{v: {{provider: {{type: cosec, options: {{{option}: x}}}}}}}}"))
        };
        assert!(provider("fil").ends_with("has no setting `fil`; did you mean `file`?"));
        assert_eq!(provider("project-directory"), "");
        assert_eq!(of_service("{on-rotate: signal SIGRTMIN+3}") + &of_service("{on-rotate: signal 12}"), "");
    }

    #[test]
    fn every_way_to_write_a_hook_is_read() {
        assert_eq!(hook("none"), Ok(OnRotate::None));
        assert_eq!(hook("restart"), Ok(OnRotate::Restart));
        assert_eq!(hook("signal HUP"), Ok(OnRotate::Signal("HUP".into())));
        assert_eq!(hook("{signal: SIGUSR1}"), Ok(OnRotate::Signal("USR1".into())));
        assert_eq!(
            hook("{exec: [nginx, -s, reload]}"),
            Ok(OnRotate::Exec(["nginx", "-s", "reload"].map(str::to_owned).to_vec()))
        );
        assert_eq!(
            hook("exec nginx -s reload"),
            Ok(OnRotate::Exec(["sh", "-c", "nginx -s reload"].map(str::to_owned).to_vec()))
        );
        for wrong in [
            "signal",
            "signal hup",
            "signal FOO",
            "signal 65",
            "sometimes",
            "{exec: []}",
            "{exec: nginx}",
            "7",
        ] {
            assert!(hook(wrong).is_err(), "{wrong}");
        }
        assert_eq!(on_rotate(&value("services: {web: {image: x}}"), "web").unwrap(), OnRotate::None);
    }
}
