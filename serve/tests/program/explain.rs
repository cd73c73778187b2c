//! What a network saw, over HTTP.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::DynamicImage;
use kiln::Classifier;
use serde_json::{Value, json};

use crate::client::{get, post, post_form};
use crate::models::write_weights;
use crate::requests::assert_described;
use crate::{Limits, Running, sample, source};

fn png(holder: &Value) -> DynamicImage {
    let file = BASE64_STANDARD.decode(holder["png"].as_str().expect("a PNG")).expect("base64");
    let picture = image::load_from_memory(&file).expect("a PNG");
    if let Some(height) = holder["height"].as_u64().filter(|_| holder["columns"].is_null()) {
        assert_eq!((Some(picture.width().into()), u64::from(picture.height())), (holder["width"].as_u64(), height));
    }
    picture
}

#[test]
fn an_image_is_explained_layer_by_layer() {
    let running = Running::start(Limits::default());
    let answer = post(running.address, "/v1/explain", &sample("7.png"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    let description = get(running.address, "/openapi.json").json();
    assert_described(&description, &json!({ "$ref": "#/components/schemas/Explanation" }), &json);

    // The same as from the library.
    let classifier = Classifier::digits().expect("the weights are compiled in");
    let picture = kiln_data::Picture::decode(&sample("7.png")).expect("a picture");
    let pixels = classifier.preprocess().pixels(&picture).pixels;
    assert_eq!(png(&json["saw"]).to_luma8().into_raw(), pixels);
    let seen = classifier.feature_maps_with_cams(&pixels, None).expect("one image");
    let layers = json["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), seen.len());
    for (layer, (maps, _)) in layers.iter().zip(&seen) {
        assert_eq!((&layer["name"], &layer["shape"]), (&json!(maps.layer), &json!(maps.shape)));
        let largest = maps.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(layer["maps"]["largest"].as_f64().map(|number| number as f32), Some(largest));
        let sheet = png(&layer["maps"]).to_luma8();
        let [_, height, width] = maps.shape;
        let columns = layer["maps"]["columns"].as_u64().expect("a number") as usize;
        let brightest = maps.values.iter().position(|&value| value == largest).expect("it is there");
        let (map, place) = (brightest / (height * width), brightest % (height * width));
        let x = map % columns * width + place % width;
        let y = map / columns * height + place / width;
        assert_eq!(sheet.get_pixel(x as u32, y as u32).0, [255], "{}", maps.layer);
        png(&layer["cam"]);
    }
    let last = classifier.grad_cam(&pixels, Some("layer3.bn2"), None).expect("a layer");
    let heat: Vec<u8> = last.values.iter().map(|value| (value * 255.).round() as u8).collect();
    assert_eq!(png(&layers[layers.len() - 1]["cam"]).to_luma8().into_raw(), heat);
}

#[test]
fn one_layer_and_another_class_can_be_asked_for() {
    let running = Running::start(Limits::default());
    let json = post(running.address, "/v1/explain?layer=layer2.conv1&class=3", &sample("7.png")).json();
    assert_eq!((&json["class"]["class"], &json["result"]["predictions"][0]["class"]), (&json!(3), &json!(7)));
    for layer in json["layers"].as_array().expect("layers") {
        let asked = layer["name"] == "layer2.conv1";
        assert_eq!((!layer["maps"].is_null(), !layer["cam"].is_null()), (asked, asked), "{}", layer["name"]);
    }
}

#[test]
fn classes_are_asked_for_by_name_or_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("words.safetensors");
    write_weights(&path, "resnet8", |class| format!("number {class}"));
    let running = Running::serving(vec![source("words", &path)], Limits::default());
    let explain = |class: &str| post(running.address, &format!("/v1/explain?class={class}"), &sample("7.png"));
    let (named, numbered) = (explain("number%203").json(), explain("3").json());
    assert_eq!((&named["class"]["class"], &named["class"]["name"]), (&json!(3), &json!("number 3")));
    assert_eq!((&named["class"], &named["layers"]), (&numbered["class"], &numbered["layers"]));
    let unknown = explain("three");
    assert_eq!((unknown.status, unknown.code().as_str()), (400, "query"));
    let message = unknown.json()["error"]["message"].to_string();
    assert!(message.contains("`three`") && message.contains("/v1/model"), "{message}");
}

#[test]
fn what_cannot_be_explained_has_a_status() {
    let running = Running::start(Limits::default());
    let (address, seven) = (running.address, sample("7.png"));
    let two: [(&str, &[u8]); 2] = [("a", &seven), ("b", &seven)];
    for (answer, status, code) in [
        (post(address, "/v1/explain?layer=nowhere", &seven), 404, "unknown-layer"),
        (post(address, "/v1/explain?model=nobody", &seven), 404, "unknown-model"),
        (post(address, "/v1/explain?class=10", &seven), 400, "query"),
        (post(address, "/v1/explain?class=-1", &seven), 400, "query"),
        (post_form(address, "/v1/explain", &two), 413, "too-many-images"),
        (post(address, "/v1/explain", b""), 400, "no-image"),
        (post(address, "/v1/explain", b"text"), 415, "not-an-image"),
        (post(address, "/v1/explain", &seven[..300]), 422, "decode"),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    }
}

#[test]
fn too_many_explanations_are_refused() {
    let running = Running::start(Limits::default());
    let (address, seven) = (running.address, sample("7.png"));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asks: Vec<_> = (0..40).map(|_| scope.spawn(|| post(address, "/v1/explain", &seven).status)).collect();
        asks.into_iter().map(|ask| ask.join().expect("no panic")).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert_eq!(post(address, "/v1/explain", &seven).status, 200, "there is room again");
}
