//! Files written by torch (see `make.py`): the contents of the good ones, and why the bad ones are refused.

use std::path::{Path, PathBuf};

use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn load(name: &str) -> Vec<u8> {
    std::fs::read(data(&format!("{name}.pth"))).expect(name)
}

fn expected(part: &str) -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(data("expected.json")).expect("the expectations");
    let mut all: Value = serde_json::from_str(&text).expect("JSON");
    match all[part].take() {
        Value::Object(files) => files,
        other => panic!("{part} is {other}"),
    }
}

#[test]
fn good_files_give_the_values_that_torch_reads() {
    let files = expected("good");
    assert!(files.len() > 25, "only {} files", files.len());
    for (file, wanted) in files {
        let tensors = kiln_pth::read(&load(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let wanted = wanted.as_array().expect("a list");
        assert_eq!(tensors.len(), wanted.len(), "{file}");
        for (tensor, wanted) in tensors.iter().zip(wanted) {
            let place = format!("{file}: {}", tensor.name);
            assert_eq!(wanted["name"], tensor.name, "{place}");
            assert_eq!(wanted["shape"], serde_json::json!(tensor.shape), "{place}");
            let values = wanted["values"].as_array().expect("a list");
            let bits: Vec<u32> = values.iter().map(|v| (v.as_f64().expect("a number") as f32).to_bits()).collect();
            let found: Vec<u32> = tensor.values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(found, bits, "{place}");
        }
    }
}

#[test]
fn bad_files_are_refused_with_a_reason() {
    let files = expected("bad");
    assert!(files.len() > 10, "only {} files", files.len());
    for (file, reason) in files {
        let error = kiln_pth::read(&load(&file)).expect_err(&file).to_string();
        let reason = reason.as_str().expect("a string");
        assert!(error.starts_with(reason), "{file}: {error}");
        assert!(!error.contains('\n'), "{file}: {error}");
    }
}

#[test]
fn nothing_in_a_file_is_run() {
    let marker = Path::new("/tmp/pth-was-executed");
    for file in ["evil-entry", "evil-top", "evil-legacy", "evil-beside"] {
        let bytes = load(file);
        assert!(bytes.windows(13).any(|part| part == b"posix\nsystem\n"), "{file} is harmless");
        let _ = kiln_pth::read(&bytes);
    }
    assert!(!marker.exists());
}

#[test]
fn every_truncation_is_an_error() {
    for file in ["module-zip", "module-legacy"] {
        let bytes = load(file);
        for length in 0..bytes.len() {
            assert!(kiln_pth::read(&bytes[..length]).is_err(), "{file}: the first {length} bytes");
        }
    }
}

#[test]
fn bytes_behind_the_last_storage_of_a_legacy_file_are_ignored_as_in_torch() {
    let mut bytes = load("module-legacy");
    let tensors = kiln_pth::read(&bytes).expect("a good file");
    bytes.extend(b"more");
    assert_eq!(kiln_pth::read(&bytes).as_ref(), Ok(&tensors));
}

#[test]
fn flipped_bytes_do_no_harm() {
    let files: Vec<Vec<u8>> =
        ["module-zip", "module-legacy", "views", "tied-legacy", "checkpoint", "protocol4", "f16-legacy"]
            .map(load)
            .into();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % limit
    };
    let start = std::time::Instant::now();
    for round in 0..7000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random(3) {
            let place = random(bytes.len());
            bytes[place] = match random(3) {
                0 => bytes[place] ^ (1 << random(8)),
                1 => u8::try_from(random(256)).expect("a byte"),
                _ => [0, 0xff, 0x7f, 0x80][random(4)],
            };
        }
        if let Ok(tensors) = kiln_pth::read(&bytes) {
            for tensor in tensors {
                assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{}", tensor.name);
            }
        }
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn averaged_weights_are_found_beside_the_others() {
    let averaged = |name: &str| kiln_pth::read_averaged(&load(name)).unwrap();
    assert_eq!(averaged("model-ema").unwrap()[0].values, [1.0, 1.0]);
    for without in ["checkpoint", "module-zip", "module-legacy", "state-dict"] {
        assert_eq!(averaged(without), None, "{without}");
    }
}
