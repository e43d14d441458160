//! Whether a .dockerignore keeps a file out of the build context. (moby `patternmatcher`)

/// Whether `path`, relative to the context, is left out by a .dockerignore of this text. The last line that fits
/// decides; a directory that is left out takes its files along.
pub(crate) fn is_ignored(text: &str, path: &str) -> bool {
    let mut ignored = false;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (takes_in, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
        let pattern = crate::files::join("", pattern.trim_start_matches('/'));
        if pattern == "." || takes_in != ignored {
            continue;
        }
        let fits = path
            .match_indices('/')
            .map(|(at, _)| &path[..at])
            .chain([path])
            .any(|part| fits(pattern.as_bytes(), part.as_bytes()));
        if fits {
            ignored = !takes_in;
        }
    }
    ignored
}

/// `*` and `?` stop at slashes, `**` does not, `[…]` is a class, `\` takes the next character as it is.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    // Each row tells which beginnings of the path the pattern so far fits: no pattern takes exponential time.
    let mut row = vec![false; path.len() + 1];
    row[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let mut next = vec![false; path.len() + 1];
        let mut step = |accepts: &dyn Fn(u8) -> bool| {
            for here in 0..path.len() {
                next[here + 1] = row[here] && accepts(path[here]);
            }
        };
        match pattern[at] {
            b'*' if pattern.get(at + 1) == Some(&b'*') => {
                at += 1;
                // `**/` is no directory at all, too.
                let slash = pattern.get(at + 1) == Some(&b'/');
                let mut open = false;
                for here in 0..=path.len() {
                    open |= row[here];
                    next[here] =
                        if slash { row[here] || (open && here > 0 && path[here - 1] == b'/') } else { open };
                }
                at += usize::from(slash);
            }
            b'*' => {
                let mut open = false;
                for here in 0..=path.len() {
                    open = row[here] || (open && path[here - 1] != b'/');
                    next[here] = open;
                }
            }
            b'?' => step(&|byte| byte != b'/'),
            b'[' if pattern[at..].contains(&b']') => {
                let end = at + pattern[at..].iter().position(|byte| *byte == b']').unwrap_or(0);
                let class = &pattern[at + 1..end];
                let (not, class) = match class {
                    [b'^' | b'!', rest @ ..] => (true, rest),
                    class => (false, class),
                };
                step(&|byte| byte != b'/' && in_class(class, byte) != not);
                at = end;
            }
            b'\\' if at + 1 < pattern.len() => {
                at += 1;
                let wanted = pattern[at];
                step(&|byte| byte == wanted);
            }
            wanted => step(&|byte| byte == wanted),
        }
        row = next;
        at += 1;
    }
    row[path.len()]
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == b'-' {
            if (class[at]..=class[at + 2]).contains(&byte) {
                return true;
            }
            at += 3;
        } else {
            if class[at] == byte {
                return true;
            }
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_ignored;

    #[test]
    fn what_docker_leaves_out_of_a_context_is_known() {
        for (text, path) in [
            ("secrets", "secrets/pw"),
            ("/secrets/*", "secrets/pw"),
            ("**/*.pem", "a/b/x.pem"),
            ("**/*.pem", "x.pem"),
            ("*.env\n", "prod.env"),
            ("# c\n\n  .env  ", ".env"),
            ("*", "a/b"),
            ("s?crets/[a-p]w", "secrets/pw"),
            ("**", "x"),
        ] {
            assert!(is_ignored(text, path), "{text:?} {path}");
        }
        for (text, path) in [
            ("", "x"),
            ("*.env", "a/prod.env"),
            ("secrets\n!secrets/pw", "secrets/pw"),
            ("# secrets", "secrets/pw"),
            ("secret", "secrets/pw"),
            ("[^s]ecrets", "secrets/pw"),
            (".", "x"),
        ] {
            assert!(!is_ignored(text, path), "{text:?} {path}");
        }
        let pattern = "*a".repeat(50);
        assert!(!is_ignored(&pattern, &"a".repeat(40)));
    }
}
