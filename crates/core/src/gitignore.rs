//! The .gitignore line that covers a file, and the command that writes it.

use crate::files::{GitState, file_name, join, parent};

/// A line for a .gitignore.
#[derive(Debug, PartialEq, Eq)]
pub struct IgnoreLine {
    /// The .gitignore, relative to where the user stands.
    pub gitignore: String,
    /// The line.
    pub line: String,
}

/// The line that covers `file`, for the .gitignore of `directory` if the file lies in it, else for one beside
/// the file. Both paths start from where the user stands.
pub fn covering(directory: &str, file: &str) -> IgnoreLine {
    let (directory, file) = (join("", directory), join("", file));
    let inside = if directory == "." {
        Some(file.as_str()).filter(|file| !file.starts_with("../") && !file.starts_with('/'))
    } else {
        file.strip_prefix(&directory).and_then(|rest| rest.strip_prefix('/'))
    };
    match inside {
        Some(inside) => {
            IgnoreLine { gitignore: join(&directory, ".gitignore"), line: format!("/{}", escape(inside)) }
        }
        None => IgnoreLine {
            gitignore: join(parent(&file), ".gitignore"),
            line: format!("/{}", escape(file_name(&file))),
        },
    }
}

/// What to do about a secret's file that git does not ignore, as a command to copy.
pub fn advice(directory: &str, file: &str, state: GitState) -> String {
    let IgnoreLine { gitignore, line } = covering(directory, file);
    let append = format!("echo {} >> {}", shell_word(&line), shell_word(&gitignore));
    match state {
        GitState::Tracked => {
            let path = shell_word(&join("", file));
            format!("run: git rm --cached {path} && {append} (then change the secret: the history keeps it)")
        }
        _ => format!("run: {append}"),
    }
}

/// Backslashes before what .gitignore reads as a pattern.
fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for character in path.chars() {
        if matches!(character, '*' | '?' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A text as one word for a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_we_tell_to_copy_covers_the_file() {
        assert_eq!(advice("", "./s/pw", GitState::Untracked), "run: echo /s/pw >> .gitignore");
        assert_eq!(advice("app", "pw", GitState::Untracked), "run: echo /pw >> .gitignore");
        assert_eq!(
            advice("app", "app/my pw*", GitState::Untracked),
            r"run: echo '/my pw\*' >> app/.gitignore"
        );
    }
}
