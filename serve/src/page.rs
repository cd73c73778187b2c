//! The page: a few files, compiled in. It loads nothing from elsewhere, which its policy makes browsers hold it to.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// What the page may do: run its own scripts, ask its own server, show images that it made itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
pub struct File {
    /// Its address.
    pub path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($path:literal, $kind:literal, $name:literal) => {
        File { path: $path, kind: $kind, text: include_str!(concat!("../assets/", $name)) }
    };
}

/// All of them.
pub static FILES: [File; 9] = [
    file!("/", "text/html; charset=utf-8", "index.html"),
    file!("/style.css", "text/css; charset=utf-8", "style.css"),
    file!("/main.js", "text/javascript; charset=utf-8", "main.js"),
    file!("/pad.js", "text/javascript; charset=utf-8", "pad.js"),
    file!("/client.js", "text/javascript; charset=utf-8", "client.js"),
    file!("/answer.js", "text/javascript; charset=utf-8", "answer.js"),
    file!("/inside.js", "text/javascript; charset=utf-8", "inside.js"),
    file!("/words.js", "text/javascript; charset=utf-8", "words.js"),
    file!("/icon.svg", "image/svg+xml", "icon.svg"),
];

impl File {
    /// The answer with the file.
    pub fn response(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.kind),
            // A new version of the server is a new page.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, self.text).into_response()
    }
}
