//! Files of the legacy format that are hostile, damaged, or from Python 2.

mod common;

use common::*;
use kiln_pth::{PthError, StorageError};

const WHOLE: &[u8] = b"N";

fn object(count: i64, view: &[u8]) -> Vec<u8> {
    dict(&[("w", tensor(&storage("FloatStorage", "7", count, view), 0, &[2], &[1]))])
}

fn two() -> Vec<u8> {
    floats(&[1.0, 2.0])
}

fn read(file: &[u8]) -> Result<Vec<f32>, PthError> {
    kiln_pth::read(file).map(|tensors| tensors[0].values.clone())
}

fn storage_error(file: &[u8]) -> StorageError {
    match read(file) {
        Err(PthError::Storage { key, error }) if key == "7" => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_builder_makes_files_that_are_read() {
    assert_eq!(read(&legacy(&object(2, WHOLE), &[("7", 2, two())])), Ok(vec![1.0, 2.0]));
}

#[test]
fn counts_that_lie_are_errors() {
    for count in [0, 1, 3, -1, i64::MAX, i64::MIN] {
        let error = storage_error(&legacy(&object(2, WHOLE), &[("7", count, two())]));
        assert!(matches!(error, StorageError::Size { declared: 8, .. }), "{count}: {error}");
    }
    for count in [3, 1 << 40, i64::MAX] {
        let error = storage_error(&legacy(&object(count, WHOLE), &[("7", count, two())]));
        assert!(matches!(error, StorageError::Truncated { .. }), "{count}: {error}");
    }
}

#[test]
fn the_list_of_storages_must_fit() {
    let once = ("7", 2, two());
    assert_eq!(storage_error(&legacy(&object(2, WHOLE), &[])), StorageError::Missing);
    assert_eq!(storage_error(&legacy(&object(2, WHOLE), &[once.clone(), once])), StorageError::Repeated);
    assert_eq!(storage_error(&legacy(b"}.", &[("7", 2, two())])), StorageError::Unused);
}

#[test]
fn the_header_must_fit() {
    let file = legacy(&object(2, WHOLE), &[("7", 2, two())]);
    let change = |from: &[u8], to: &[u8]| {
        let place = file.windows(from.len()).position(|part| part == from).expect("it is there");
        read(&bytes([&file[..place], to, &file[place + from.len()..]]))
    };
    assert_eq!(change(b"\x88s.", b"\x89s."), Err(PthError::ByteOrder { order: "big".to_owned() }));
    assert!(matches!(change(b"\x88s.", b"Ns."), Err(PthError::Legacy { .. })));
    assert!(matches!(change(b"M\xe9\x03.", b"M\xea\x03."), Err(PthError::Legacy { .. })));
    assert!(matches!(change(b"\x80\x02](", b"\x80\x02N("), Err(PthError::Pickle { .. })));
    assert_eq!(change(b"\x50\x19.", b"\x50\x18."), Err(PthError::UnknownFormat));
    let keys = change(b"](X\x01\0\0\x007e", b"](K\x07e");
    assert!(matches!(keys, Err(PthError::Legacy { .. })), "{keys:?}");
}

#[test]
fn views_of_storages_are_read() {
    let view = |offset, length| bytes([b"(", &text("8"), &integer(offset), &integer(length), b"t"]);
    let read = |offset, length| {
        let data = floats(&[1.0, 2.0, 3.0, 4.0]);
        self::read(&legacy(&object(4, &view(offset, length)), &[("7", 4, data)]))
    };
    assert_eq!(read(2, 2), Ok(vec![3.0, 4.0]));
    for (offset, length) in [(3, 2), (0, 5), (i64::MAX, 2), (2, i64::MAX)] {
        assert!(matches!(read(offset, length), Err(PthError::Storage { error: StorageError::View { .. }, .. })));
    }
    assert!(matches!(read(0, 1), Err(PthError::Tensor { .. })), "the tensor is larger than the view");
    assert!(matches!(read(-1, 2), Err(PthError::Pickle { .. })));
}

/// With Python 2, torch wrote names as byte strings and an `OrderedDict` as a list of pairs, each a list.
#[test]
fn files_of_python_2_are_read() {
    let short = |text: &str| bytes([b"U", &[u8::try_from(text.len()).unwrap()], text.as_bytes()]);
    let storage = bytes([b"(", &short("storage"), b"ctorch\nFloatStorage\n", &short("7"), &short("cpu"), b"K\x02NtQ"]);
    let tensor =
        bytes([b"ctorch._utils\n_rebuild_tensor\n(", &storage, b"K\x00ctorch\nSize\nK\x02\x85\x85RK\x01\x85tR"]);
    let first = bytes([b"](", &short("features.0.weight"), &tensor, b"e"]);
    let long_name = bytes([b"T", &4_u32.to_le_bytes(), b"bias"]);
    let second = bytes([b"](", &long_name, &tensor, b"e"]);
    let state = bytes([b"}", &short("_metadata"), b"}sb"]);
    let object = bytes([b"\x80\x02ccollections\nOrderedDict\n](", &first, &second, b"e\x85R", &state, b"."]);
    let tensors = kiln_pth::read(&legacy(&object, &[("7", 2, two())])).expect("a good file");
    let names: Vec<_> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["features.0.weight", "bias"]);
    assert!(tensors.iter().all(|tensor| tensor.values == [1.0, 2.0]));
}

#[test]
fn storages_beside_the_state_dict_are_passed_over() {
    let w = tensor(&storage("FloatStorage", "7", 2, WHOLE), 0, &[2], &[1]);
    let other = tensor(&storage("ComplexFloatStorage", "9", 1, WHOLE), 0, &[1], &[1]);
    let model = bytes([b"}", &text("w"), &w, b"s"]);
    let object = dict(&[("model", model), ("other", other)]);
    assert_eq!(read(&legacy(&object, &[("9", 1, vec![0; 8]), ("7", 2, two())])), Ok(vec![1.0, 2.0]));
}
