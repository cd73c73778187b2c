//! One request to one address: downloads what a `.part` lacks, and verifies the whole.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Agent, Proxy};

use super::remote_file::CheckSum;
use super::sum::Sum;

/// Why one attempt failed.
pub(super) enum AttemptError {
    /// Reading or writing the `.part` failed, so other addresses will not help.
    Disk(io::Error),
    /// The connection or the server failed; the `.part` is good as far as it goes.
    Network(String),
    /// The content is wrong and the `.part` useless.
    Wrong { resumed: bool, reason: String },
}

/// An HTTP client that waits at most `timeout` for each step. It uses the proxy named in the environment (HTTPS_PROXY,
/// NO_PROXY and so on), except for addresses of this machine.
pub(super) fn agent(url: &str, timeout: Duration) -> Agent {
    let local = ["http://127.", "http://localhost", "http://[::1]"].iter().any(|start| url.starts_with(start));
    Agent::config_builder()
        .proxy(if local { None } else { Proxy::try_from_env() })
        .http_status_as_error(false)
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_send_request(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .user_agent(concat!("kiln/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Requests what the `.part` lacks from one address, appends it, and verifies the whole.
pub(super) fn attempt(
    agent: &Agent,
    url: &str,
    part: &Path,
    expected: CheckSum,
    bar: &ProgressBar,
) -> Result<(), AttemptError> {
    // Not truncated, so that an earlier download is resumed.
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part);
    let mut output = open.map_err(AttemptError::Disk)?;
    let mut sum = Sum::new(expected);
    let mut length = io::copy(&mut output, &mut sum).map_err(AttemptError::Disk)?;

    let mut request = agent.get(url);
    if length > 0 {
        request = request.header(header::RANGE, format!("bytes={length}-"));
    }
    let response = request.call().map_err(|error| AttemptError::Network(explain(error)))?;
    let status = response.status();
    let continued = length > 0 && continues(status, response.headers(), length);
    if status == StatusCode::RANGE_NOT_SATISFIABLE && length > 0 {
        let reason = format!("{} has more bytes than the file", part.display());
        return Err(AttemptError::Wrong { resumed: true, reason });
    }
    if status == StatusCode::PARTIAL_CONTENT && !continued {
        return Err(AttemptError::Wrong { resumed: length > 0, reason: "the server sent another part".to_owned() });
    }
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(AttemptError::Network(format!("HTTP status {}", status.as_u16())));
    }
    if !continued {
        // The server sends the whole file: start over.
        output.set_len(0).and_then(|()| output.seek(SeekFrom::Start(0))).map_err(AttemptError::Disk)?;
        (sum, length) = (Sum::new(expected), 0);
    }

    let body = response.into_body();
    let announced = body.content_length();
    if let Some(rest) = announced {
        bar.set_length(length + rest);
    }
    bar.set_position(length);
    let received = receive(body.into_reader(), &mut output, &mut sum, bar)?;
    if let Some(announced) = announced.filter(|&announced| received < announced) {
        return Err(AttemptError::Network(format!("only {received} of {announced} bytes arrived")));
    }
    output.sync_all().map_err(AttemptError::Disk)?;
    let found = sum.hexadecimal();
    if !expected.accepts(&found) {
        return Err(AttemptError::Wrong {
            resumed: continued,
            reason: format!("its sum is {found}, expected {expected}"),
        });
    }
    Ok(())
}

/// Whether a response continues at byte `length`: status 206 with `Content-Range: bytes LENGTH-...`.
fn continues(status: StatusCode, headers: &HeaderMap, length: u64) -> bool {
    let range = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok());
    status == StatusCode::PARTIAL_CONTENT && start == Some(length)
}

/// Appends the body to `output` and returns the number of bytes. What arrives before an error is written too.
fn receive(mut body: impl Read, output: &mut File, sum: &mut Sum, bar: &ProgressBar) -> Result<u64, AttemptError> {
    let mut buffer = vec![0; 64 * 1024];
    let mut received = 0;
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(received),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = explain(ureq::Error::from(error));
                return Err(AttemptError::Network(format!("after {received} bytes: {reason}")));
            }
        };
        output.write_all(&buffer[..count]).map_err(AttemptError::Disk)?;
        sum.write_all(&buffer[..count]).map_err(AttemptError::Disk)?;
        received += count as u64;
        bar.inc(count as u64);
    }
}

/// Describes a connection error in one line.
fn explain(error: ureq::Error) -> String {
    let text = match error {
        ureq::Error::Timeout(_) => "timed out".to_owned(),
        ureq::Error::Io(error) if error.kind() == ErrorKind::TimedOut => "timed out".to_owned(),
        ureq::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
