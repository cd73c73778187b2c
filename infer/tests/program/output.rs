//! Standard output that does not take what is written.

use std::process::Stdio;

use super::{classify, command, folder};

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_output_failure() {
    let folder = folder(&[("7.png", 7)]);
    let formats =
        ["text", "json", "jsonl", "csv"].map(|format| vec!["7.png", "--backend", "ndarray", "--format", format]);
    let commands = [vec!["models"], vec!["models", "mlp"], vec!["doctor"]];
    for arguments in formats.into_iter().chain(commands) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended: super::Ended = command(folder.path()).args(&arguments).stdout(full).output().unwrap().into();
        ended.assert_fails(6, &["standard output: cannot be written"]);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = folder(&[("7.png", 7)]);
    let classify = ["7.png", "missing", "--backend", "ndarray", "--format"];
    let formats = ["text", "json", "jsonl", "csv"].map(|format| [&classify[..], &[format]].concat());
    for arguments in formats.into_iter().chain([vec!["models"], vec!["doctor"]]) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended: super::Ended =
            command(folder.path()).args(&arguments).stdout(Stdio::from(writer)).output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("panicked") && !ended.err.contains("written"), "{}", ended.err);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_does_not_change_the_answers() {
    let folder = folder(&[("7.png", 7)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let arguments = ["missing.png", "7.png", "--format", "csv", "--topk", "1", "--backend", "ndarray"];
    let output = command(folder.path()).args(arguments).stderr(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, classify(folder.path(), &arguments[..6]).out.as_bytes());
}
