//! The knobs of training: averages, accumulated gradients, class weights, augmentation, and recipes that turn them.

use std::fs;

use kiln_model::{Architecture, NamedTensor};

use crate::run::{Bench, assert_fails, tensors};

/// The largest relative difference over all tensors.
fn difference(a: &[NamedTensor], b: &[NamedTensor]) -> f32 {
    let of_two = |(a, b): (&NamedTensor, &NamedTensor)| {
        assert_eq!((&a.name, a.values.len()), (&b.name, b.values.len()));
        let largest = b.values.iter().map(|value| value.abs()).fold(0., f32::max);
        a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0., f32::max) / largest
    };
    a.iter().zip(b).map(of_two).fold(0., f32::max)
}

#[test]
fn accumulated_gradients_are_those_of_the_large_batch_the_last_short_one_included() {
    let bench = Bench::new();
    let flags = "--limit-train 150 --epochs 2 --opt adamw --sched cosine --clip-grad 1 --lr 0.002";
    bench.trained(&format!("{flags} --name large -b 64"));
    // 32 + 32, 32 + 32, 22.
    bench.trained(&format!("{flags} --name small -b 32 --grad-accum-steps 2"));
    bench.trained(&format!("{flags} --name other -b 32"));
    let [large, small, other] = ["large", "small", "other"]
        .map(|run| tensors(&bench.run(run).join("last.safetensors"), Architecture::LectureCnn));
    assert!(difference(&small, &large) < 1e-3, "{}", difference(&small, &large));
    assert!(difference(&other, &large) > 1e-2, "{}", difference(&other, &large));

    let weighted = format!("{flags} --class-weights 1,2,3,4,5,6,7,8,9,10");
    bench.trained(&format!("{weighted} --name large-weighted -b 64"));
    bench.trained(&format!("{weighted} --name small-weighted -b 32 --grad-accum-steps 2"));
    let [large, small] = ["large-weighted", "small-weighted"]
        .map(|run| tensors(&bench.run(run).join("last.safetensors"), Architecture::LectureCnn));
    assert!(difference(&small, &large) < 1e-3, "{}", difference(&small, &large));
}

#[test]
fn an_average_of_the_last_weights_alone_is_the_weights() {
    let bench = Bench::new();
    let flags = "--model resnet8 --limit-train 128 --epochs 1";
    bench.trained(&format!("{flags} --name plain"));
    bench.trained(&format!("{flags} --name last --model-ema --model-ema-decay 0"));
    bench.trained(&format!("{flags} --name mean --model-ema --model-ema-decay 0.9"));
    let [plain, last, mean] =
        ["plain", "last", "mean"].map(|run| tensors(&bench.run(run).join("last.safetensors"), Architecture::ResNet8));
    let differing = |other: &[NamedTensor]| -> Vec<String> {
        let pairs = plain.iter().zip(other).filter(|(plain, other)| plain.values != other.values);
        pairs.map(|(plain, _)| plain.name.clone()).collect()
    };
    assert_eq!(differing(&last), [""; 0]);
    // After two iterations 3 / 12 of the first weights' average stay; running statistics are averaged as well.
    assert_eq!(differing(&mean).len(), plain.len());
}

/// All of it at once, interrupted, with another number of workers.
#[cfg(unix)]
#[test]
fn a_run_with_everything_resumes_to_the_same_bytes() {
    let bench = Bench::new();
    let flags = "--model resnet8 --limit-train 320 --epochs 3 -b 32 --grad-accum-steps 2 --opt adamw --sched onecycle \
                 --model-ema --model-ema-decay 0.9 --class-weights balanced --label-smoothing 0.1 --clip-grad 1 \
                 --bias-weight-decay 0.1 --crop-padding 2 --hflip 0.5 --degrees 10 --translate 0.1 --zoom 0.1 --shear 5 \
                 --elastic-alpha 10 --aa rand-m5-n1 --color-jitter 0.2 --reprob 0.3 --mixup 0.2 --cutmix 1 --scale 0.5 1";
    bench.trained(&format!("{flags} --name whole -j 0 --log-interval 1"));
    let mut child = bench.started(&format!("{flags} -j 3 --log-interval 1"), "stopped", "[2,    4]");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    bench.resumed("--resume stopped");
    assert!(bench.last("whole") == bench.last("stopped"));
    assert_eq!(bench.metrics("whole"), bench.metrics("stopped"));
}

