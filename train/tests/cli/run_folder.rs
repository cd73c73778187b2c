//! What a run leaves on the disk, and that it depends on nothing but its options.

use std::fs;

use serde_json::Value;

use crate::run::{Bench, text};

#[test]
fn every_file_of_the_run_folder_is_written() {
    let bench = Bench::new();
    let output = bench.trained("--name t --log-interval 5");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("[1,    5] loss:2.") && stdout.contains("\nAccuracy on test set:"), "{stdout}");
    assert_eq!(fs::read_to_string(bench.path().join("latest")).unwrap(), "t\n");

    let run = bench.run("t");
    let names: Vec<_> =
        fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for name in [
        "config.toml",
        "metrics.csv",
        "result.json",
        "report.html",
        "best.safetensors",
        "last.safetensors",
        "checkpoints",
        "train.log",
    ] {
        assert!(names.iter().any(|there| there == name), "{name} in {names:?}");
    }
    assert_eq!(names.iter().filter(|name| name.starts_with("events.out.tfevents.")).count(), 1);
    assert_eq!(names.len(), 9, "nothing else: {names:?}");
    assert_eq!(fs::read_to_string(run.join("train.log")).unwrap(), stdout);

    let result: Value = serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
    let fields = [
        "epochs",
        "best_epoch",
        "test_accuracy",
        "test_loss",
        "best_valid_accuracy",
        "best_test_accuracy",
        "seconds",
        "images_per_second",
        "seed",
        "model",
        "parameters",
        "dataset",
        "unreadable",
        "backend",
        "device",
    ];
    assert_eq!(result.as_object().unwrap().len(), fields.len());
    fields.iter().for_each(|field| assert!(!result[field].is_null(), "{field}"));
    assert_eq!((&result["parameters"], &result["epochs"], &result["seed"]), (&8490.into(), &2.into(), &42.into()));

    let metrics = bench.metrics("t");
    assert_eq!(metrics.iter().map(|row| row["epoch"].as_str()).collect::<Vec<_>>(), ["1", "2"]);
    let accuracy: f64 = metrics[1]["valid_accuracy"].parse().unwrap();
    assert!((0.3..1.).contains(&accuracy), "it learns: {accuracy}");
    assert_eq!(result["test_accuracy"].as_f64().unwrap(), accuracy);
}

#[test]
fn the_configuration_of_a_run_repeats_it() {
    let bench = Bench::new();
    bench.trained("--name first --opt adam --lr 0.002 --batch-size 50 --label-smoothing 0.1 --clip-grad 1 --seed 7");
    let repeated = bench.resume("--config first/config.toml --name second");
    assert!(repeated.status.success(), "{}", text(&repeated.stderr));
    assert_eq!(bench.last("first"), bench.last("second"));
    // An option on the command line goes before the file's.
    assert!(bench.resume("--config first/config.toml --name third --seed 8").status.success());
    assert_ne!(bench.last("first"), bench.last("third"));
}

#[test]
fn the_weights_depend_on_neither_threads_nor_workers_nor_log() {
    let bench = Bench::new();
    for backend in ["ndarray"].into_iter().chain(cfg!(feature = "flex").then_some("flex")) {
        let flags = format!("--backend {backend} --limit-train 130 --limit-test 50 --epochs 1");
        bench.trained(&format!("{flags} --name {backend} --threads 1 -j 0"));
        for (threads, workers) in [(2, 1), (3, 3)] {
            let name = format!("{backend}-{threads}-{workers}");
            bench.trained(&format!("{flags} --name {name} --threads {threads} -j {workers} --log-interval 1"));
            assert_eq!(bench.last(&name), bench.last(backend), "{name}");
        }
    }
}

#[test]
fn a_validation_split_leaves_the_test_set_for_the_end() {
    let bench = Bench::new();
    let output = bench.trained("--name v --valid-split 0.1 --epochs 2");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("Accuracy on validation set:") && !stdout.contains("Accuracy on test set:"), "{stdout}");
    assert!(stdout.contains("640 images to train, 6000 to validate"), "{stdout}");
    let result: Value = serde_json::from_slice(&fs::read(bench.run("v").join("result.json")).unwrap()).unwrap();
    let valid: f64 = bench.metrics("v")[1]["valid_accuracy"].parse().unwrap();
    assert_ne!(result["test_accuracy"].as_f64().unwrap(), valid, "6,000 images here, 200 there");
    // The weights know how they did on the test set.
    let test = result["test_accuracy"].to_string();
    assert!(text(&bench.last("v")).contains(&format!(r#"\"test_accuracy\":{test}"#)));
}

#[test]
fn the_other_network_optimizers_and_schedules_train() {
    let bench = Bench::new();
    for (name, flags) in [
        ("mlp", "--model mlp --opt adam"),
        ("adamw", "--opt adamw --sched cosine --warmup-epochs 0.5"),
        ("cycle", "--sched onecycle --lr 0.05"),
        ("step", "--sched step --decay-epochs 1 --decay-rate 0.5 --momentum 0"),
    ] {
        bench.trained(&format!("--name {name} {flags}"));
        let metrics = bench.metrics(name);
        let loss = |row: usize| metrics[row]["train_loss"].parse::<f64>().unwrap();
        assert!(loss(1) < 0.98 * loss(0), "{name}: the loss falls from {} to {}", loss(0), loss(1));
    }
    let rate = |row: usize| bench.metrics("step")[row]["lr"].parse::<f64>().unwrap();
    assert_eq!((rate(0), rate(1)), (0.01, 0.005));
}

#[test]
fn the_report_is_a_page_about_the_run() {
    let bench = Bench::new();
    bench.trained("--name t --valid-split 100 --limit-test 150 --epochs 3");
    let read = || fs::read_to_string(bench.run("t").join("report.html")).unwrap();
    let page = read();
    let result: Value = serde_json::from_slice(&fs::read(bench.run("t").join("result.json")).unwrap()).unwrap();
    let accuracy = format!("{:.2} %", 100. * result["best_test_accuracy"].as_f64().unwrap());
    for part in [&accuracy, "95 % interval", "validation set", "learning rate", "valid_split = 100", "<svg", "Kiln"] {
        assert!(page.contains(part), "no {part}");
    }
    // The counts of the confusion matrix are the images of the validation set, and those off its diagonal its mistakes.
    let cells = |class: &str| -> usize {
        let cells = page.split("<td class=\"").filter(|cell| cell.starts_with(class));
        cells.map(|cell| cell.split(['>', '<']).nth(1).unwrap().parse::<usize>().unwrap()).sum()
    };
    let best = result["best_valid_accuracy"].as_f64().unwrap();
    assert_eq!((cells("right") + cells("wrong"), cells("right")), (100, (100. * best).round() as usize));
    assert_eq!(page.matches("data:image/png").count(), cells("wrong").min(25));
    assert!(!page.contains("http-equiv") && !page.contains("<script") && !page.contains("src=\"http"));

    // What the page repeats is in other files, so a run goes on without it.
    fs::remove_file(bench.run("t").join("report.html")).unwrap();
    fs::create_dir_all(bench.run("t").join("report.html/in-the-way")).unwrap();
    let resumed = bench.resumed("--resume t --epochs 4");
    let message = text(&resumed.stderr);
    assert!(message.contains("warning: ") && message.contains("report.html: cannot be written"), "{message}");
}
