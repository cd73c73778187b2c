//! Times convolutions: `cargo bench -p kiln-kernels --bench convolutions -- SHAPES.csv THREADS [SECONDS]`.
//!
//! Each row of the file is batch,channels,side,outputs,kernel,stride,padding. Prints `row,pass,milliseconds`: the
//! median over SECONDS (0.3) of calls for each pass: compiled (inference with channels last), direct (the same, never by
//! Winograd's algorithm), forward, input (its gradient) and weight (its gradient).

mod timing;

use std::time::Duration;

use kiln_kernels::channels_last::{Conv, Place};
use kiln_kernels::{Conv2d, ConvBlock, Needs, Saved};

use crate::timing::{inside_pool, median};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [shapes, threads, rest @ ..] = &arguments[..] else {
        eprintln!("usage: convolutions SHAPES.csv THREADS [SECONDS]");
        return;
    };
    let threads = threads.parse().expect("THREADS is a number");
    let seconds = rest.first().map_or(0.3, |seconds| seconds.parse().expect("SECONDS is a number"));
    let seconds = Duration::from_secs_f64(seconds);
    let shapes = std::fs::read_to_string(shapes).expect("a file of shapes");
    inside_pool(threads, || {
        for (row, line) in shapes.lines().skip(1).enumerate() {
            time(row, &line.split(',').map(|size| size.parse().expect("a size")).collect::<Vec<_>>(), seconds);
        }
    });
}

fn time(row: usize, sizes: &[usize], seconds: Duration) {
    let &[batch, channels, side, outputs, kernel, stride, padding] = sizes else { panic!("seven sizes a row") };
    let mut conv = Conv2d::new([batch, channels, side, side], [outputs, channels, kernel, kernel]);
    (conv.stride, conv.padding) = ([stride; 2], [[padding; 2]; 2]);
    let values = |shape: [usize; 4]| -> Vec<f32> {
        (0..shape.iter().product()).map(|index: usize| (index * 7919 % 1009) as f32 / 1009. - 0.5).collect()
    };
    let (x, weight, grad) = (values(conv.image), values(conv.weight), values(conv.output()));
    let block = ConvBlock { conv, max_pool: None, relu: false };
    let saved = Saved { x: &x, weight: &weight, output: &[], argmax: &[] };
    let needs = |x, weight| Needs { x, weight, bias: false };
    let report = |pass, milliseconds| println!("{row},{pass},{milliseconds:.4}");
    for (pass, packed) in
        [("compiled", Conv::new(block.conv.clone(), &weight)), ("direct", Conv::direct(block.conv.clone(), &weight))]
    {
        let results: usize = block.output().iter().product();
        let mut memory = vec![0.5; x.len() + results];
        let (from, to) = (Place { start: 0, stride: channels }, Place { start: x.len(), stride: outputs });
        report(pass, median(seconds, || packed.run(batch, &mut memory, from, None, to)));
    }
    report("forward", median(seconds, || drop(block.forward(&x, &weight, None))));
    report("input", median(seconds, || drop(block.backward(saved, &grad, needs(true, false)))));
    report("weight", median(seconds, || drop(block.backward(saved, &grad, needs(false, true)))));
}
