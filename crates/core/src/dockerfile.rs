//! A Dockerfile as instructions that know where they are written: continuation lines, comments among them,
//! heredocs, the escape directive. (BuildKit `frontend/dockerfile/parser/parser.go`)

use std::ops::Range;

use crate::compose::template::{self, Piece};
use crate::compose::{Build, Text};
use crate::files::file_name;
use crate::source::{FileId, Sources, Span};

/// The instructions of a Dockerfile, in file order.
#[derive(Debug, Default)]
pub struct Dockerfile {
    /// What stands in it.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug)]
pub struct Instruction {
    /// Its keyword, in capitals; that of the inner one for `ONBUILD`.
    pub keyword: String,
    /// Which build stage it belongs to, from 0; what stands before the first `FROM` belongs to 0 too.
    pub stage: usize,
    /// `--name=value` before the arguments.
    pub flags: Vec<Flag>,
    /// What stands after keyword and flags, lines joined.
    pub arguments: Logical,
    /// The bodies of its heredocs.
    pub heredocs: Vec<Logical>,
    /// Keyword to last argument.
    pub span: Span,
    /// The keyword.
    pub keyword_span: Span,
}

/// A flag of an instruction.
#[derive(Debug)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// What stands after `=`; empty without one.
    pub value: String,
    /// The whole of it.
    pub span: Span,
}

/// An assignment of `ARG` or `ENV`: where the name and the value stand in the arguments.
#[derive(Debug, Clone)]
pub struct Assigned {
    /// The name.
    pub name: Range<usize>,
    /// The value without its quotes; `None` where there is none.
    pub value: Option<Range<usize>>,
}

/// Text that may come from several lines, and where each part of it is written.
#[derive(Debug, Clone)]
pub struct Logical {
    /// The text, without escapes at line ends and without comments in between.
    pub text: String,
    file: FileId,
    /// Runs: where each begins in the text, and in the file.
    runs: Vec<(usize, usize)>,
    /// All of it, where the places of its parts are not known.
    whole: Option<Span>,
}

impl Logical {
    fn new(file: FileId) -> Self {
        Logical { text: String::new(), file, runs: Vec::new(), whole: None }
    }

    fn push(&mut self, text: &str, offset: usize) {
        if !text.is_empty() {
            self.runs.push((self.text.len(), offset));
            self.text.push_str(text);
        }
    }

    /// The part from `from` on.
    fn split_off(&self, from: usize) -> Logical {
        let runs = self.runs.iter().enumerate().filter_map(|(at, (start, offset))| {
            let end = self.runs.get(at + 1).map_or(self.text.len(), |(next, _)| *next);
            (end > from).then(|| (start.saturating_sub(from), offset + from.saturating_sub(*start)))
        });
        Logical { text: self.text[from..].to_owned(), runs: runs.collect(), ..Logical::new(self.file) }
    }

    /// Where an offset of the text is written.
    fn offset(&self, at: usize) -> usize {
        let run = self.runs.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        self.runs.get(run).map_or(0, |(start, offset)| offset + (at - start))
    }

    /// Where a range of the text is written.
    pub fn place(&self, range: Range<usize>) -> Span {
        if let Some(whole) = self.whole {
            return whole;
        }
        let start = self.offset(range.start);
        // The end belongs to the run of the last byte, not to the next one.
        let end = if range.end > range.start { self.offset(range.end - 1) + 1 } else { start };
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    /// Moves the text to where each byte of what it was read from is written; all of it to one place without that.
    fn written_at(&mut self, offsets: Option<&[usize]>, whole: Span) {
        let Some(offsets) = offsets else {
            self.whole = Some(whole);
            return;
        };
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.text.len() {
            let offset = offsets[self.offset(at)];
            if runs.last().is_none_or(|(start, first)| first + (at - start) != offset) {
                runs.push((at, offset));
            }
        }
        self.runs = runs;
    }

    /// Words parted by blanks; quotes keep a word together and belong to it.
    pub fn words(&self) -> Vec<Range<usize>> {
        let mut words = Vec::new();
        let mut start = None;
        let mut quote = None;
        let mut escaped = false;
        for (at, character) in self.text.char_indices() {
            let blank = character.is_whitespace() && quote.is_none() && !escaped;
            if blank {
                words.extend(start.take().map(|start| start..at));
            } else {
                start.get_or_insert(at);
                match (quote, character) {
                    _ if escaped => {}
                    (None, '"' | '\'') => quote = Some(character),
                    (Some(open), close) if open == close => quote = None,
                    _ => {}
                }
            }
            escaped = character == '\\' && !escaped && quote != Some('\'');
        }
        words.extend(start.map(|start| start..self.text.len()));
        words
    }
}

/// What an image is built on.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    /// The image's name, with the tag that it has by default or by `args:`.
    pub image: String,
    /// The stages that make the image of it.
    pub stages: Vec<usize>,
}

