//! Good requests and bad ones, and what is said to them.

use std::path::Path;
use std::process::Command;

use infer::report::{Format, report};
use infer::{AnswerOptions, PredictOptions, predict};
use kiln::Classifier;
use serde_json::{Value, json};

use crate::client::{exchange, get, post, post_form, request};
use crate::{Limits, Running, sample, sample_path};

/// What `infer --logits --format json` says about files, with the same weights.
fn infer(paths: &[&Path]) -> Value {
    let classifier = Classifier::digits().expect("the weights are compiled in");
    let mut text = Vec::new();
    let answer = AnswerOptions { topk: 10, logits: true, reject_below: None };
    let (max_pixels, save_input) = (1 << 26, None);
    let options = PredictOptions { answer, batch_size: 64, recursive: false, max_pixels, digits: false, save_input };
    let arguments = paths.iter().map(|path| path.as_os_str().to_owned()).collect();
    let mut json = report(Format::Json, &classifier, "digits", &mut text, false);
    predict(&classifier, arguments, &options, &mut *json).expect("memory can be written");
    drop(json);
    serde_json::from_slice(&text).expect("JSON")
}

/// Without what differs from run to run, or between a file and an upload.
fn comparable(mut answers: Value) -> Value {
    for result in answers["results"].as_array_mut().expect("results") {
        result["ms"] = Value::Null;
        result["path"] = Value::Null;
    }
    for error in answers["errors"].as_array_mut().expect("errors") {
        error["path"] = Value::Null;
    }
    answers
}

