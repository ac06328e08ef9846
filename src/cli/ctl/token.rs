//! The token that an operator's commands carry: from a file, or from the environment. Never from the command line, which everybody on a
//! machine can read.

use std::path::Path;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::Failure;

/// The token of a file, else the one of the environment, else none.
pub fn find(file: Option<&Path>, env: Option<String>) -> Result<Option<String>, Failure> {
    let unusable = |path: &Path, why: String| Failure::TokenFile { path: path.to_owned(), why };
    let (token, place) = match file {
        Some(path) => (Some(std::fs::read_to_string(path).map_err(|e| unusable(path, e.to_string()))?), path),
        None => (env, Path::new("BRIGADE_TOKEN")),
    };
    let Some(token) = token.map(|token| token.trim().to_owned()) else { return Ok(None) };
    match (token.is_empty(), file) {
        (false, _) if token.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(token)),
        (true, None) => Ok(None),
        _ => Err(unusable(place, "it holds no token: one word is wanted".to_owned())),
    }
}

/// The header that carries it, with every request.
pub fn headers(token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(mut value) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
        // Whoever prints the request prints no secret.
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_before_the_environment_and_none_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "from-the-file\n").unwrap();
        let env = || Some("from-the-environment".to_owned());
        assert_eq!(find(Some(&path), env()).unwrap().as_deref(), Some("from-the-file"));
        assert_eq!(find(None, env()).unwrap().as_deref(), Some("from-the-environment"));
        assert_eq!((find(None, None).unwrap(), find(None, Some(" ".to_owned())).unwrap()), (None, None));
        for wrong in ["", "two words", "ünicode"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(find(Some(&path), env()).unwrap_err().to_string().contains("one word"), "{wrong}");
        }
        assert!(find(Some(Path::new("/no/such/file")), env()).is_err());
    }

    #[test]
    fn a_token_is_not_shown_with_its_header() {
        let headers = headers(Some("secret"));
        assert_eq!(headers[AUTHORIZATION], "Bearer secret");
        assert!(!format!("{headers:?}").contains("secret"));
    }
}