/// What the image of a build is built on; `None` where that cannot be told, or it is built on nothing.
pub fn base(dockerfile: &Dockerfile, build: &Build) -> Option<Base> {
    let froms = || dockerfile.instructions.iter().filter(|own| own.keyword == "FROM");
    let words = |from: &Instruction| -> Vec<String> {
        let text = &from.arguments.text;
        from.arguments.words().into_iter().map(|word| text[word].to_owned()).collect()
    };
    let named = |name: &str, before: usize| {
        froms().rev().find(|from| {
            from.stage < before && words(from).get(2).is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    };
    let mut from = match &build.target {
        None => froms().next_back()?,
        Some(target) => named(&target.value, usize::MAX)
            .or_else(|| froms().find(|from| target.value.parse() == Ok(from.stage)))?,
    };
    let mut stages = vec![from.stage];
    loop {
        let image = expanded(dockerfile, build, words(from).first()?)?;
        match named(&image, from.stage) {
            Some(earlier) => {
                stages.push(earlier.stage);
                from = earlier;
            }
            None if image == "scratch" => return None,
            None => return Some(Base { image, stages }),
        }
    }
}

/// A word of FROM with the variables in it: what `args:` say, else the default of an ARG before the first FROM. Nothing
/// stands for one that is not set here.
fn expanded(dockerfile: &Dockerfile, build: &Build, word: &str) -> Option<String> {
    let first = dockerfile.instructions.iter().take_while(|own| own.keyword != "FROM");
    let declared: Vec<(&str, &str)> = first
        .filter(|own| own.keyword == "ARG")
        .flat_map(|own| {
            let text = &own.arguments.text;
            own.assigned()
                .into_iter()
                .map(move |it| (&text[it.name], it.value.map_or("", |value| &text[value])))
        })
        .collect();
    let pieces = template::parse(word).ok()?;
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Variable { name, fallback, .. } => {
                let name = &word[name];
                let (_, default) = declared.iter().find(|(own, _)| *own == name)?;
                let told = build.args.iter().rfind(|argument| *argument.name.value == *name);
                let told = told.and_then(|argument| argument.value.as_ref()).map(|value| &*value.value);
                let value = told.filter(|value| !value.is_empty()).unwrap_or(default);
                let fallback = fallback.as_ref().map_or("", |fallback| &word[fallback.range.clone()]);
                text.push_str(if value.is_empty() { fallback } else { value });
            }
            Piece::Literal(range) => text.push_str(&word[range]),
            Piece::Dollar(_) => return None,
        }
    }
    (!text.contains('$')).then_some(text)
}

/// Whether a path is that of a Dockerfile: `Dockerfile`, `Dockerfile.prod`, `app.dockerfile`, `Containerfile`.
pub fn is_dockerfile(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let ignore = name.ends_with(".dockerignore");
    let known = ["dockerfile", "containerfile"];
    !ignore
        && known.iter().any(|known| {
            name == *known || name.starts_with(&format!("{known}.")) || name.ends_with(&format!(".{known}"))
        })
}

/// Reads a Dockerfile. There is no text that it refuses: what makes no sense is an instruction nobody knows.
pub fn parse(file: FileId, text: &str) -> Dockerfile {
    let mut lines = Lines { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    let escape = escape_character(&text[lines.at..]);
    let mut dockerfile = Dockerfile::default();
    let mut stage = None;
    while let Some((start, line)) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.trim_end().is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let mut logical = Logical::new(file);
        let mut offset = start + (line.len() - trimmed.len());
        let mut line = trimmed;
        loop {
            let (kept, goes_on) = match line.trim_end().strip_suffix(escape) {
                Some(kept) => (kept, true),
                None => (line.trim_end(), false),
            };
            logical.push(kept, offset);
            if !goes_on {
                break;
            }
            // Comments and empty lines among continued lines fall away.
            let next = std::iter::from_fn(|| lines.next())
                .find(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
            match next {
                Some((next, text)) => (offset, line) = (next, text),
                None => break,
            }
        }
        let mut instruction = instruction(&logical);
        if matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for (name, tabs) in heredoc_names(&instruction.arguments.text) {
                instruction.heredocs.push(heredoc(&mut lines, file, &name, tabs));
            }
        }
        if instruction.keyword == "FROM" {
            stage = Some(stage.map_or(0, |stage: usize| stage + 1));
        }
        instruction.stage = stage.unwrap_or(0);
        dockerfile.instructions.push(instruction);
    }
    dockerfile
}

