//! A variable's value in env files, read as Compose reads them. This runs in the worker too, whenever an env file
//! has changed.

use cosec_core::compose::template::Missing;
use cosec_core::compose::{Environment, dotenv};
use cosec_core::source::Sources;
use zeroize::Zeroizing;

/// The value in the texts of several files, of which the last to set it counts. Nothing if it is not set, or if a
/// file is none. Variables of no file count as not set.
pub(crate) fn find(texts: &[&[u8]], name: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Spans are not asked for: one file stands for all.
    let file = Sources::default().add("", "");
    let mut set = Environment::default();
    for text in texts {
        let mut text = Zeroizing::new(text.to_vec());
        dotenv::mend_comments(&mut text);
        let text = std::str::from_utf8(&text).ok()?;
        dotenv::parse(file, text, &Environment::default(), &mut set, Missing::Refuse).ok()?;
    }
    set.get(name).map(|binding| Zeroizing::new(binding.value.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_last_file_and_line_to_set_a_variable_count() {
        let find = |texts: &[&str], name: &str| {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            find(&texts, name).map(|value| String::from_utf8(value.to_vec()).unwrap())
        };
        assert_eq!(find(&["A=1\nB='2'\nA=\"3\"\n"], "A").as_deref(), Some("3"));
        assert_eq!(find(&["A=1\n", "B=2\n"], "A").as_deref(), Some("1"));
        assert_eq!(find(&["A=1\n", "A=${A}2 # c\n"], "A").as_deref(), Some("12"));
        assert_eq!(find(&["A=1\n"], "B"), None);
        assert_eq!(find(&["A='1\n"], "A"), None, "a file that is being written");
        assert!(super::find(&[b"# \xe9t\xe9\nA=1\n"], "A").is_some(), "a comment in Latin-1");
    }
}
