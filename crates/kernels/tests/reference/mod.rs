//! What the kernels compute, in f64 and one product at a time: slow, but short enough to be evidently correct.

// Each test file uses only a part of this.
#![allow(dead_code)]

pub mod check;
pub mod random;

use kiln_kernels::{Conv2d, Window};

/// The three gradients of a convolution.
pub struct ConvolutionGradients {
    pub x: Vec<f64>,
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

pub fn size(shape: [usize; 4]) -> usize {
    shape.iter().product()
}

pub fn convolution(conv: &Conv2d, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let [_, outputs, rows, columns] = conv.output();
    let mut y = vec![0.; size(conv.output())];
    for (i, value) in y.iter_mut().enumerate() {
        *value = bias.map_or(0., |bias| bias[i / (rows * columns) % outputs]);
    }
    for_each_product(conv, |output, pixel, tap| y[output] += x[pixel] * weight[tap]);
    y
}

pub fn convolution_backward(conv: &Conv2d, x: &[f64], weight: &[f64], grad: &[f64]) -> ConvolutionGradients {
    let [_, outputs, rows, columns] = conv.output();
    let mut gradients =
        ConvolutionGradients { x: vec![0.; x.len()], weight: vec![0.; weight.len()], bias: vec![0.; outputs] };
    for (i, value) in grad.iter().enumerate() {
        gradients.bias[i / (rows * columns) % outputs] += value;
    }
    for_each_product(conv, |output, pixel, tap| {
        gradients.x[pixel] += grad[output] * weight[tap];
        gradients.weight[tap] += grad[output] * x[pixel];
    });
    gradients
}

pub fn relu(values: &[f64]) -> Vec<f64> {
    // `max` would turn NaN into 0.
    values.iter().map(|&value| if value < 0. { 0. } else { value }).collect()
}

/// The gradient passes where the output is positive.
pub fn relu_backward(output: &[f64], grad: &[f64]) -> Vec<f64> {
    output.iter().zip(grad).map(|(&output, &grad)| if output > 0. { grad } else { 0. }).collect()
}

/// The maxima, and the index of each within its window.
pub fn max_pool(window: &Window, image: [usize; 4], x: &[f64]) -> (Vec<f64>, Vec<u8>) {
    let mut best: Vec<Option<(f64, usize)>> = vec![None; size(window.output(image))];
    for_each_element(window, image, |output, index, pixel| {
        let Some(pixel) = pixel else { return };
        let wins = best[output].is_none_or(|(value, _)| x[pixel] > value || x[pixel].is_nan());
        if wins {
            best[output] = Some((x[pixel], index));
        }
    });
    best.into_iter()
        .map(|best| best.expect("a pixel in each window"))
        .map(|(value, index)| (value, index as u8))
        .unzip()
}

pub fn max_pool_backward(window: &Window, image: [usize; 4], grad: &[f64], argmax: &[u8]) -> Vec<f64> {
    let mut grad_x = vec![0.; size(image)];
    for_each_element(window, image, |output, index, pixel| {
        if index == usize::from(argmax[output]) {
            grad_x[pixel.expect("an argmax inside the image")] += grad[output];
        }
    });
    grad_x
}

/// The value of `x` at each argmax; `None` for one outside the image or the window.
pub fn values_at(window: &Window, image: [usize; 4], x: &[f64], argmax: &[u8]) -> Vec<Option<f64>> {
    let mut values = vec![None; argmax.len()];
    for_each_element(window, image, |output, index, pixel| {
        if index == usize::from(argmax[output]) {
            values[output] = pixel.map(|pixel| x[pixel]);
        }
    });
    values
}

pub fn average_pool(window: &Window, image: [usize; 4], x: &[f64], count_include_pad: bool) -> Vec<f64> {
    let counts = counts(window, image, count_include_pad);
    let mut y = vec![0.; counts.len()];
    for_each_element(window, image, |output, _, pixel| y[output] += pixel.map_or(0., |pixel| x[pixel]));
    y.iter().zip(counts).map(|(sum, count)| sum / count).collect()
}

pub fn average_pool_backward(window: &Window, image: [usize; 4], grad: &[f64], count_include_pad: bool) -> Vec<f64> {
    let counts = counts(window, image, count_include_pad);
    let mut grad_x = vec![0.; size(image)];
    for_each_element(window, image, |output, _, pixel| {
        if let Some(pixel) = pixel {
            grad_x[pixel] += grad[output] / counts[output];
        }
    });
    grad_x
}

/// The mean over the rows, and its gradient. Smoothing spreads that share of a target's weight over all classes.
pub fn cross_entropy(logits: &[f64], targets: &[usize], smoothing: f64) -> (f64, Vec<f64>) {
    let classes = logits.len() / targets.len();
    let (mut loss, mut grad) = (0., Vec::new());
    for (row, &target) in logits.chunks(classes).zip(targets) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = row.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln() + largest;
        for (class, logit) in row.iter().enumerate() {
            let wanted = smoothing / classes as f64 + if class == target { 1. - smoothing } else { 0. };
            loss -= wanted * (logit - log_sum) / targets.len() as f64;
            grad.push(((logit - log_sum).exp() - wanted) / targets.len() as f64);
        }
    }
    (loss, grad)
}

