//! `file:` URIs and paths.

use std::str::FromStr;

use lsp_types::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a path (RFC 3986, pchar and `/`).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The absolute path that a URI means; `None` for what is on no disk.
pub(crate) fn to_path(uri: &Uri) -> Option<String> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // An authority of one's own machine may stand before the path.
    let path = &rest[rest.find('/')?..];
    let path = path.split(['?', '#']).next().unwrap_or(path);
    percent_decode_str(path).decode_utf8().ok().map(|path| cosec_core::files::join("", &path))
}

/// The URI of an absolute path.
pub(crate) fn from_path(path: &str) -> Option<Uri> {
    Uri::from_str(&format!("file://{}", utf8_percent_encode(path, ESCAPED))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_percent_signs_and_umlauts_survive() {
        for path in ["/a b/compose.yaml", "/100%/ü/#1?.yml"] {
            assert_eq!(to_path(&from_path(path).unwrap()).as_deref(), Some(path));
        }
        assert_eq!(to_path(&Uri::from_str("untitled:1").unwrap()), None);
    }
}
