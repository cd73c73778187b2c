//! Pickles that are hostile, damaged or old.

mod common;

use std::time::{Duration, Instant};

use common::*;
use kiln_pth::{PickleError, PthError, StorageError, TensorError};

/// A tensor that uses the archive's storage of four floats.
fn small(offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    tensor(&storage("FloatStorage", "0", 4, b""), offset, shape, strides)
}

fn tensor_error(pickle: &[u8]) -> TensorError {
    match read_pickle(pickle) {
        Err(PthError::Tensor { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// Times a whole read, including the drop of everything it built.
fn within_seconds<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    result
}

#[test]
fn the_builder_makes_files_that_are_read() {
    let tensors = read_pickle(&dict(&[("w", small(1, &[3], &[1]))])).expect("a good file");
    assert_eq!((tensors[0].name.as_str(), &tensors[0].shape[..]), ("w", &[3][..]));
    assert_eq!(tensors[0].values, [2.0, 3.0, 4.0]);
}

#[test]
fn a_tensor_outside_its_storage_is_refused_by_name() {
    let read = |offset, shape: &[i64], strides: &[i64]| tensor_error(&dict(&[("w", small(offset, shape, strides))]));
    assert_eq!(read(1, &[4], &[1]), TensorError::OutsideStorage { last: 4, available: 4 });
    assert_eq!(read(0, &[2, 2], &[3, 1]), TensorError::OutsideStorage { last: 4, available: 4 });
    assert!(matches!(read(i64::MAX, &[2], &[i64::MAX]), TensorError::OutsideStorage { .. }));
    assert!(matches!(read(0, &[i64::MAX, 4], &[0, 0]), TensorError::Overflow { .. }));
    assert!(matches!(read(0, &[0, i64::MAX, i64::MAX], &[0, 0, 0]), TensorError::Overflow { .. }));
    assert!(matches!(read(0, &[5, 5], &[i64::MAX, i64::MAX]), TensorError::Overflow { .. }));
    assert_eq!(read(-1, &[1], &[1]), TensorError::Argument("offset"));
    assert_eq!(read(0, &[-1], &[1]), TensorError::Argument("shape"));
    assert_eq!(read(3, &[2], &[-1]), TensorError::Argument("strides"));
    assert_eq!(read(0, &[1, 2], &[1]), TensorError::Argument("number of strides"));
    assert_eq!(read(0, &[1; 65], &[1; 65]), TensorError::Dimensions { count: 65, limit: 64 });
    let message = read_pickle(&dict(&[("a\nb", small(9, &[1], &[1]))])).expect_err("outside").to_string();
    assert_eq!(message, "tensor \"a\\nb\": its last element has index 9 in a storage of 4 elements");
}

#[test]
fn a_storage_must_be_there_in_the_stated_size() {
    let read = |class, key, count| read_pickle(&dict(&[("w", tensor(&storage(class, key, count, b""), 0, &[], &[]))]));
    let error = |key: &str, error| Err(PthError::Storage { key: key.to_owned(), error });
    assert_eq!(read("FloatStorage", "1", 4), error("1", StorageError::Missing));
    assert_eq!(read("FloatStorage", "0", 3), error("0", StorageError::Size { declared: 12, present: 16 }));
    assert_eq!(read("DoubleStorage", "0", 4), error("0", StorageError::Size { declared: 32, present: 16 }));
    let huge = StorageError::Size { declared: u64::MAX, present: 16 };
    assert_eq!(read("FloatStorage", "0", i64::MAX), error("0", huge));
    assert!(matches!(read("FloatStorage", "0", -1), Err(PthError::Pickle { .. })));
}

#[test]
fn expansion_is_bounded() {
    let expanded = |count| dict(&[("w", small(0, &[count, 4], &[0, 1]))]);
    let tensors = read_pickle(&expanded(3)).expect("a small expansion");
    assert_eq!(tensors[0].values, [1.0, 2.0, 3.0, 4.0].repeat(3));
    assert!(matches!(tensor_error(&expanded(1 << 27)), TensorError::TooLarge { .. }));
    assert!(matches!(tensor_error(&expanded(i64::MAX / 4)), TensorError::TooLarge { .. }));
    let half = small(0, &[1 << 26, 2], &[0, 1]);
    let names = ["a", "b", "c"];
    let several: Vec<_> = names.iter().map(|&name| (name, half.clone())).collect();
    assert!(matches!(tensor_error(&dict(&several)), TensorError::TooLarge { .. }));
}

#[test]
fn names_must_be_strings_and_different() {
    let w = small(0, &[1], &[1]);
    assert_eq!(tensor_error(&dict(&[("w", w.clone()), ("v", w.clone()), ("w", w.clone())])), TensorError::Duplicate);
    let inner = bytes([b"}(", &text("w"), &w, b"u"]);
    assert_eq!(tensor_error(&dict(&[("model", inner.clone()), ("model", inner)])), TensorError::Duplicate);
    let pickle = bytes([b"\x80\x02}(", &text("w"), &w, b"K\x01", &w, b"u."]);
    assert_eq!(read_pickle(&pickle), Err(PthError::Key { index: 1, found: "an integer".to_owned() }));
    let long = "n".repeat(1 << 20);
    let message = read_pickle(&dict(&[(&long, small(9, &[1], &[1]))])).expect_err("outside").to_string();
    assert!(message.len() < 300, "{} bytes", message.len());
}

#[test]
fn the_number_of_entries_is_limited() {
    let none = b"N".to_vec();
    let mut items = vec![("w", small(0, &[4], &[1]))];
    let names: Vec<String> = (0..1 << 16).map(|number| number.to_string()).collect();
    items.extend(names.iter().map(|name| (name.as_str(), none.clone())));
    let limit = 1 << 16;
    assert_eq!(read_pickle(&dict(&items)), Err(PthError::TooManyTensors { count: limit + 1, limit }));
    items.pop();
    assert_eq!(read_pickle(&dict(&items)).map(|tensors| tensors.len()), Ok(1));
}

#[test]
fn a_memo_bomb_stays_small() {
    // Each tuple contains the previous one twice: walking it would visit 2^100000 leaves.
    let mut bomb = bytes([b"\x80\x02", &text("leaf"), b"q\x00"]);
    for _ in 0..100_000 {
        bomb.extend(b"h\x00h\x00\x86q\x00");
    }
    bomb.push(b'.');
    let found = "a tuple".to_owned();
    assert_eq!(within_seconds(|| read_pickle(&bomb)), Err(PthError::NotADict { found }));
    let beside =
        bytes([&bomb[..bomb.len() - 1], b"0}", &text("w"), &small(0, &[4], &[1]), b"s", &text("x"), b"h\x00s."]);
    assert_eq!(tensor_error(&beside), TensorError::NotATensor { found: "a tuple" });
}

#[test]
fn deep_nesting_neither_recurses_nor_overflows() {
    for (open, close) in [(&b"("[..], &b"t"[..]), (b"", b"\x85"), (b"]", b"a")] {
        let mut pickle = b"\x80\x02".to_vec();
        let depth = 60_000;
        pickle.extend(open.repeat(depth));
        pickle.push(b'N');
        pickle.extend(close.repeat(depth));
        pickle.push(b'.');
        assert!(matches!(within_seconds(|| read_pickle(&pickle)), Err(PthError::NotADict { .. })));
    }
    let marks = bytes([b"\x80\x02", &b"(".repeat(1 << 17)]);
    assert_eq!(pickle_error(&marks), PickleError::Limit { what: "open marks", limit: 1 << 16 });
    // A list and a dict that contain themselves.
    let cyclic = bytes([b"\x80\x02]q\x00h\x00a0}q\x01", &text("model"), b"h\x01s", &text("w"), b"h\x00s."]);
    assert_eq!(read_pickle(&cyclic), Err(PthError::NoTensors));
}

#[test]
fn work_and_memory_are_limited() {
    let what = |pickle: &[u8]| match within_seconds(|| pickle_error(pickle)) {
        PickleError::Limit { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(what(&b"N0".repeat(3 << 20)), "steps");
    assert_eq!(what(&b"N".repeat(2 << 20)), "values on the stack");
    assert_eq!(what(&bytes([b"]", &b"Na".repeat(2 << 20)])), "items in a container");
    let memo: Vec<u8> = (0..3_u32 << 20).flat_map(|key| bytes([b"r", &key.to_le_bytes()])).collect();
    assert_eq!(what(&bytes([b"N", &memo])), "values in the memo");
    // One long list of pairs is turned into an OrderedDict again and again.
    let pairs = bytes([b"](", &b"NN\x86".repeat(100_000), b"e\x85q\x00"]);
    let copies = b"ccollections\nOrderedDict\nh\x00R0".repeat(1000);
    assert_eq!(what(&bytes([&pairs, &copies])), "steps");
}

/// Small tuples must not take up as much memory as the stack once did.
#[test]
fn many_tuples_on_an_empty_stack_stay_small() {
    let high = bytes([&b"N".repeat(1 << 20), &b"0".repeat(1 << 20)]);
    let pickle = bytes([&high, &b"(Nt0".repeat(1 << 18), b"}."]);
    assert_eq!(within_seconds(|| read_pickle(&pickle)), Ok(Vec::new()));
}

#[test]
fn a_pickle_of_many_megabytes_is_limited() {
    // A string longer than a whole pickle may be.
    let length = 65 << 20;
    let pickle = bytes([b"X", &u32::try_from(length).unwrap().to_le_bytes(), &vec![b'a'; length], b"."]);
    assert_eq!(pickle_error(&pickle), PickleError::Limit { what: "bytes in a pickle", limit: 64 << 20 });
}

#[test]
fn wrong_opcodes_and_operands_are_errors() {
    let stack_is_empty = PickleError::Malformed("the stack is empty");
    for pickle in
        [&b"."[..], b"0", b"\x85", b"N\x86", b"(\x85", b"N(s", b"R", b"NR", b"b", b"Q", b"2", b"q\x00", b"\x94"]
    {
        assert_eq!(pickle_error(pickle), stack_is_empty, "{pickle:?}");
    }
    for pickle in
        [&b""[..], b"\x80", b"X\xff\xff\xff\xffa", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa", b"K", b"G123", b"cos"]
    {
        assert_eq!(pickle_error(pickle), PickleError::Truncated, "{pickle:?}");
    }
    for opcode in [0x00, b'P', b'V', b'S', b'p', b'g', b'i', b'd', b'l', b'F', 0x82, 0x83, 0x84, 0x97, 0x98, 0xff] {
        assert_eq!(pickle_error(&[opcode]), PickleError::UnknownOpcode(opcode));
    }
    for pickle in [
        &b"\x80\x06"[..],
        b"t",
        b"Nh\x07",
        b"NNa",
        b"N(NNu",
        b"}(Nu",
        b"NN\x81",
        b"Nb",
        b"I1x\n",
        b"ctorch\nFloatStorage\n)R",
        b"ccollections\nOrderedDict\nNR",
        b"ccollections\nOrderedDict\n(](NeetR",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR",
        b"ctorch._utils\n_rebuild_parameter\nN\x85R",
        b"ctorch\nSize\nN\x85R",
        b"NQ",
        b")Q",
        b"NN\x93",
        b"(o",
        b"c\xff\n\xff\n",
    ] {
        assert!(matches!(pickle_error(pickle), PickleError::Malformed(_)), "{pickle:?}");
    }
}

#[test]
fn objects_of_unknown_classes_take_anything_and_do_nothing() {
    let w = bytes([&text("w"), &small(0, &[4], &[1])]);
    for object in [
        &b"cos\nsystem\nN\x85R"[..],
        b"cos\nsystem\n)\x81}b",
        b"cos\nsystem\n)}\x92(NNu",
        b"(cos\nsystem\nNo",
        b"cos\nsystem\n)R(NNe",
        b"cos\nsystem\n)RNa",
        b"cos\nsystem\n)R)R",
        b"\x8c\x02os\x8c\x06system\x93)R",
    ] {
        let model = bytes([b"\x80\x02}(", &text("model"), b"}(", &w, b"u", &text("x"), object, b"u."]);
        assert_eq!(read_pickle(&model).expect("what is beside the model is ignored").len(), 1);
        let inside = bytes([b"\x80\x02}(", &w, &text("x"), object, b"u."]);
        assert_eq!(tensor_error(&inside), TensorError::UnknownGlobal { global: "os.system".to_owned() });
    }
    // A tensor whose storage comes from an unknown class, and one wrapped in a parameter.
    let storage = b"cos\nsystem\n)R";
    let depends = tensor(storage, 0, &[1], &[1]);
    let parameter = bytes([b"ctorch._utils\n_rebuild_parameter\n(", &depends, b"\x89NtR"]);
    for value in [depends, parameter] {
        let error = tensor_error(&dict(&[("w", value)]));
        assert_eq!(error, TensorError::UnknownGlobal { global: "os.system".to_owned() });
    }
}
