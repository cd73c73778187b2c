//! `infer explain`.

use super::{assets, folder, infer, sample};

#[test]
fn every_view_is_saved_as_a_picture() {
    let folder = folder(&[]);
    let seven = sample(7);
    let ended = infer(folder.path(), &["explain", &seven, "--save", "sheets", "--backend", "ndarray"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.out.contains("  7 9") && ended.out.contains("Grad-CAM of layer3.bn2/relu for class 7"),
        "{}",
        ended.out
    );
    let open = |name: &str| image::open(folder.path().join("sheets").join(name)).unwrap().to_rgb8();
    let (cam, input) = (open("grad-cam.png"), open("input.png"));
    assert_eq!(cam.dimensions(), (224, 224));
    // The heat colours the picture, here more, there less.
    let colour = |pixel: &image::Rgb<u8>| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap();
    let coloured = cam.pixels().filter(|pixel| colour(pixel) > 100).count();
    assert!((1000..40_000).contains(&coloured), "{coloured} coloured pixels");
    assert!(input.pixels().all(|pixel| colour(pixel) == 0));
    assert_ne!(open("occlusion.png"), input);
    // 24 maps of 28x28 in 5 columns, enlarged five times.
    assert_eq!(open("features-01-conv1.png").dimensions(), (5 * 140 + 24, 5 * 140 + 24));
    assert!(open("filters.png").width() > 0);
    let files = std::fs::read_dir(folder.path().join("sheets")).unwrap().count();
    // Six steps from the photograph to the digit, the last of them 28 x 28.
    assert!(open("reader.png").width() > 6 * 200 && ended.out.contains("The digit reader: picture; what stands out;"));
    // Nine convolutions, a pooling, and the five others.
    assert_eq!(files, 15);
    // A part of the network has the maps of all its stages, and a result is its stage's.
    for (layer, count) in [("layer3", 3), ("layer3.bn1/relu", 1), ("conv1", 1)] {
        let ended = infer(folder.path(), &["explain", &seven, "--show", "features", "--layer", layer]);
        assert_eq!(ended.out.matches("Feature maps").count(), count, "{layer}: {}", ended.err);
    }
    // Nothing that is there is written over.
    infer(folder.path(), &["explain", &seven, "--save", "sheets"]).assert_fails(2, &["sheets"]);
}

#[test]
fn programs_get_the_numbers() {
    let folder = folder(&[]);
    let model = assets("models/lecture-cnn.safetensors");
    let arguments = ["explain", &sample(3), "-m", model.to_str().unwrap(), "--class", "8", "--format", "json"];
    let views = ["--show", "grad-cam,occlusion,features", "--patch", "7", "--stride", "7", "--backend", "ndarray"];
    let json = infer(folder.path(), &[&arguments[..], &views].concat()).json();
    assert_eq!((&json["schema"], &json["predictions"][0]["name"]), (&"kiln.explain/1".into(), &"3".into()));
    let sheets = json["sheets"].as_array().unwrap();
    let names: Vec<_> = sheets.iter().map(|sheet| sheet["name"].as_str().unwrap()).collect();
    let features = ["features-1-conv1", "features-2-conv1-max_pool", "features-3-conv2", "features-4-conv2-max_pool"];
    assert_eq!(names, [&["grad-cam", "occlusion"][..], &features].concat());
    let cam = &sheets[0]["data"];
    assert_eq!((&cam["class"], &cam["height"], &cam["layer"]), (&8.into(), &8.into(), &"conv2".into()));
    assert_eq!(cam["values"].as_array().unwrap().len(), 64);
    assert_eq!(sheets[1]["data"]["values"].as_array().unwrap().len(), 16);
    assert_eq!(sheets[2]["data"]["shape"], serde_json::json!([10, 24, 24]));
}

#[test]
fn terminals_get_blocks_and_pipes_get_words() {
    let folder = folder(&[]);
    let words = infer(folder.path(), &["explain", &sample(2), "--backend", "ndarray"]);
    assert!(words.code == Some(0) && !words.out.contains('\u{1b}'), "{}", words.out);
    assert_eq!(words.out.lines().count(), 2, "{}", words.out);
    let blocks = infer(folder.path(), &["explain", &sample(2), "--graphics", "blocks", "--backend", "ndarray"]);
    assert!(blocks.code == Some(0) && blocks.out.contains('▄'), "{}", blocks.out);
}

#[test]
fn what_cannot_be_explained_is_said() {
    let folder = folder(&[]);
    let three = sample(3);
    for (arguments, code, words) in [
        (&["--layer", "conv9"][..], 2, &["conv9", "layer3.conv2"][..]),
        (&["--show", "features", "--layer", "conv9"], 2, &["conv9", "layer3.conv2"]),
        (&["--class", "ten"], 2, &["--class ten", "below 10"]),
        (&["--patch", "29"], 2, &["--patch 29", "28 pixels"]),
        (&["--stride", "0"], 2, &["--stride"]),
        (&["-m", "nothing"], 3, &["nothing"]),
    ] {
        infer(folder.path(), &[&["explain", &three], arguments].concat()).assert_fails(code, words);
    }
    infer(folder.path(), &["explain", "missing.png"]).assert_fails(1, &["missing.png", "no such file"]);
    std::fs::write(folder.path().join("text.png"), "text").unwrap();
    infer(folder.path(), &["explain", "text.png"]).assert_fails(1, &["text.png"]);
    let samples = assets("samples");
    infer(folder.path(), &["explain", samples.to_str().unwrap()]).assert_fails(2, &["one image"]);
}
