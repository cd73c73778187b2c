//! Weights that torchvision publishes, from a server of our own, and weights written to other files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{GrayImage, Luma};
use kiln_backend::Reference;
use kiln_model::Architecture;
use kiln_model::weights::Weights;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Ended, classify, command, folder, infer};

/// A file of GoogLeNet's weights whose SHA-256 sum begins as the published file's does: all weights are zero but for the
/// last two, which were searched for until it did.
fn googlenet() -> Vec<u8> {
    let sizes = Architecture::GoogLeNet.sizes(1000);
    let network = Architecture::GoogLeNet.init::<Reference>(&sizes, &Default::default());
    let tensors: Vec<_> = kiln_model::shapes(&network);
    let zeros = vec![0; 4 * tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).max().unwrap()];
    let views = tensors.iter().map(|(name, shape)| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let mut bytes = safetensors::serialize(views, None).unwrap();
    let end = bytes.len() - 8;
    bytes[end..].copy_from_slice(&SEARCHED.to_le_bytes());
    bytes
}

/// Two floats of 0.5 to 1.
const SEARCHED: u64 = 0x3f00_0101_3f69_3d4c;

/// Serves `bytes` under any path; returns the address, and how often somebody asked.
fn serve(bytes: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/models/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
            // A client that has seen enough closes the connection.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
        }
    });
    (address, asked)
}

/// Asks for published weights of a server at `address`, with a cache in `folder`.
fn pretrained(folder: &Path, address: &str, arguments: &[&str]) -> Ended {
    let mut command = command(folder);
    command.env("KILN_WEIGHTS_URL", address).env("XDG_CACHE_HOME", folder.join("cache"));
    command.args(["7.png", "--pretrained", "--backend", "ndarray", "--format", "json"]).args(arguments);
    command.output().unwrap().into()
}

#[test]
fn published_weights_are_fetched_once_verified_and_kept() {
    let folder = folder(&[("7.png", 7)]);
    let (address, asked) = serve(googlenet());
    let with = |arguments: &[&str]| pretrained(folder.path(), &address, arguments);
    with(&["--arch", "googlenet", "--offline"]).assert_fails(3, &["googlenet-1378be20.pth", "--offline"]);
    let ended = with(&["--arch", "googlenet", "--logits"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.json()["results"][0]["logits"].as_array().unwrap().len(), 1000);
    assert!(folder.path().join("cache/kiln/weights/googlenet-1378be20.pth").is_file());
    assert_eq!(with(&["--arch", "googlenet", "--offline"]).code, Some(0));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn published_weights_that_are_something_else_are_refused() {
    let folder = folder(&[("7.png", 7)]);
    let (address, _) = serve(b"<html>not found</html>".to_vec());
    let with = |arguments: &[&str]| pretrained(folder.path(), &address, arguments);
    with(&["--arch", "resnet18"]).assert_fails(3, &["resnet18-f37072fd.pth", "expected SHA-256 f37072fd"]);
    let left: Vec<_> =
        fs::read_dir(folder.path().join("cache/kiln/weights")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{left:?}");
    pretrained(folder.path(), "http://127.0.0.1:9", &["--arch", "resnet18"])
        .assert_fails(3, &["cannot download", "127.0.0.1:9"]);
    with(&["--arch", "lecture-cnn"]).assert_fails(2, &["publishes no weights of lecture-cnn"]);
    assert_eq!(with(&[]).code, Some(2));
    assert_eq!(with(&["--arch", "resnet18", "--model", "built-in"]).code, Some(2));
}

#[test]
fn pictures_are_fitted_as_the_flag_says() {
    let folder = folder(&[]);
    let wide = GrayImage::from_fn(70, 30, |x, y| Luma([(x * 7 + y * y) as u8]));
    wide.save(folder.path().join("wide.png")).unwrap();
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/from-torch.pth");
    let foreign =
        ["wide.png", "--weights", theirs.to_str().unwrap(), "--arch", "lecture-cnn", "--format", "json", "--logits"];
    let logits = |arguments: &[&str]| {
        let ended = classify(folder.path(), &[&foreign, arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.json()["results"][0]["logits"].to_string()
    };
    let modes = [
        logits(&[]),
        logits(&["--resize-mode", "crop"]),
        logits(&["--resize-mode", "pad"]),
        logits(&["--resize-mode", "squash"]),
    ];
    let different: std::collections::HashSet<_> = modes.iter().collect();
    assert_eq!(different.len(), 4, "{modes:?}");
    assert_eq!(classify(folder.path(), &["wide.png", "--resize-mode", "pad"]).code, Some(2), "Kiln's weights say how");
}

#[test]
fn weights_are_exported_for_kiln_and_for_pytorch() {
    let folder = folder(&[("7.png", 7)]);
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/from-torch.pth");
    let theirs = theirs.to_str().unwrap();
    let export = |arguments: &[&str]| infer(folder.path(), &[&["export"], arguments].concat());
    assert_eq!(export(&["own.safetensors", "--weights", theirs, "--arch", "lecture-cnn"]).code, Some(0));
    let logits = |arguments: &[&str]| {
        let ended = classify(folder.path(), &[&["7.png", "--format", "json", "--logits"], arguments].concat());
        ended.json()["results"][0]["logits"].clone()
    };
    assert_eq!(logits(&["-m", "own.safetensors"]), logits(&["-m", theirs, "--arch", "lecture-cnn"]));

    assert_eq!(export(&["plain.safetensors", "-m", "own.safetensors", "--plain"]).code, Some(0));
    let bytes = fs::read(folder.path().join("plain.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!((header.metadata(), header.tensors().len()), (&None, 6));
    let read = |name: &str| {
        let mut tensors =
            Weights::tensors_for(&folder.path().join(name), Architecture::LectureCnn, true).unwrap().tensors;
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    };
    assert!(read("plain.safetensors") == read("own.safetensors"));

    let before = fs::read(folder.path().join("own.safetensors")).unwrap();
    export(&["own.safetensors", "-m", "built-in"]).assert_fails(2, &["own.safetensors: is there already"]);
    assert!(fs::read(folder.path().join("own.safetensors")).unwrap() == before);
    export(&["weights.pth", "-m", "built-in"]).assert_fails(2, &["ends in .safetensors"]);
    export(&["resnet8.safetensors", "-m", theirs, "--arch", "resnet8"]).assert_fails(3, &["from-torch.pth: tensor `"]);
    assert!(!folder.path().join("resnet8.safetensors").exists(), "weights of another network");
    classify(folder.path(), &["7.png", "-m", theirs])
        .assert_fails(3, &["from-torch.pth: not written by Kiln", "--arch"]);
    export(&["no/folder.safetensors", "-m", "built-in"]).assert_fails(6, &["no/folder.safetensors: cannot be written"]);
}

/// Where the searched bytes come from: `KILN_DUMP=FILE cargo test -p infer dump -- --ignored` writes the file without them.
#[test]
#[ignore = "writes the file to search in"]
fn dump() {
    fs::write(std::env::var("KILN_DUMP").unwrap(), googlenet()).unwrap();
}
