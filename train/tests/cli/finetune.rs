//! Training that begins with somebody's weights, and leaves some of them as they are.

use std::fs;
use std::path::Path;

use kiln_model::Architecture;

use crate::run::{Bench, assert_fails, tensors};

#[test]
fn a_frozen_backbone_stays_and_the_last_layer_learns() {
    let bench = Bench::new();
    let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/from-torch.pth");
    bench.trained(&format!("--name a --initial-checkpoint {} --freeze backbone", given.display()));
    let before = tensors(&given, Architecture::LectureCnn);
    let after = tensors(&bench.run("a/last.safetensors"), Architecture::LectureCnn);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.name, after.name);
        assert_eq!(before.values == after.values, !before.name.starts_with("fc."), "{}", before.name);
    }
}

/// Normalisations that are frozen keep their running numbers too; the others follow the images. Small pictures are enough
/// for a residual network.
#[test]
fn frozen_normalisations_keep_their_statistics() {
    let bench = Bench::new();
    let quick = "--model resnet18 --limit-train 64 --batch-size 32 --limit-test 16 --epochs 1 --seed 3";
    bench.trained(&format!("{quick} --name whole"));
    let whole = bench.run("whole/last.safetensors");
    bench.trained(&format!("{quick} --name part --freeze 2 --initial-checkpoint {}", whole.display()));
    let before = tensors(&whole, Architecture::ResNet(18));
    let after = tensors(&bench.run("part/last.safetensors"), Architecture::ResNet(18));
    for (before, after) in before.iter().zip(&after) {
        let frozen = before.name.starts_with("conv1.") || before.name.starts_with("bn1.");
        assert_eq!(before.values == after.values, frozen, "{}", before.name);
    }
}

#[test]
fn weights_to_begin_with_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    fs::write(bench.run("text.pth"), "no weights").unwrap();
    assert_fails(&bench.train("--name a --initial-checkpoint missing.pth"), 3, &["missing.pth: cannot be read"]);
    assert_fails(&bench.train("--name b --initial-checkpoint text.pth"), 3, &["text.pth: "]);
    let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/from-torch.pth");
    let flags = format!("--name c --model mlp --initial-checkpoint {}", given.display());
    assert_fails(&bench.train(&flags), 3, &["from-torch.pth: no tensor `fc1.weight`"]);
    // Nothing of it leaves a run behind.
    assert!(["a", "b", "c"].iter().all(|run| !bench.run(run).exists()));
    // Before anything is looked for elsewhere.
    let nowhere = "--name d --pretrained --dataset nowhere --offline";
    assert_fails(&bench.train(nowhere), 2, &["torchvision publishes no weights of lecture-cnn"]);
    assert_eq!(bench.train("--name d --freeze head").status.code(), Some(2));
}
