//! What INPUT may be, and what is said of one that cannot be classified.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Ended, classify, classify_input, folder, infer, sample};

/// The paths of the results and their best classes.
fn answers(ended: &Ended) -> Vec<(String, u64)> {
    let json = ended.json();
    let answer = |result: &Value| {
        (result["path"].as_str().unwrap().to_owned(), result["predictions"][0]["class"].as_u64().unwrap())
    };
    json["results"].as_array().unwrap().iter().map(answer).collect()
}

fn json(folder: &Path, inputs: &[&str]) -> Ended {
    classify(folder, &[inputs, &["--format", "json"]].concat())
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(path, class)| ((*path).to_owned(), *class)).collect()
}

#[test]
fn a_folder_gives_its_images_by_extension_or_content_sorted_and_those_below() {
    let folder = folder(&[]);
    let inner = folder.path().join("digits");
    for below in ["below.png", ".hidden"] {
        fs::create_dir_all(inner.join(below)).unwrap();
    }
    let images =
        [("b.PNG", 1), ("a", 2), ("c.txt", 3), (".hidden.png", 4), ("below.png/d.png", 5), (".hidden/e.png", 6)];
    for (name, digit) in images {
        fs::copy(sample(digit), inner.join(name)).unwrap();
    }
    fs::write(inner.join("notes.txt"), "BM is how a bitmap begins").unwrap();
    let flat = [("digits/a", 2), ("digits/b.PNG", 1), ("digits/c.txt", 3)];
    let ended = json(folder.path(), &["digits"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(answers(&ended), pairs(&[flat[0], flat[1], ("digits/below.png/d.png", 5), flat[2]]));
    assert_eq!(answers(&json(folder.path(), &["digits", "--no-recursive"])), pairs(&flat));
    assert!(!ended.err.contains("accuracy"), "no folder is called like a class: {}", ended.err);
}

#[test]
fn folders_that_are_called_like_classes_give_the_accuracy() {
    let folder = folder(&[]);
    for (class, digit) in [("val/7", 7), ("val/3", 3), ("val/4", 5), ("val/other", 1)] {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        fs::copy(sample(digit), folder.path().join(class).join("image.png")).unwrap();
    }
    let ended = json(folder.path(), &["val"]);
    assert_eq!(ended.errors(), ["accuracy: 66.67 % (2 of 3 images in folders called like a class)"]);
    assert_eq!(json(folder.path(), &["val/7/image.png"]).errors(), [""; 0], "a file that the user named");
}

#[test]
fn a_folder_without_images_is_an_error() {
    let folder = folder(&[("good.png", 7)]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("empty/notes.txt"), "nothing here").unwrap();
    let ended = json(folder.path(), &["empty", "good.png"]);
    ended.assert_fails(1, &["empty: no images in this folder"]);
    assert_eq!(ended.json()["errors"][0]["code"], "no-images");
    assert_eq!(answers(&ended), pairs(&[("good.png", 7)]));
}

#[test]
fn patterns_are_expanded_where_the_shell_did_not() {
    let folder = folder(&[("1.png", 1), ("2.png", 2), ("[3].png", 3), ("other.jpg", 4)]);
    assert_eq!(answers(&json(folder.path(), &["?.png"])), pairs(&[("1.png", 1), ("2.png", 2)]));
    assert_eq!(answers(&json(folder.path(), &["[2-9].png"])), pairs(&[("2.png", 2)]));
    assert_eq!(answers(&json(folder.path(), &["[3].png"])), pairs(&[("[3].png", 3)]), "a file goes first");
    fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    fs::copy(sample(6), folder.path().join("deep/er/6.png")).unwrap();
    fs::copy(sample(5), folder.path().join("deep/.5.png")).unwrap();
    assert_eq!(answers(&json(folder.path(), &["./[12].png"])), pairs(&[("./1.png", 1), ("./2.png", 2)]));
    for (pattern, path, digit) in [
        ("**/6.*", "deep/er/6.png", 6),
        ("deep/*/*", "deep/er/6.png", 6),
        ("deep//er/?.png", "deep/er/6.png", 6),
        ("deep/.*", "deep/.5.png", 5),
    ] {
        assert_eq!(answers(&json(folder.path(), &[pattern])), pairs(&[(path, digit)]), "{pattern}");
    }
    for pattern in ["*.gif", "x/*", "[", "***", "deep/*.png"] {
        let ended = json(folder.path(), &[pattern]);
        ended.assert_fails(1, &[pattern]);
        assert_eq!(ended.json()["errors"][0]["code"], "no-match", "{pattern}");
    }
}

#[test]
fn a_list_has_a_path_a_line() {
    let folder = folder(&[("a b.png", 1)]);
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::copy(sample(2), folder.path().join("more/2.png")).unwrap();
    let list = "\u{feff}a b.png\r\n\n  # a comment\n  more \n*.png\nmissing.png";
    fs::write(folder.path().join("list.txt"), list).unwrap();
    let expected = pairs(&[("a b.png", 1), ("more/2.png", 2)]);
    for ended in [
        json(folder.path(), &["@list.txt"]),
        classify_input(folder.path(), &["@-", "--format", "json"], list.as_bytes()),
    ] {
        assert_eq!(ended.code, Some(1));
        assert_eq!(answers(&ended), expected);
        assert_eq!(ended.errors(), ["error: *.png: no such file", "error: missing.png: no such file"]);
    }
}

#[test]
fn a_list_that_is_none_is_an_error() {
    let folder = folder(&[]);
    fs::write(folder.path().join("empty.txt"), "# nothing\n\n").unwrap();
    fs::write(folder.path().join("zeros"), vec![0; 1 << 20]).unwrap();
    for (list, code) in [("@missing.txt", "missing"), ("@empty.txt", "no-images"), ("@.", "read"), ("@zeros", "read")] {
        let ended = json(folder.path(), &[list]);
        ended.assert_fails(1, &[list]);
        assert_eq!(ended.json()["errors"][0]["code"], code, "{list}");
    }
}

#[test]
fn standard_input_is_an_image() {
    let folder = folder(&[]);
    let bytes = fs::read(sample(8)).unwrap();
    let ended = classify_input(folder.path(), &["-", "--format", "json"], &bytes);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(answers(&ended), pairs(&[("-", 8)]));
    classify_input(folder.path(), &["-"], b"").assert_fails(1, &["-: the image is empty"]);
}

#[test]
fn bad_inputs_are_named_and_good_ones_answered() {
    let folder = folder(&[("good.png", 7)]);
    let path = folder.path();
    fs::write(path.join("text.png"), "this is no image").unwrap();
    fs::write(path.join("empty.png"), "").unwrap();
    fs::write(path.join("huge.png"), HUGE).unwrap();
    fs::write(path.join("header.png"), &HUGE[..33]).unwrap();
    let half = fs::read(sample(3)).unwrap();
    fs::write(path.join("half.png"), &half[..half.len() / 2]).unwrap();
    let long = fs::File::create(path.join("long.png")).unwrap();
    long.set_len(infer::MAX_BYTES + 1).unwrap();
    let expected = [
        ("text.png", "decode"),
        ("empty.png", "empty"),
        ("huge.png", "too-large"),
        ("header.png", "decode"),
        ("half.png", "decode"),
        ("long.png", "too-large"),
        ("missing.png", "missing"),
        ("good.png/inside.png", "missing"),
        ("", "missing"),
    ];
    let mut inputs: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    inputs.insert(3, "good.png");
    inputs.push("good.png");
    let ended = json(path, &inputs);
    assert_eq!(ended.code, Some(1));
    assert_eq!(answers(&ended), pairs(&[("good.png", 7), ("good.png", 7)]));
    let json = ended.json();
    let errors: Vec<_> = json["errors"].as_array().unwrap().iter().collect();
    let found: Vec<_> =
        errors.iter().map(|error| (error["path"].as_str().unwrap(), error["code"].as_str().unwrap())).collect();
    assert_eq!(found, expected);
    assert_eq!(ended.errors().len(), expected.len(), "one line each: {}", ended.err);
    assert!(ended.err.contains("60000x60000"), "{}", ended.err);
}

/// A PNG whose header promises 60,000 x 60,000 pixels (33 bytes), with no data for them.
const HUGE: [u8; 65] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0xea, 0x60, 0, 0,
    0xea, 0x60, 8, 0, 0, 0, 0, 0xa5, 0xb9, 0x2a, 0x9e, 0, 0, 0, 8, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 3, 0, 0, 0, 0,
    1, 0x48, 6, 0x89, 0xd2, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

#[cfg(unix)]
#[test]
fn an_endless_file_and_a_dangling_link_are_errors() {
    let folder = folder(&[]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("link.png")).unwrap();
    classify(folder.path(), &["."]).assert_fails(1, &["./link.png: no such file"]);
    if Path::new("/dev/zero").exists() {
        classify(folder.path(), &["@/dev/zero"]).assert_fails(1, &["not a list"]);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_and_one_without_a_writer_is_an_error() {
    let folder = folder(&[]);
    let pipe = folder.path().join("pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    json(folder.path(), &["pipe.png"]).assert_fails(1, &["pipe.png: cannot be read: a pipe that nobody writes to"]);
    let program = super::command(folder.path())
        .args(["pipe.png", "--format", "json", "--backend", "ndarray"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The writer may come later.
    std::thread::sleep(std::time::Duration::from_millis(300));
    fs::write(&pipe, fs::read(sample(8)).unwrap()).unwrap();
    let ended: Ended = program.wait_with_output().unwrap().into();
    assert_eq!(answers(&ended), pairs(&[("pipe.png", 8)]));
}

#[test]
fn a_list_on_standard_input_is_answered_line_by_line() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;

    let folder = folder(&[("1.png", 1), ("2.png", 2), ("3.png", 3)]);
    let mut command = super::command(folder.path());
    command.args(["@-", "--format", "jsonl", "--backend", "ndarray"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut list = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for digit in 1..=3 {
        writeln!(list, "{digit}.png").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&answer["path"], &answer["predictions"][0]["class"]),
            (&format!("{digit}.png").into(), &digit.into())
        );
    }
    drop(list);
    assert!(child.wait().unwrap().success());
}

#[test]
fn more_pixels_than_allowed_are_refused() {
    let folder = folder(&[("1.png", 1)]);
    let ended = json(folder.path(), &["1.png", "--max-pixels", "100"]);
    ended.assert_fails(1, &["1.png: the image is too large", "at most 100"]);
    assert_eq!(ended.json()["errors"][0]["code"], "too-large");
    assert_eq!(json(folder.path(), &["1.png", "--max-pixels", "0"]).code, Some(2));
}

#[test]
fn no_input_is_a_usage_error() {
    let folder = folder(&[]);
    for arguments in [&[][..], &["--format", "json"], &["--nonsense", "a.png"], &["a.png", "-b", "0"]] {
        assert_eq!(infer(folder.path(), arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn options_may_stand_between_inputs_and_the_last_one_counts() {
    let folder = folder(&[("1.png", 1), ("2.png", 2)]);
    let ended = classify(folder.path(), &["--topk", "5", "1.png", "--format", "csv", "2.png", "--topk", "1"]);
    assert_eq!(ended.out.lines().count(), 3, "{}", ended.out);
}

/// Names are bytes on Unix; each way to a file takes them as they are.
#[cfg(unix)]
#[test]
fn names_need_not_be_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = folder(&[]);
    let name = OsStr::from_bytes(b"\xff7.png");
    fs::copy(sample(7), folder.path().join(name)).unwrap();
    fs::write(folder.path().join("list"), b"\xff7.png\n").unwrap();
    for argument in [name, OsStr::new("."), OsStr::new("*7.png"), OsStr::new("@list")] {
        let mut command = super::command(folder.path());
        let ended: Ended =
            command.arg(argument).args(["--format", "json", "--backend", "ndarray"]).output().unwrap().into();
        assert_eq!(ended.code, Some(0), "{argument:?}: {}", ended.err);
        assert_eq!(ended.json()["results"][0]["predictions"][0]["class"], 7, "{argument:?}");
    }
}
