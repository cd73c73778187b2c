//! The program as its users meet it: arguments in, answers and exit codes out.

mod backends;
mod bench;
mod commands;
mod evaluate;
mod explain;
mod export;
mod formats;
mod inputs;
mod logits;
mod output;
mod photographs;
mod published;
mod samples;
mod weights;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{GrayImage, Luma};
use kiln_data::ImageSet;
use serde_json::Value;

/// How a run of the program ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }

    /// The error lines, without the one that says which weights are used.
    fn errors(&self) -> Vec<&str> {
        self.err.lines().filter(|line| !line.starts_with("weights: ")).collect()
    }

    /// Checks that the program failed with this code and one line that holds these words.
    fn assert_fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        let lines = self.errors();
        assert_eq!(lines.len(), 1, "one line: {}", self.err);
        for word in words {
            assert!(lines[0].contains(word), "no `{word}` in {}", lines[0]);
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The program in a folder, where it finds no runs.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    // Linux's graphics drivers complain about a missing XDG_RUNTIME_DIR between our lines.
    command.current_dir(folder).env("XDG_RUNTIME_DIR", folder).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn infer(folder: &Path, arguments: &[&str]) -> Ended {
    command(folder).args(arguments).output().unwrap().into()
}

/// Classifies on the CPU, whatever the build's default is.
fn classify(folder: &Path, arguments: &[&str]) -> Ended {
    command(folder).args(arguments).args(["--backend", "ndarray"]).output().unwrap().into()
}

/// As [`classify`], with bytes on standard input.
fn classify_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = command(folder);
    command.args(arguments).args(["--backend", "ndarray"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

fn assets(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets").join(path).canonicalize().unwrap()
}

fn sample(digit: usize) -> String {
    assets(&format!("samples/{digit}.png")).to_str().unwrap().to_owned()
}

/// A temporary folder with samples in it: `(name, digit)`.
fn folder(samples: &[(&str, usize)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, digit) in samples {
        std::fs::copy(sample(*digit), folder.path().join(name)).unwrap();
    }
    folder
}

/// MNIST's test set.
fn mnist_test() -> ImageSet {
    let mnist = |name: &str| assets(&format!("mnist/t10k-{name}-ubyte.gz"));
    ImageSet::from_idx("mnist", &mnist("images-idx3"), &mnist("labels-idx1")).unwrap()
}

/// A blank page.
fn blank() -> GrayImage {
    GrayImage::from_pixel(40, 30, Luma([240]))
}
