//! Blocks, pools and cross-entropies against PyTorch's results, at every SIMD level.
//!
//! `golden/kernels.py` made `golden/kernels.json`, and says what is in it.

mod reference;

use kiln_kernels::{
    Conv2d, ConvBlock, Needs, Saved, Window, avg_pool2d, avg_pool2d_backward, cross_entropy, max_pool2d,
    max_pool2d_backward, max_pool2d_training,
};
use reference::check::{assert_close, at_all_levels};
use reference::size;
use serde_json::Value;

const TOLERANCE: f64 = 1e-5;

// The numbers of a case's tensors.
const X: u64 = 0;
const WEIGHT: u64 = 1;
const BIAS: u64 = 2;
const GRAD: u64 = 3;

fn cases(section: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden/kernels.json")).unwrap();
    golden[section].as_array().unwrap().clone()
}

fn formula(count: usize, position: u64, whole: bool) -> Vec<f32> {
    let value = |i: u64| {
        let n = (i * 2_654_435_761 + (position + 1) * 2_246_822_519) % (1 << 32);
        let part = n as f64 / (1u64 << 32) as f64;
        (if whole { (part * 5.).floor() - 2. } else { part - 0.5 }) as f32
    };
    (0..count as u64).map(value).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap()
}

fn list<T, const N: usize>(value: &Value, item: impl Fn(&Value) -> T) -> [T; N] {
    std::array::from_fn(|i| item(&value[i]))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn places(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|value| number(value) as u8).collect()
}

fn window(value: &Value) -> Window {
    Window {
        kernel: list(&value["kernel"], number),
        stride: list(&value["stride"], number),
        padding: list(&value["padding"], number),
        ceil_mode: flag(&value["ceil_mode"]),
    }
}

fn block(case: &Value) -> ConvBlock {
    let conv = Conv2d {
        image: list(&case["image"], number),
        weight: list(&case["weight"], number),
        stride: list(&case["stride"], number),
        padding: list(&case["padding"], |side| list(side, number)),
        dilation: list(&case["dilation"], number),
        groups: number(&case["groups"]),
    };
    let max_pool = Some(&case["max_pool"]).filter(|value| !value.is_null()).map(window);
    ConvBlock { conv, max_pool, relu: flag(&case["relu"]) }
}

#[test]
fn blocks() {
    for (index, case) in cases("blocks").iter().enumerate() {
        let block = block(case);
        let (has_bias, whole) = (flag(&case["bias"]), flag(&case["whole"]));
        assert_eq!(block.output(), list(&case["output_shape"], number), "shape of block {index}");

        let x = formula(size(block.conv.image), X, whole);
        let weight = formula(size(block.conv.weight), WEIGHT, whole);
        let bias = has_bias.then(|| formula(block.conv.weight[0], BIAS, whole));
        let grad = formula(size(block.output()), GRAD, whole);
        at_all_levels(|level| {
            let close = |actual: &[f32], name: &str| {
                assert_close(
                    actual,
                    &numbers(&case[name]),
                    TOLERANCE,
                    format_args!("{name} of block {index}, {level:?}"),
                );
            };
            close(&block.forward(&x, &weight, bias.as_deref()), "output");
            let (output, argmax) = block.forward_training(&x, &weight, bias.as_deref());
            close(&output, "output");
            assert_eq!(argmax, places(&case["argmax"]), "argmax of block {index}, {level:?}");

            let saved = Saved { x: &x, weight: &weight, output: &output, argmax: &argmax };
            let gradients = block.backward(saved, &grad, Needs { x: true, weight: true, bias: has_bias });
            close(&gradients.x.unwrap(), "grad_x");
            close(&gradients.weight.unwrap(), "grad_weight");
            if has_bias {
                close(&gradients.bias.unwrap(), "grad_bias");
            }
        });
    }
}

#[test]
fn pools() {
    for (index, case) in cases("pools").iter().enumerate() {
        let (image, window): ([usize; 4], _) = (list(&case["image"], number), window(&case["window"]));
        at_all_levels(|level| {
            let close = |actual: &[f32], kind: &str, name: &str| {
                let what = format!("{name} of {kind} of pool {index}, {level:?}");
                assert_close(actual, &numbers(&case[kind][name]), TOLERANCE, what);
            };
            for (kind, whole) in [("max", false), ("max_whole", true)] {
                let x = formula(size(image), X, whole);
                let grad = formula(size(window.output(image)), GRAD, whole);
                close(&max_pool2d(&window, image, &x), kind, "output");
                let (y, argmax) = max_pool2d_training(&window, image, &x);
                close(&y, kind, "output");
                assert_eq!(argmax, places(&case[kind]["argmax"]), "argmax of {kind} of pool {index}, {level:?}");
                close(&max_pool2d_backward(&window, image, &grad, &argmax), kind, "grad_x");
            }
            for (kind, count_include_pad) in [("mean", false), ("mean_with_padding", true)] {
                let x = formula(size(image), X, false);
                let grad = formula(size(window.output(image)), GRAD, false);
                close(&avg_pool2d(&window, image, &x, count_include_pad), kind, "output");
                close(&avg_pool2d_backward(&window, image, &grad, count_include_pad), kind, "grad_x");
            }
        });
    }
}

#[test]
fn losses() {
    for (index, case) in cases("losses").iter().enumerate() {
        let (rows, classes) = (number(&case["rows"]), number(&case["classes"]));
        let logits: Vec<f32> = formula(rows * classes, X, false).iter().map(|value| value * 8.).collect();
        let targets: Vec<usize> = (0..rows).map(|i| i * 7 % classes).collect();
        at_all_levels(|level| {
            let (loss, grad) = cross_entropy(&logits, classes, &targets, case["smoothing"].as_f64().unwrap());
            let expected = case["loss"].as_f64().unwrap();
            assert_close(&[loss], &[expected], TOLERANCE, format_args!("loss {index}, {level:?}"));
            assert_close(
                &grad,
                &numbers(&case["grad"]),
                TOLERANCE,
                format_args!("gradient of loss {index}, {level:?}"),
            );
        });
    }
}