#[test]
fn augmentation_changes_what_is_learnt_and_only_the_training_set() {
    let bench = Bench::new();
    bench.trained("--name plain --epochs 1 --lr 0.000001");
    bench.trained("--name moved --epochs 1 --lr 0.000001 --translate 0.3");
    let [plain, moved] = ["plain", "moved"].map(|run| bench.metrics(run)[0].clone());
    assert_ne!(plain["train_loss"], moved["train_loss"]);
    let loss = |row: &std::collections::BTreeMap<String, String>| row["valid_loss"].parse::<f64>().unwrap();
    // The same weights but for a step of nothing: the test images are as they were.
    assert!((loss(&plain) - loss(&moved)).abs() < 1e-3, "{plain:?} {moved:?}");
}

#[test]
fn a_recipe_gives_way_to_what_is_typed() {
    let bench = Bench::new();
    bench.trained("--recipe mnist-strong --name a --limit-train 200 --valid-split 0 --translate 0.2");
    let text = fs::read_to_string(bench.run("a/config.toml")).unwrap();
    let options: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(
        (options["opt"].as_str(), options["epochs"].as_integer()),
        (Some("adamw"), Some(2)),
        "typed: --epochs 2"
    );
    assert_eq!(options["valid_split"].as_float(), Some(0.));
    assert_eq!(
        (options["augment"]["degrees"].as_float(), options["augment"]["translate"].as_float()),
        (Some(7.), Some(0.2))
    );
    // The file repeats the run.
    let config = bench.run("a/config.toml");
    bench.trained(&format!("--config {} --name b --limit-train 200", config.display()));
    assert!(bench.last("a") == bench.last("b"));
    assert_eq!(bench.train("--recipe mnist-weak").status.code(), Some(2));
}

#[test]
fn knobs_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    for (flags, wanted) in [
        ("--class-weights 1,2", "--class-weights: 2 numbers, but mnist has 10 classes"),
        ("--grad-accum-steps 0", "--grad-accum-steps: out of range"),
        ("--hflip 1.5", "--hflip: out of range, expected 0 to 1"),
        ("--scale 0.9 0.1", "--scale: out of range"),
        ("--model-ema-decay 1", "--model-ema-decay: out of range"),
        ("--mean 0.1 0.2", "--mean: 2 numbers for images of 1 channels"),
        ("--freeze 99", "--freeze 99: leaves nothing to train: lecture-cnn has 3 layers with weights"),
        ("--sched cosine --min-lr 0.5", "--min-lr: out of range, expected at most the learning rate, 0.01"),
        ("--model resnet18 --img-size 4", "--model resnet18: takes images of"),
        ("--mixup 1e-310", "--mixup: out of range"),
        (
            "--model resnet8 --img-size 4096 -b 640",
            "--batch-size 640: a batch of images of [1, 4096, 4096] is too large",
        ),
        ("--pretrained", "--pretrained: torchvision publishes no weights of lecture-cnn"),
    ] {
        assert_fails(&bench.train(&format!("--name x {flags}")), 2, &[wanted]);
        assert!(!bench.run("x").exists(), "{flags}");
    }
    for flags in ["--aa rand-m99", "--class-weights few", "--class-weights 1e300", "--resize-mode round", "--scale 1"] {
        assert_eq!(bench.train(flags).status.code(), Some(2), "{flags}");
    }
}
