//! Times convolutions: `cargo bench -p kernels --bench convolutions -- SHAPES.csv THREADS [SECONDS]`.
//!
//! The shapes are rows of batch,channels,side,outputs,kernel,stride,padding. Prints `row,pass,milliseconds`, the median
//! of the calls of SECONDS (0.3) for each pass: forward, input (its gradient) and weight (its gradient).

use std::time::{Duration, Instant};

use kiln_kernels::{Conv2d, ConvBlock, Needs, Saved};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [shapes, threads, rest @ ..] = &arguments[..] else {
        eprintln!("usage: convolutions SHAPES.csv THREADS [SECONDS]");
        return;
    };
    let threads = threads.parse().expect("THREADS is a number");
    let seconds = rest.first().map_or(0.3, |seconds| seconds.parse().expect("SECONDS is a number"));
    let seconds = Duration::from_secs_f64(seconds);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the first use of the pool");
    let shapes = std::fs::read_to_string(shapes).expect("a file of shapes");
    // Inside the pool, as `train` runs: a call from outside would wake the pool each time.
    rayon::scope(|_| {
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
    let saved = Saved { x: &x, weight: &weight, output: &[], winners: &[] };
    let needs = |x, weight| Needs { x, weight, bias: false };
    let report = |pass, milliseconds| println!("{row},{pass},{milliseconds:.4}");
    report("forward", median(seconds, || drop(block.forward(&x, &weight, None))));
    report("input", median(seconds, || drop(block.backward(saved, &grad, needs(true, false)))));
    report("weight", median(seconds, || drop(block.backward(saved, &grad, needs(false, true)))));
}

/// The median time of a call in milliseconds, after two to warm up.
fn median(seconds: Duration, mut work: impl FnMut()) -> f64 {
    (0..2).for_each(|_| work());
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || began.elapsed() < seconds {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