/// Reads the Dockerfile of `dockerfile_inline:`. What it says is where it is written in the Compose file; where escapes
/// hide that, it is the whole text.
pub fn parse_inline(sources: &Sources, inline: &Text) -> Dockerfile {
    let mut dockerfile = parse(inline.span.file, &inline.raw);
    let offsets = sources.offsets(inline.span, &inline.raw);
    let place = |span: Span| match &offsets {
        Some(offsets) if span.start < span.end => Span {
            start: offsets[span.start as usize] as u32,
            end: offsets[span.end as usize - 1] as u32 + 1,
            ..span
        },
        Some(offsets) => {
            let at = offsets[span.start as usize] as u32;
            Span { start: at, end: at, ..span }
        }
        None => inline.span,
    };
    for instruction in &mut dockerfile.instructions {
        instruction.span = place(instruction.span);
        instruction.keyword_span = place(instruction.keyword_span);
        instruction.flags.iter_mut().for_each(|flag| flag.span = place(flag.span));
        for text in std::iter::once(&mut instruction.arguments).chain(&mut instruction.heredocs) {
            text.written_at(offsets.as_deref(), inline.span);
        }
    }
    dockerfile
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The next line with its offset, without its line break.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').unwrap_or(rest.len());
        self.at = start + length + 1;
        Some((start, rest[..length].trim_end_matches('\r')))
    }
}

/// `# escape=` among the directives at the very top.
fn escape_character(text: &str) -> char {
    for line in text.lines() {
        let Some((name, value)) = line.trim().strip_prefix('#').and_then(|line| line.split_once('=')) else {
            break;
        };
        if name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

fn instruction(logical: &Logical) -> Instruction {
    let text = logical.text.as_str();
    let word = |from: usize| {
        let start = from + (text[from..].len() - text[from..].trim_start().len());
        let end = start + text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        start..end
    };
    let mut keyword = word(0);
    if text[keyword.clone()].eq_ignore_ascii_case("ONBUILD") {
        keyword = word(keyword.end);
    }
    let mut flags = Vec::new();
    let mut at = keyword.end;
    loop {
        let next = word(at);
        let Some(flag) = text[next.clone()].strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            at = next.start;
            break;
        };
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push(Flag {
            name: name.to_ascii_lowercase(),
            value: value.trim_matches(['"', '\'']).to_owned(),
            span: logical.place(next.clone()),
        });
        at = next.end;
    }
    let keyword_span = logical.place(keyword.clone());
    Instruction {
        keyword: text[keyword.clone()].to_ascii_uppercase(),
        stage: 0,
        flags,
        arguments: logical.split_off(at),
        heredocs: Vec::new(),
        span: logical.place(0..text.len()),
        keyword_span,
    }
}

/// `<<EOF`, `<<-EOF`, `<<"EOF"`: the names, and whether leading tabs fall away.
fn heredoc_names(text: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("<<") {
        // `<<<` is a shell's here-string, `3<<2` arithmetic.
        if text[at + 2..].starts_with('<') || text[..at].ends_with('<') {
            continue;
        }
        let rest = &text[at + 2..];
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let rest = rest.trim_start_matches(['"', '\'']);
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if rest[..length].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            names.push((rest[..length].to_owned(), tabs));
        }
    }
    names
}

fn heredoc(lines: &mut Lines<'_>, file: FileId, name: &str, tabs: bool) -> Logical {
    let mut body = Logical::new(file);
    while let Some((start, line)) = lines.next() {
        let end = if tabs { line.trim_start_matches('\t') } else { line };
        if end == name {
            break;
        }
        // With its line break, which the body has too.
        let whole = lines.text.get(start..lines.at).unwrap_or(&lines.text[start..]);
        body.push(whole, start);
    }
    body
}

