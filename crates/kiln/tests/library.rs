//! The library as another program uses it.

use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, RgbaImage};
use kiln::model::weights::Weights;
use kiln::{Architecture, BackendName, Classifier, Error};

fn assets(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets").join(path)
}

fn sample(digit: usize) -> DynamicImage {
    image::open(assets(&format!("samples/{digit}.png"))).unwrap()
}

#[test]
fn samples_are_read_one_by_one_in_batches_and_from_files() {
    let classifier = Classifier::load(assets("models/resnet8-mnist.safetensors")).unwrap();
    let samples: Vec<_> = (0..10).map(sample).collect();
    // More than go through the network together.
    let many: Vec<_> = samples.iter().cycle().take(130).collect();
    let answers = classifier.classify_batch(many.iter().copied()).unwrap();
    assert_eq!(answers.len(), 130);
    for (place, answer) in answers.iter().enumerate() {
        assert_eq!(answer.best().class, place % 10);
    }
    for (digit, sample) in samples.iter().enumerate() {
        let answer = classifier.classify(sample).unwrap();
        assert_eq!((&*answer.best().name, answer.is_blank()), (digit.to_string().as_str(), false));
        let from_file = classifier.classify_file(assets(&format!("samples/{digit}.png"))).unwrap();
        assert_eq!(answer, from_file);
        assert_eq!((answer.top(3).len(), answer.top(99).len(), answer.logits().len()), (3, 10, 10));
        let sum: f64 = answer.top(10).iter().map(|class| class.probability).sum();
        assert!((sum - 1.).abs() < 1e-9 && answer.best().probability >= answer.top(2)[1].probability, "{sum}");
    }
    assert!(classifier.classify_batch([]).unwrap().is_empty());
}

#[test]
fn a_temperature_changes_probabilities_and_nothing_else() {
    let weights = Weights::read(&assets("models/resnet8-mnist.safetensors")).unwrap();
    let plain = Classifier::options().place(weights.clone()).unwrap();
    let cold = Classifier::options().place(weights.with_temperature(0.5)).unwrap();
    assert_eq!((plain.temperature(), cold.temperature()), (1., 0.5));
    let (plain, cold) = (plain.classify(&sample(7)).unwrap(), cold.classify(&sample(7)).unwrap());
    assert_eq!(plain.logits(), cold.logits());
    let probability = |answer: &kiln::Answer, class: usize| {
        answer.top(10).iter().find(|prediction| prediction.class == class).unwrap().probability
    };
    // Halving the temperature squares the probabilities' ratios.
    let ratio = |answer: &kiln::Answer| probability(answer, 7) / probability(answer, 1);
    assert!((ratio(&cold) / ratio(&plain).powi(2) - 1.).abs() < 1e-6, "{} {}", ratio(&cold), ratio(&plain));
}

#[test]
fn pictures_of_any_size_and_kind_are_answered_or_refused() {
    let classifier = Classifier::digits().unwrap();
    let blank = DynamicImage::ImageLuma8(GrayImage::from_pixel(40, 30, Luma([240])));
    assert!(classifier.classify(&blank).unwrap().is_blank());
    for (width, height) in [(1, 1), (3, 2000), (28, 28)] {
        let picture = DynamicImage::ImageRgba8(RgbaImage::new(width, height));
        assert_eq!(classifier.classify(&picture).unwrap().logits().len(), 10, "{width} x {height}");
    }
    let empty = DynamicImage::new_rgb8(0, 7);
    assert!(matches!(classifier.classify(&empty), Err(Error::Empty)));
    assert!(matches!(classifier.classify_batch([&sample(1), &empty]), Err(Error::Empty)));
    assert!(matches!(classifier.classify_file(assets("missing.png")), Err(Error::Read { .. })));
    assert!(matches!(classifier.classify_file(assets("README.md")), Err(Error::Decode { .. })));
}

