//! A command line as Compose splits it, which is not quite how a shell does: it ends at `;`, `&`, `|`, `<`
//! and `>`. (mattn/go-shellwords 1.0.12, `shellwords.go`)

/// The words of a command line; `None` where a quote or bracket stays open.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let (mut escaped, mut double, mut single, mut back, mut dollar) = (false, false, false, false, false);
    for character in line.chars() {
        if escaped {
            word.push(match character {
                't' => '\t',
                'n' => '\n',
                other => other,
            });
            escaped = false;
            started = true;
            continue;
        }
        match character {
            '\\' if single => word.push(character),
            '\\' => escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if single || double || back || dollar {
                    word.push(character);
                } else if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            '"' if !single && !dollar => {
                started |= double;
                double = !double;
            }
            '\'' if !double && !dollar => {
                started |= single;
                single = !single;
            }
            '(' if !single && !double && !back => {
                if dollar || !word.ends_with('$') {
                    return None;
                }
                dollar = true;
                word.push(character);
            }
            ';' | '&' | '|' | '<' | '>' if !(single || double || back || dollar) => {
                // `2>` is a redirection, not a word.
                if character == '>' && word.starts_with(|first: char| first.is_ascii_digit()) {
                    started = false;
                }
                break;
            }
            character => {
                match character {
                    '`' if !single && !double && !dollar => back = !back,
                    ')' if !single && !double && !back => dollar = !dollar,
                    _ => {}
                }
                started = true;
                word.push(character);
            }
        }
    }
    if started {
        words.push(word);
    }
    (!(escaped || single || double || back || dollar)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_compose_runs() {
        let words = |line: &str| split(line).unwrap();
        assert_eq!(words("a  'b c' \"d e\"f"), ["a", "b c", "d ef"]);
        assert_eq!(words("a '' b"), ["a", "", "b"]);
        assert_eq!(words("a && b"), ["a"]);
        assert_eq!(words("a 2> b"), ["a"]);
        assert_eq!(words("echo $(date -u) x"), ["echo", "$(date -u)", "x"]);
        assert_eq!(words(r"a\ b"), ["a b"]);
        assert!(words("").is_empty());
        for open in ["'a", "\"a", "a\\", "a (b)", "`a", "a)"] {
            assert_eq!(split(open), None, "{open}");
        }
    }
}