/// An option of `--mount=type=secret,id=x`.
pub fn mount_option<'a>(flag: &'a Flag, name: &str) -> Option<&'a str> {
    flag.value.split(',').find_map(|option| {
        let (key, value) = option.split_once('=').unwrap_or((option, "true"));
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn unquoted(text: &str, range: Range<usize>) -> Range<usize> {
    let written = &text[range.clone()];
    let quoted = |quote: char| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote);
    if quoted('"') || quoted('\'') { range.start + 1..range.end - 1 } else { range }
}

impl Instruction {
    /// Whether it is for the builds of images that are made from this one.
    pub fn is_on_build(&self) -> bool {
        self.span.start < self.keyword_span.start
    }

    /// `--mount=type=secret` flags.
    pub fn secret_mounts(&self) -> impl Iterator<Item = &Flag> {
        self.flags.iter().filter(|flag| flag.name == "mount" && mount_option(flag, "type") == Some("secret"))
    }

    /// What `ARG` or `ENV` assign: `K=v L="w"`, `K`, and the old `K v` of `ENV`.
    pub fn assigned(&self) -> Vec<Assigned> {
        let text = &self.arguments.text;
        let words = self.arguments.words();
        let old_form =
            words.first().is_some_and(|first| !text[first.clone()].contains('=')) && words.len() > 1;
        if self.keyword == "ENV" && old_form {
            let value = words[1].start..text.trim_end().len();
            return vec![Assigned { name: words[0].clone(), value: Some(unquoted(text, value)) }];
        }
        words
            .into_iter()
            .map(|word| match text[word.clone()].find('=') {
                Some(at) => Assigned {
                    name: word.start..word.start + at,
                    value: Some(unquoted(text, word.start + at + 1..word.end)),
                },
                None => Assigned { name: word, value: None },
            })
            .collect()
    }

    /// What it does, with the bodies of its heredocs.
    pub fn texts(&self) -> impl Iterator<Item = &Logical> {
        std::iter::once(&self.arguments).chain(&self.heredocs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn read(text: &str) -> (Sources, Dockerfile) {
        let mut sources = Sources::default();
        let file = sources.add("Dockerfile", text);
        let dockerfile = parse(file, text);
        (sources, dockerfile)
    }

    #[test]
    fn continued_lines_are_one_instruction_and_each_part_is_found_where_it_is_written() {
        let text =
            "# syntax=docker/dockerfile:1\nFROM a AS b\nENV A=1 \\\n  # why\n\n  PASSWORD=canary\nrun x\n";
        let (sources, dockerfile) = read(text);
        let words: Vec<&str> = dockerfile.instructions.iter().map(|i| i.keyword.as_str()).collect();
        assert_eq!(words, ["FROM", "ENV", "RUN"]);
        let env = &dockerfile.instructions[1];
        let at = env.arguments.text.find("canary").unwrap();
        let span = env.arguments.place(at..at + 6);
        assert_eq!((sources.slice(span), sources.range(span).0.line), ("canary", 6));
    }

    #[test]
    fn heredocs_flags_and_the_escape_directive_are_understood() {
        let text = "# escape=`\nFROM a\nRUN --mount=type=secret,id=x <<-EOF\n\tcurl canary\n\tEOF\nCOPY c:\\x `\n  d\nONBUILD env K v\n";
        let (sources, dockerfile) = read(text);
        let run = &dockerfile.instructions[1];
        assert_eq!(run.secret_mounts().map(|flag| mount_option(flag, "id")).collect::<Vec<_>>(), [Some("x")]);
        let body = &run.heredocs[0];
        let at = body.text.find("canary").unwrap();
        assert_eq!(sources.slice(body.place(at..at + 6)), "canary");
        assert_eq!(dockerfile.instructions[2].arguments.text, "c:\\x   d");
        assert_eq!(dockerfile.instructions[3].keyword, "ENV");
    }

    #[test]
    fn no_text_is_refused_and_no_place_lies_outside_of_it() {
        for text in [
            "",
            "\\",
            "RUN \\",
            "RUN <<E",
            "\u{feff}FROM é\\\n#\n",
            "--x",
            "RUN --mount",
            "ENV \"a",
            "ONBUILD",
        ] {
            let (sources, dockerfile) = read(text);
            for instruction in &dockerfile.instructions {
                sources.slice(instruction.span);
                for logical in instruction.texts() {
                    for word in logical.words() {
                        assert_eq!(
                            logical.text[word.clone()].is_empty(),
                            sources.slice(logical.place(word)).is_empty()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn dockerfiles_are_known_by_their_names() {
        for path in ["Dockerfile", "a/Dockerfile.prod", "web.dockerfile", "Containerfile"] {
            assert!(is_dockerfile(path), "{path}");
        }
        for path in ["Dockerfile.dockerignore", "mydockerfile", "docker-compose.yml"] {
            assert!(!is_dockerfile(path), "{path}");
        }
    }
}