#[test]
fn an_image_is_answered_with_infers_json_bit_for_bit() {
    let running = Running::start(Limits::default());
    let answer = post(running.address, "/v1/predict?logits=true&topk=10", &sample("7.png"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(comparable(answer.json()), comparable(infer(&[&sample_path("7.png")])));
}

#[test]
fn a_form_of_images_is_answered_in_order_with_what_failed_beside() {
    let running = Running::start(Limits::default());
    let (three, seven) = (sample("3.png"), sample("7.png"));
    let images: [(&str, &[u8]); 4] =
        [("3.png", &three), ("notes.txt", b"no image"), ("cut.png", &seven[..99]), ("7.png", &seven)];
    let answer = post_form(running.address, "/v1/predict?topk=1", &images);
    assert_eq!(answer.status, 200);
    let json = answer.json();
    let named: Vec<_> =
        json["results"].as_array().unwrap().iter().map(|r| (&r["path"], &r["predictions"][0]["name"])).collect();
    assert_eq!(named, [(&json!("3.png"), &json!("3")), (&json!("7.png"), &json!("7"))]);
    let failed: Vec<_> = json["errors"].as_array().unwrap().iter().map(|e| (&e["path"], &e["code"])).collect();
    assert_eq!(failed, [(&json!("notes.txt"), &json!("decode")), (&json!("cut.png"), &json!("decode"))]);
}

#[test]
fn requests_that_are_batched_get_the_logits_of_requests_alone() {
    let running = Running::start(Limits { wait: std::time::Duration::from_millis(20), ..Limits::default() });
    let names = ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png", "8.png", "9.png"];
    let paths: Vec<_> = names.iter().map(|name| sample_path(name)).collect();
    let alone: Vec<_> = paths.iter().map(|path| infer(&[path])["results"][0]["logits"].clone()).collect();
    let together = std::thread::scope(|scope| {
        let asks: Vec<_> = names
            .iter()
            .map(|name| {
                scope.spawn(|| {
                    let address = running.address;
                    let answers: Vec<_> =
                        (0..8).map(|_| post(address, "/v1/predict?logits=true", &sample(name)).json()).collect();
                    answers.into_iter().map(|answer| answer["results"][0]["logits"].clone()).collect::<Vec<_>>()
                })
            })
            .collect();
        asks.into_iter().map(|ask| ask.join().expect("no panic")).collect::<Vec<_>>()
    });
    for (logits, alone) in together.iter().zip(&alone) {
        assert!(logits.iter().all(|logits| logits == alone), "{logits:?} against {alone}");
    }
    let metrics = get(running.address, "/metrics").text();
    let alone =
        metrics.lines().find_map(|line| line.strip_prefix(r#"kiln_batch_images_bucket{le="1.0",model="digits"} "#));
    let alone: usize = alone.unwrap_or_else(|| panic!("no sizes of batches: {metrics}")).parse().unwrap();
    assert!(alone < 80, "nothing was batched: {metrics}");
}

#[test]
fn what_cannot_be_answered_has_a_status_a_code_and_a_sentence() {
    let running = Running::start(Limits { images: 2, body: 1 << 20, pixels: 1_000_000, ..Limits::default() });
    let address = running.address;
    let seven = sample("7.png");
    let form = "multipart/form-data; boundary=x";
    let three: [(&str, &[u8]); 3] = [("a", &seven), ("b", &seven), ("c", &seven)];
    let cases = [
        (post(address, "/v1/predict", b""), 400, "no-image"),
        (exchange(address, &request("/v1/predict", form, b"")), 400, "form"),
        (exchange(address, &request("/v1/predict", form, b"--x--\r\n")), 400, "no-image"),
        (exchange(address, &request("/v1/predict", form, b"--x\r\nnonsense")), 400, "form"),
        (exchange(address, &request("/v1/predict", "multipart/form-data", b"x")), 400, "form"),
        (post(address, "/v1/predict?topk=many", &seven), 400, "query"),
        (post(address, "/v1/predict?topk=0", &seven), 400, "query"),
        (post(address, "/v1/predict?colour=red", &seven), 400, "query"),
        (post(address, "/v1/predict?model=nobody", &seven), 404, "unknown-model"),
        (get(address, "/nowhere"), 404, "not-found"),
        (get(address, "/v1/predict"), 405, "method"),
        (post(address, "/v1/predict", &vec![0; (1 << 20) + 1]), 413, "body-too-large"),
        (post(address, "/v1/predict", &wide_png()), 413, "too-large"),
        (post_form(address, "/v1/predict", &three), 413, "too-many-images"),
        (post(address, "/v1/predict", b"no image"), 415, "not-an-image"),
        (post_form(address, "/v1/predict", &[("a.txt", b"no image")]), 415, "not-an-image"),
        (post(address, "/v1/predict", &seven[..200]), 422, "decode"),
    ];
    for (answer, status, code) in &cases {
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.len() > 10 && !message.contains('\n'), "{message}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    // And after all that it works as before.
    assert_eq!(post(address, "/v1/predict", &seven).status, 200);
}

/// The head of a PNG of 60,000 x 60,000 pixels.
fn wide_png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 0, 0, 0, 0]);
    let mut sum = !0u32;
    for byte in &png[12..] {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    png.extend_from_slice(&(!sum).to_be_bytes());
    png.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

#[test]
fn nothing_is_written_to_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = 20_000 + std::process::id() as u16 % 20_000;
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.current_dir(&folder).env("TMPDIR", folder.path()).env("HOME", folder.path());
    command.args(["--port", &port.to_string(), "--log-level", "error"]).stderr(std::process::Stdio::null());
    let mut server = command.spawn().expect("it starts");
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    while std::net::TcpStream::connect(address).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let large = vec![7u8; 8 << 20];
    let answer = post_form(address, "/v1/predict", &[("a.png", &sample("7.png")), ("b.png", &large)]);
    let written: Vec<_> = std::fs::read_dir(&folder).expect("a folder").collect();
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    assert_eq!(answer.status, 200);
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn the_description_lists_every_address_and_every_field() {
    let running = Running::start(Limits::default());
    let description = get(running.address, "/openapi.json").json();
    let paths: Vec<_> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(paths, ["/healthz", "/metrics", "/v1/explain", "/v1/model", "/v1/predict"]);
    // Bytes are bytes, in bodies and in forms.
    let schema = |path: &str, kind: &str| {
        resolved(&description, &description["paths"][path]["post"]["requestBody"]["content"][kind]["schema"])
    };
    for path in ["/v1/predict", "/v1/explain"] {
        for kind in ["application/octet-stream", "image/*"] {
            assert_eq!(schema(path, kind)["format"], "binary", "{path} {kind}");
        }
    }
    let form = |path: &str| &schema(path, "multipart/form-data")["properties"]["image"];
    assert_eq!(form("/v1/predict")["type"], "array");
    for file in [&form("/v1/predict")["items"], form("/v1/explain")] {
        assert_eq!(resolved(&description, file)["format"], "binary");
    }
    let answer = post(running.address, "/v1/predict?logits=true", &sample("7.png")).json();
    assert_described(&description, &json!({ "$ref": "#/components/schemas/Answers" }), &answer);
    let model = get(running.address, "/v1/model").json();
    assert_described(&description, &json!({ "$ref": "#/components/schemas/ModelList" }), &model);
    let problem = post(running.address, "/v1/predict", b"x").json();
    assert_described(&description, &json!({ "$ref": "#/components/schemas/ProblemBody" }), &problem);
}

/// What a schema stands for where it only names another.
fn resolved<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &description["components"]["schemas"][name])
}

/// Checks that each key of a value is in its schema, and each key that the schema requires in the value.
pub fn assert_described(description: &Value, schema: &Value, value: &Value) {
    let schema = resolved(description, schema);
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            for (key, value) in fields {
                assert!(!schema["properties"][key].is_null(), "`{key}` is not described in {schema}");
                assert_described(description, &schema["properties"][key], value);
            }
            for key in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(key.as_str().unwrap()), "{key} is missing in {value}");
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_described(description, &schema["items"], item)),
        _ => {}
    }
}

#[test]
fn health_metrics_and_the_page_are_there() {
    let running = Running::start(Limits::default());
    let health = get(running.address, "/healthz");
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok" })));
    post(running.address, "/v1/predict", &sample("7.png"));
    post(running.address, "/v1/predict", b"x");
    let metrics = get(running.address, "/metrics");
    assert_eq!(metrics.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = metrics.text();
    for line in [
        r#"kiln_http_requests_total{path="/v1/predict",status="200"} 1"#,
        r#"kiln_http_requests_total{path="/v1/predict",status="415"} 1"#,
        r#"kiln_images_total{model="digits",outcome="answered"} 1"#,
        r#"kiln_images_total{model="digits",outcome="refused"} 1"#,
        r#"kiln_image_forward_seconds_count{model="digits"} 1"#,
        "kiln_queue_images 0",
        "kiln_bodies_bytes 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|there| there == line), "no `{line}` in {text}");
    }
    let page = get(running.address, "/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}
