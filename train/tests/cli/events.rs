//! The TensorBoard events, read back by a parser that shares nothing with the writer, and by TensorBoard itself where it
//! is installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Bench, text};

type Scalars = BTreeMap<String, Vec<(i64, f32)>>;

/// CRC-32C bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0u32, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

fn masked(bytes: &[u8]) -> u32 {
    crc(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of an event file, checksums verified.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(u32::from_le_bytes(head[8..].try_into().unwrap()), masked(&head[..8]));
        let (data, rest) = rest.split_at(length);
        let (sum, rest) = rest.split_at(4);
        assert_eq!(u32::from_le_bytes(sum.try_into().unwrap()), masked(data));
        records.push(data.to_vec());
        bytes = rest;
    }
    records
}

/// The fields of a protocol-buffer message: number, and bytes (little-endian for numbers).
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, varint(&mut bytes).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            kind => panic!("wire type {kind}"),
        };
        let (value, rest) = bytes.split_at(length);
        fields.push((key >> 3, value.to_vec()));
        bytes = rest;
    }
    fields
}

fn field(message: &[u8], number: u64) -> Option<Vec<u8>> {
    fields(message).into_iter().find(|(at, _)| *at == number).map(|(_, value)| value)
}

fn scalars(file: &Path) -> Scalars {
    let records = records(&fs::read(file).unwrap());
    assert_eq!(field(&records[0], 3).as_deref(), Some(&b"brain.Event:2"[..]), "the first record names the version");
    let mut scalars = Scalars::new();
    for record in &records {
        let step = field(record, 2).map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
        for (_, value) in fields(&field(record, 5).unwrap_or_default()).iter().filter(|(number, _)| *number == 1) {
            let tag = text(&field(value, 1).unwrap());
            let number = f32::from_le_bytes(field(value, 2).map_or([0; 4], |bytes| bytes.try_into().unwrap()));
            scalars.entry(tag).or_default().push((step, number));
        }
    }
    scalars
}

fn event_files(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().contains("events.out.tfevents.")).collect();
    files.sort();
    files
}

#[test]
fn events_hold_what_the_metrics_say() {
    let bench = Bench::new();
    bench.trained("--name run --log-interval 5");
    let run = bench.run("run");
    let scalars = scalars(&event_files(&run)[0]);
    let steps = |tag: &str| scalars[tag].iter().map(|(step, _)| *step).collect::<Vec<_>>();
    assert_eq!(steps("loss/valid"), [10, 20]);
    assert_eq!(steps("loss/iteration"), [5, 10, 15, 20]);
    for (tag, column) in [
        ("loss/train", "train_loss"),
        ("loss/valid", "valid_loss"),
        ("accuracy/train", "train_accuracy"),
        ("accuracy/valid", "valid_accuracy"),
        ("top5/valid", "valid_top5"),
    ] {
        for (row, (_, value)) in bench.metrics("run").iter().zip(&scalars[tag]) {
            assert_eq!(*value, row[column].parse::<f64>().unwrap() as f32, "{tag}");
        }
    }
    read_by_tensorboard(&run, &scalars);
}

#[test]
fn a_resumed_run_goes_on_in_a_new_file() {
    let bench = Bench::new();
    bench.trained("--name run --epochs 1");
    bench.resumed("--resume run --epochs 2");
    let files = event_files(&bench.run("run"));
    assert_eq!(files.len(), 2);
    assert_eq!(scalars(&files[0])["loss/valid"].len(), 1);
    assert_eq!(scalars(&files[1])["loss/valid"][0].0, 20);
}

/// Compares with what the real TensorBoard reads, where Python has it.
fn read_by_tensorboard(run: &Path, ours: &Scalars) {
    let python = std::env::var_os("KILN_PYTHON").unwrap_or_else(|| "python3".into());
    let installed = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: the tensorboard package is not installed for {}", python.display());
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_events.py");
    let output = Command::new(&python).arg(script).arg(run).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let theirs: BTreeMap<String, Vec<(i64, f64)>> = serde_json::from_slice(&output.stdout).unwrap();
    let theirs = theirs
        .into_iter()
        .map(|(tag, values)| (tag, values.into_iter().map(|(step, value)| (step, value as f32)).collect::<Vec<_>>()));
    assert_eq!(&theirs.collect::<Scalars>(), ours);
}
