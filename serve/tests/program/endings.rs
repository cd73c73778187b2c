//! The program: how it starts, heeds signals, and ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use crate::client::{connect, get, receive, request};
use crate::sample;

struct Program {
    child: Child,
    address: SocketAddr,
    log: BufReader<ChildStderr>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    // Where there are no runs.
    command.current_dir(std::env::temp_dir()).args(arguments).stdin(Stdio::null());
    command
}

fn ended(arguments: &[&str]) -> Output {
    command(arguments).output().expect("it starts")
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).args(["--port", "0"]).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let line = next(&mut log, "serving at http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.trim().trim_end_matches('/').parse().ok());
        Self { child, address: address.expect("an address"), log }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line of the log with these words.
fn next(log: &mut impl BufRead, words: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("text") > 0, "no `{words}` in {all}");
        if line.contains(words) {
            return line;
        }
        all.push_str(&line);
    }
}

#[test]
fn it_listens_to_this_machine_alone() {
    let program = Program::start(&[]);
    assert!(program.address.ip().is_loopback());
}

#[cfg(unix)]
#[test]
fn the_end_waits_for_what_was_begun() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&[]);
        let whole = request("/v1/predict", "image/png", &sample("7.png"));
        let mut begun = connect(program.address);
        begun.write_all(&whole[..whole.len() / 2]).expect("it is taken");
        std::thread::sleep(Duration::from_millis(300));
        program.signal(signal);
        next(&mut program.log, "shutting down");
        begun.write_all(&whole[whole.len() / 2..]).expect("it is taken");
        let answer = receive(begun);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(program.child.wait().expect("it ends").code(), Some(0));
        assert!(std::net::TcpStream::connect(program.address).is_err(), "nobody listens any more");
    }
}

#[cfg(unix)]
#[test]
fn the_end_does_not_wait_for_ever() {
    let mut program = Program::start(&["--timeout", "1"]);
    let mut begun = connect(program.address);
    begun.write_all(b"POST /v1/predict HTTP/1.1\r\nHost: kiln\r\nContent-Length: 9\r\n\r\n").expect("it is taken");
    std::thread::sleep(Duration::from_millis(300));
    program.signal("TERM");
    assert_eq!(program.child.wait().expect("it ends").code(), Some(0));
}

#[cfg(unix)]
#[test]
fn hanging_up_loads_the_models_anew() {
    let mut program = Program::start(&["--log-format", "json"]);
    program.signal("HUP");
    let line = next(&mut program.log, "reloaded");
    let event: serde_json::Value = serde_json::from_str(&line).expect("an object a line");
    assert_eq!((&event["level"], &event["model"]), (&"INFO".into(), &"default".into()));
    assert_eq!(get(program.address, "/healthz").status, 200);
    let line = next(&mut program.log, "answered");
    let event: serde_json::Value = serde_json::from_str(&line).expect("an object a line");
    assert_eq!((&event["path"], &event["status"]), (&"/healthz".into(), &200.into()));
}

#[test]
fn manual_pages_and_completions_are_written() {
    let page = String::from_utf8(ended(&["--generate", "man"]).stdout).expect("text");
    assert!(page.contains("max\\-queue"), "{page}");
}

#[test]
fn what_keeps_it_from_starting_is_one_line_and_a_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--port", &port], 5, "choose another --port"),
        (&["--host", "no.such.host.invalid"], 5, "cannot listen"),
        (&["--model", "missing.safetensors", "--port", "0"], 3, "missing.safetensors"),
        (&["-m", "a=built-in", "-m", "a=built-in"], 2, "two models called `a`"),
        (&["--max-queue", "0"], 2, "--max-queue"),
        (&["--max-body-mb", "300"], 2, "--max-memory-mb"),
        (&["--threads", "0"], 2, "--threads"),
        (&["--backend", "abacus"], 2, "unknown backend"),
        (&["--log-level", "loud"], 2, "expected error, warn, info or debug"),
    ];
    for (arguments, code, words) in cases {
        let output = ended(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() == 1 && lines[0].contains(words), "{arguments:?}: {text}");
    }
}
