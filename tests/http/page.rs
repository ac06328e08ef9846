//! The page for people: what is served, how large it is, and what it names.

use reqwest::{Method, StatusCode};

use crate::support::{Answer, Kitchen, ask, client, send};

/// What a browser may load for the page to work.
const BYTES_MAX: usize = 100_000;

/// The page's files, as the page names them: the scripts name each other.
async fn files(kitchen: &Kitchen) -> Vec<(String, Answer)> {
    let html = kitchen.get("/").await;
    assert_eq!((html.status, html.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    let quoted = html.text.split('"').filter(|part| part.starts_with('/'));
    let mut paths: Vec<String> = quoted.map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    let mut files = vec![("/".to_owned(), html)];
    for path in paths {
        let file = kitchen.get(&path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        files.push((path, file));
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_small_whole_and_needs_nothing_from_elsewhere() {
    let kitchen = Kitchen::without_menu(1).await;
    let files = files(&kitchen).await;
    assert!(files.iter().map(|(_, file)| file.text.len()).sum::<usize>() < BYTES_MAX);
    let policy = files[0].1.header("content-security-policy");
    let member = kitchen.url(1, "");
    assert!(policy.contains("default-src 'none'") && policy.contains(&member), "{policy}");
    for (path, file) in &files {
        let kind = match path.rsplit_once('.').map(|(_, end)| end) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(file.header("content-type"), kind, "{path}");
        // Neither a scheme nor a style reaches outside; the one address is the name of SVG's elements.
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "url(", "@import", "eval(", "innerHTML"] {
            assert!(!text.contains(outside), "{path} has {outside}");
        }
        for imported in file.text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(files.iter().any(|(path, _)| *path == format!("/page/{imported}")), "{imported} is not preloaded");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_a_browser_has_is_not_sent_again() {
    let kitchen = Kitchen::without_menu(1).await;
    for (path, file) in files(&kitchen).await {
        assert_eq!(file.header("cache-control"), "no-cache");
        let again = client().get(kitchen.url(1, &path)).header("if-none-match", file.header("etag"));
        let again = send(again).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
        let other = send(client().get(kitchen.url(1, &path)).header("if-none-match", "\"another\"")).await;
        assert_eq!(other.status, StatusCode::OK, "{path}");
    }
}

/// `/v1/orders/${id}/cancellation` as a path with some id; the query is cut off.
fn paths_named_in(script: &str) -> Vec<String> {
    let path = |rest: &str| {
        let end = rest.find(['"', '`', '?']).unwrap_or(rest.len());
        let mut path = "/v1/".to_owned();
        for (at, part) in rest[..end].split("${").enumerate() {
            path.push_str(if at == 0 { "" } else { "1" });
            path.push_str(if at == 0 { part } else { part.split_once('}').map_or("", |(_, behind)| behind) });
        }
        path
    };
    let code: Vec<&str> = script.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let ids = code.join("\n").replace("encodeURIComponent(d.id)", "id").replace("encodeURIComponent(o.id)", "id");
    ids.split("/v1/").skip(1).map(path).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_that_the_page_names_is_a_route() {
    let kitchen = Kitchen::without_menu(1).await;
    let mut named = 0;
    for (file, script) in files(&kitchen).await {
        for path in paths_named_in(&script.text) {
            // OPTIONS tells a path without methods of its own from one that does not exist.
            let answer = ask(Method::OPTIONS, kitchen.url(1, &path), None).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{file} names {path}: {}", answer.text);
            named += 1;
        }
    }
    assert!(named > 20, "the page names {named} paths only: is this test blind?");
}
