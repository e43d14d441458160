//! What .gitignore files cover, the line that covers a file, and the command that writes it.

use crate::files::{GitState, file_name, join, parent};

/// The .gitignore files of a tree, for where git itself cannot be asked. (gitignore(5))
#[derive(Clone, Default)]
pub struct IgnoreFiles {
    /// By directory, those of deeper ones later: they have the last word.
    directories: Vec<(Vec<String>, Vec<Pattern>)>,
}

#[derive(Clone)]
struct Pattern {
    segments: Vec<Segment>,
    negated: bool,
    directory_only: bool,
}

#[derive(Clone)]
enum Segment {
    /// `**`
    AnyDepth,
    One(Vec<Glob>),
}

/// A part of a pattern that stands for one character, or `*`.
#[derive(Clone)]
enum Glob {
    Literal(char),
    Any,
    Star,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl IgnoreFiles {
    /// Whether one of them is in the directory of a path, or above it.
    pub fn speak_of(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        let is_above = |directory: &[String]| {
            directory.len() < segments.len()
                && directory.iter().zip(&segments).all(|(own, other)| own == other)
        };
        self.directories.iter().any(|(directory, _)| is_above(directory))
    }

    /// Takes the .gitignore of a directory in.
    pub fn insert(&mut self, directory: &str, text: &str) {
        let directory = components(directory);
        let patterns = text.trim_start_matches('\u{feff}').lines().filter_map(Pattern::parse).collect();
        let at = self.directories.partition_point(|(other, _)| other.len() <= directory.len());
        self.directories.insert(at, (directory, patterns));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    /// Whether a file is covered: by a pattern of its own, or because a directory above it is.
    pub fn covers(&self, file: &str) -> bool {
        let path = components(file);
        (1..=path.len()).any(|length| self.is_ignored(&path[..length], length < path.len()))
    }

    /// What the last pattern that matches says.
    fn is_ignored(&self, path: &[String], is_directory: bool) -> bool {
        let verdict = |(directory, patterns): &(Vec<String>, Vec<Pattern>)| {
            let inside = path.strip_prefix(directory.as_slice()).filter(|inside| !inside.is_empty())?;
            let mut matching =
                patterns.iter().rev().filter(|pattern| is_directory || !pattern.directory_only);
            matching.find(|pattern| pattern.matches(inside)).map(|pattern| !pattern.negated)
        };
        self.directories.iter().rev().find_map(verdict).unwrap_or(false)
    }
}

fn components(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let mut line = line;
        while let Some(shorter) = line.strip_suffix(' ').filter(|shorter| !shorter.ends_with('\\')) {
            line = shorter;
        }
        if line.starts_with('#') {
            return None;
        }
        let negated = line.starts_with('!');
        let line = &line[usize::from(negated)..];
        let directory_only = line.ends_with('/');
        let body = line.strip_suffix('/').unwrap_or(line);
        let anchored = body.contains('/');
        let body = body.strip_prefix('/').unwrap_or(body);
        if body.is_empty() {
            return None;
        }
        let mut segments: Vec<Segment> = body
            .split('/')
            .map(|part| if part == "**" { Segment::AnyDepth } else { Segment::One(globs(part)) })
            .collect();
        if !anchored {
            segments.insert(0, Segment::AnyDepth);
        }
        Some(Pattern { segments, negated, directory_only })
    }

    fn matches(&self, path: &[String]) -> bool {
        // reached[n]: the pattern so far matches the first n components.
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for (at, segment) in self.segments.iter().enumerate() {
            let mut next = vec![false; path.len() + 1];
            match segment {
                Segment::AnyDepth => {
                    // `a/**` is what lies in `a`, not `a` itself.
                    let least = usize::from(at + 1 == self.segments.len());
                    if let Some(first) = reached.iter().position(|reached| *reached) {
                        next[(first + least).min(path.len() + 1)..].fill(true);
                    }
                }
                Segment::One(globs) => {
                    for (length, component) in path.iter().enumerate() {
                        next[length + 1] = reached[length] && is_match(globs, component);
                    }
                }
            }
            reached = next;
        }
        reached[path.len()]
    }
}

fn globs(part: &str) -> Vec<Glob> {
    let mut globs = Vec::new();
    let mut rest = part;
    while let Some(character) = rest.chars().next() {
        let tail = &rest[character.len_utf8()..];
        let (glob, left) = match character {
            '*' => (Glob::Star, tail),
            '?' => (Glob::Any, tail),
            '[' => class(tail).unwrap_or((Glob::Literal('['), tail)),
            '\\' => match tail.chars().next() {
                Some(escaped) => (Glob::Literal(escaped), &tail[escaped.len_utf8()..]),
                None => (Glob::Literal('\\'), tail),
            },
            other => (Glob::Literal(other), tail),
        };
        globs.push(glob);
        rest = left;
    }
    globs
}

/// A class after its `[`, and what follows it; `None` where it has no end.
fn class(text: &str) -> Option<(Glob, &str)> {
    let negated = text.starts_with(['!', '^']);
    let mut characters = text[usize::from(negated)..].char_indices().peekable();
    let offset = usize::from(negated);
    let mut ranges = Vec::new();
    let mut first = true;
    while let Some((at, character)) = characters.next() {
        if character == ']' && !first {
            return Some((Glob::Class { negated, ranges }, &text[offset + at + 1..]));
        }
        first = false;
        let low = if character == '\\' { characters.next()?.1 } else { character };
        let mut ahead = characters.clone();
        let is_range = ahead.next().is_some_and(|(_, dash)| dash == '-')
            && ahead.peek().is_some_and(|(_, end)| *end != ']');
        if is_range {
            characters.next();
            let end = characters.next()?.1;
            let high = if end == '\\' { characters.next()?.1 } else { end };
            ranges.push((low, high));
        } else {
            ranges.push((low, low));
        }
    }
    None
}

/// Goes back to the last `*` only, so that no pattern costs more than pattern × text.
fn is_match(globs: &[Glob], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut glob, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        let here = text[at];
        let hit = match globs.get(glob) {
            Some(Glob::Star) => {
                star = Some((glob, at));
                glob += 1;
                continue;
            }
            Some(Glob::Any) => true,
            Some(Glob::Literal(character)) => *character == here,
            Some(Glob::Class { negated, ranges }) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&here)) != *negated
            }
            None => false,
        };
        if hit {
            glob += 1;
            at += 1;
        } else if let Some((before, taken)) = star {
            star = Some((before, taken + 1));
            glob = before + 1;
            at = taken + 1;
        } else {
            return false;
        }
    }
    globs[glob..].iter().all(|glob| matches!(glob, Glob::Star))
}

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

    fn tree(texts: &[(&str, &str)]) -> IgnoreFiles {
        let mut files = IgnoreFiles::default();
        for (directory, text) in texts {
            files.insert(directory, text);
        }
        files
    }

    // Each line was asked of git 2.39 with `git check-ignore --no-index`.
    #[test]
    fn a_file_counts_as_ignored_where_git_ignores_it_and_nowhere_else() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("secrets/\n", &["secrets/a", "x/secrets/b/c"], &["secrets", "mysecrets/a"]),
            ("/secrets/*\n!/secrets/*.example\n", &["secrets/a"], &["secrets/a.example", "x/secrets/a"]),
            ("secrets/\n!secrets/a\n", &["secrets/a"], &[]),
            (
                "*.key\r\n.env*\r\n!.env.example",
                &["a.key", "b/.env.local", ".env"],
                &[".env.example", "a.keys"],
            ),
            (
                "# no\n\\#yes\n\\!also\ntrail  \nspace\\ \n",
                &["#yes", "!also", "trail", "space "],
                &["# no", "space"],
            ),
            ("a/**/z\n**/deep\nin/**\n", &["a/z", "a/b/c/z", "x/y/deep", "in/a/b"], &["a/zz", "in", "b/a/z"]),
            ("[a-c]?[!x]\n[]]\n", &["b1y", "]"], &["d1y", "b1x", "b/y"]),
            ("doc/*.pem\n", &["doc/a.pem"], &["doc/x/a.pem", "y/doc/a.pem"]),
            ("[a\nfoo[\n", &[], &["[b"]),
        ];
        for (text, covered, free) in cases {
            let files = tree(&[("", text)]);
            for (path, expected) in
                covered.iter().map(|path| (path, true)).chain(free.iter().map(|path| (path, false)))
            {
                assert_eq!(files.covers(path), expected, "{text:?} and {path}");
            }
        }
        let nested = tree(&[("app", "!pw\n/here\n"), ("", "pw\n")]);
        assert!(nested.covers("pw") && nested.covers("other/pw") && nested.covers("app/here"));
        assert!(!nested.covers("app/pw") && !nested.covers("here") && !nested.covers("app/x/here"));
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_path() {
        let files = tree(&[("", &format!("{}b\n", "*a".repeat(2000)))]);
        assert!(!files.covers(&"a".repeat(4000)));
    }

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
