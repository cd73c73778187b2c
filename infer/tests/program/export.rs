//! `infer export FILE.onnx`. What the file says is tested with ONNX Runtime in `kiln-onnx`.

use super::{folder, infer};

#[test]
fn networks_are_written_as_onnx() {
    let folder = folder(&[]);
    let export = |arguments: &[&str]| infer(folder.path(), &[&["export", "-m", "built-in"], arguments].concat());
    assert_eq!(export(&["plain.onnx"]).code, Some(0));
    assert_eq!(export(&["pixels.onnx", "--with-preprocess"]).code, Some(0));
    let has = |file: &str, text: &str| {
        let bytes = std::fs::read(folder.path().join(file)).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(has("plain.onnx", "images") && has("plain.onnx", "layer3.conv2.weight") && has("plain.onnx", "mnist"));
    assert!(
        has("pixels.onnx", "pixels") && has("pixels.onnx", "preprocess/mean") && !has("plain.onnx", "preprocess/mean")
    );
    // Once more: the same bytes.
    let first = std::fs::read(folder.path().join("plain.onnx")).unwrap();
    assert_eq!(export(&["again.onnx"]).code, Some(0));
    assert!(std::fs::read(folder.path().join("again.onnx")).unwrap() == first);
    // What is there stays.
    export(&["plain.onnx", "--with-preprocess"]).assert_fails(2, &["plain.onnx"]);
    assert!(std::fs::read(folder.path().join("plain.onnx")).unwrap() == first);
}

#[test]
fn what_a_form_has_not_is_refused() {
    let folder = folder(&[]);
    for (arguments, word) in [
        (&["x.bin"][..], ".onnx"),
        (&["x.onnx", "--plain"], "--plain"),
        (&["x.safetensors", "--with-preprocess"], "--with-preprocess"),
    ] {
        infer(folder.path(), &[&["export"], arguments].concat()).assert_fails(2, &[word]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