/// Visits every product of the convolution: the offsets in the output, the image and the weight.
fn for_each_product(conv: &Conv2d, mut visit: impl FnMut(usize, usize, usize)) {
    let Conv2d { image, weight, stride, padding, dilation, groups } = conv;
    let [_, _, height, width] = *image;
    let [outputs, group_channels, kernel_height, kernel_width] = *weight;
    for (output, [n, o, y, x]) in positions(conv.output()).enumerate() {
        let group = o / (outputs / groups);
        for c in 0..group_channels {
            let channel = group * group_channels + c;
            for ky in 0..kernel_height {
                let Some(row) = inside(y * stride[0] + ky * dilation[0], padding[0][0], height) else { continue };
                for kx in 0..kernel_width {
                    let Some(column) = inside(x * stride[1] + kx * dilation[1], padding[1][0], width) else { continue };
                    visit(output, at(*image, [n, channel, row, column]), at(*weight, [o, c, ky, kx]));
                }
            }
        }
    }
}

/// Visits every element of every window: the output, the index within the window, and the pixel unless it is padding.
fn for_each_element(window: &Window, image: [usize; 4], mut visit: impl FnMut(usize, usize, Option<usize>)) {
    let [_, _, height, width] = image;
    let Window { kernel, stride, padding, .. } = window;
    for (output, [n, c, y, x]) in positions(window.output(image)).enumerate() {
        for index in 0..kernel[0] * kernel[1] {
            let row = inside(y * stride[0] + index / kernel[1], padding[0], height);
            let column = inside(x * stride[1] + index % kernel[1], padding[1], width);
            let pixel = row.zip(column).map(|(row, column)| at(image, [n, c, row, column]));
            visit(output, index, pixel);
        }
    }
}

/// The divisor of each window's mean: its pixels, with or without padding. As in PyTorch, elements beyond the padding
/// (which `ceil_mode` creates) never count.
fn counts(window: &Window, image: [usize; 4], count_include_pad: bool) -> Vec<f64> {
    let side = |axis: usize, step: usize| {
        let (start, border) = (step * window.stride[axis], window.padding[axis]);
        let counted = |&coordinate: &usize| {
            if count_include_pad {
                coordinate < image[axis + 2] + 2 * border
            } else {
                inside(coordinate, border, image[axis + 2]).is_some()
            }
        };
        (start..start + window.kernel[axis]).filter(counted).count()
    };
    positions(window.output(image)).map(|[_, _, y, x]| (side(0, y) * side(1, x)) as f64).collect()
}

/// Converts a coordinate of the padded image to one of the image.
fn inside(coordinate: usize, border: usize, size: usize) -> Option<usize> {
    coordinate.checked_sub(border).filter(|&coordinate| coordinate < size)
}

fn at(shape: [usize; 4], index: [usize; 4]) -> usize {
    ((index[0] * shape[1] + index[1]) * shape[2] + index[2]) * shape[3] + index[3]
}

/// The indices of a tensor in row-major order.
fn positions([batch, channels, rows, columns]: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    (0..batch * channels * rows * columns)
        .map(move |i| [i / columns / rows / channels, i / columns / rows % channels, i / columns % rows, i % columns])
}
