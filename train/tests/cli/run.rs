//! Running the program and looking at what it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kiln_model::weights::Weights;
use kiln_model::{Architecture, NamedTensor};
use tempfile::TempDir;

/// A folder of runs for one test.
pub struct Bench {
    folder: TempDir,
}

/// The repository's own images.
pub fn mnist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mnist")
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn run(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The program with quick settings; later flags go before these.
    pub fn command(&self, flags: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(self.path()).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
        command.args(
            "--backend ndarray --limit-train 640 --limit-test 200 --epochs 2 --dashboard plain --output .".split(' '),
        );
        command.arg("--data-dir").arg(mnist()).args(flags.split_whitespace());
        command
    }

    pub fn train(&self, flags: &str) -> Output {
        self.command(flags).output().unwrap()
    }

    /// Trains and asserts that all went well.
    pub fn trained(&self, flags: &str) -> Output {
        let output = self.train(flags);
        assert!(output.status.success(), "{flags}: {}{}", text(&output.stdout), text(&output.stderr));
        output
    }

    /// Continues a run, whose folder has the options.
    pub fn resume(&self, flags: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(self.path()).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
        command.args("--dashboard plain --output .".split(' ')).args(flags.split_whitespace()).output().unwrap()
    }

    pub fn resumed(&self, flags: &str) -> Output {
        let output = self.resume(flags);
        assert!(output.status.success(), "{flags}: {}{}", text(&output.stdout), text(&output.stderr));
        output
    }

    /// Starts a run and waits until its log has this text.
    pub fn started(&self, flags: &str, name: &str, wanted: &str) -> Child {
        let mut child = self.command(flags).args(["--name", name]).stdout(Stdio::null()).spawn().unwrap();
        let log = self.run(name).join("train.log");
        let begin = Instant::now();
        while !fs::read_to_string(&log).unwrap_or_default().contains(wanted) {
            assert!(begin.elapsed() < Duration::from_secs(120), "{name} never printed {wanted}");
            assert!(child.try_wait().unwrap().is_none(), "{name} ended before it printed {wanted}");
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    }

    /// The weights after the last epoch.
    pub fn last(&self, name: &str) -> Vec<u8> {
        fs::read(self.run(name).join("last.safetensors")).unwrap()
    }

    /// `metrics.csv` without the times, which no two runs share.
    pub fn metrics(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = fs::read_to_string(self.run(name).join("metrics.csv")).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let head = lines.next().unwrap();
        let row = |line: Vec<String>| {
            assert_eq!(line.len(), head.len());
            let fields = head.iter().cloned().zip(line);
            fields.filter(|(name, _)| name != "seconds" && name != "images_per_second").collect()
        };
        lines.map(row).collect()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The tensors of a weights file, in the order of their names.
pub fn tensors(path: &Path, architecture: Architecture) -> Vec<NamedTensor> {
    let mut tensors = Weights::tensors_for(path, architecture, true).unwrap().tensors;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

/// Asserts an exit code and one line on standard error that says all of `wanted`.
pub fn assert_fails(output: &Output, code: i32, wanted: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    let lines: Vec<_> = message.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert_eq!(lines.len(), 1, "{message}");
    assert!(lines[0].starts_with("error: ") && !message.contains("panicked"), "{message}");
    wanted.iter().for_each(|wanted| assert!(lines[0].contains(wanted), "no {wanted:?} in {message}"));
}