#[test]
fn tensors_of_another_shape_are_refused() {
    let classifier = Classifier::digits().unwrap();
    let numbers = vec![0.5; 2 * 28 * 28];
    assert_eq!(classifier.logits(&numbers, [2, 1, 28, 28]).unwrap().len(), 20);
    assert!(classifier.logits(&[], [0, 1, 28, 28]).unwrap().is_empty());
    let shapes = [[2, 1, 28, 27], [1, 3, 28, 28], [1, 2, 28, 28], [1, 1, 1, 1], [0, 1, 0, 0], [usize::MAX, 1, 28, 28]];
    for shape in shapes {
        assert!(matches!(classifier.logits(&numbers, shape), Err(Error::Input(_))), "{shape:?}");
    }
    assert!(matches!(classifier.logits_of_pixels(&[0; 27]), Err(Error::Input(_))));
}

/// Where a picture has the network's size, its pixels are the tensor.
#[test]
fn pictures_and_tensors_give_the_same_logits() {
    let classifier = Classifier::load(assets("models/lecture-cnn.safetensors")).unwrap();
    let fitted = classifier.preprocess().pixels(&kiln::data::Picture::from_image(sample(7)).unwrap());
    let mut numbers = vec![0.; fitted.pixels.len()];
    classifier.preprocess().normalise_into(&fitted.pixels, &mut numbers);
    let answer = classifier.classify(&sample(7)).unwrap();
    assert_eq!(classifier.logits(&numbers, [1, 1, 28, 28]).unwrap(), answer.logits());
}

#[test]
fn a_classifier_is_shared_between_threads() {
    let classifier = Classifier::digits().unwrap();
    std::thread::scope(|scope| {
        for digit in 0..4 {
            let classifier = &classifier;
            scope.spawn(move || assert_eq!(classifier.classify(&sample(digit)).unwrap().best().class, digit));
        }
    });
}

#[test]
fn weights_that_cannot_be_used_are_errors() {
    for path in ["missing.safetensors", "README.md", "samples"] {
        let error = Classifier::load(assets(path)).unwrap_err();
        assert!(matches!(error, Error::Weights(_)) && error.to_string().lines().count() == 1, "{path}: {error}");
    }
    let own = assets("models/resnet8-mnist.safetensors");
    assert!(
        Classifier::options().architecture(Architecture::ResNet8).load(&own).is_err(),
        "it names its network itself"
    );
    assert!(Classifier::options().load_bytes(&kiln::DIGITS[..1000]).is_err());
    let absent =
        [BackendName::Wgpu, BackendName::Vulkan, BackendName::Metal].into_iter().find(|name| !name.is_compiled());
    if let Some(absent) = absent {
        assert!(matches!(Classifier::options().backend(absent).digits(), Err(Error::Target(_))));
    }
    assert!(matches!(Classifier::options().device(9).digits(), Err(Error::Target(_))));
    for unknown in
        [Architecture::ResNet(17), Architecture::DenseNet(1), Architecture::Vgg { depth: 12, batch_norm: true }]
    {
        let error = Classifier::options().architecture(unknown).load(&own).unwrap_err();
        assert!(matches!(error, Error::Architecture(_)), "{unknown:?}: {error}");
    }
    assert!(matches!(Classifier::options().classes(["a"]).load(&own), Err(Error::Option { option: "classes" })));
    assert!(Classifier::options().architecture(Architecture::ResNet8).load_bytes(kiln::DIGITS).is_err());
    let changes: [fn(&mut kiln::Preprocess); 3] =
        [|p| p.height = 0, |p| p.mean.clear(), |p| (p.height, p.width) = (1, 1)];
    for change in changes {
        let mut preprocess = kiln::Preprocess::mnist();
        change(&mut preprocess);
        let options = Classifier::options().architecture(Architecture::ResNet8).preprocess(preprocess);
        assert!(matches!(options.load(&own), Err(Error::Weights(_))));
    }
}

#[test]
fn a_file_of_pytorch_is_read_by_its_architecture() {
    let weights = kiln::model::weights::Weights::from_bytes(kiln::DIGITS, Path::new("digits")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.safetensors");
    std::fs::write(&plain, weights.to_bytes(true).unwrap()).unwrap();
    assert!(Classifier::load(&plain).is_err(), "nothing says which network it is of");
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let options = Classifier::options().architecture(Architecture::ResNet8).classes(names);
    let answer = options.load(&plain).unwrap().classify(&sample(7)).unwrap();
    assert_eq!(&*answer.best().name, "seven");
}
