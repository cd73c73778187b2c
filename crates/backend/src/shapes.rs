//! The arithmetic of shapes: what a convolution or a pooling window makes of an image, or why it cannot.

use crate::ConvOptions;
use crate::types::{Pool, kernel_conv};

/// Why operands do not fit; the message says what was given and what would fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The weight was made for another number of channels.
    #[error("the input has {given} channels, but the weight {weight:?} in {groups} group(s) takes {expected}")]
    Channels {
        /// Channels of the input.
        given: usize,
        /// Channels that the weight takes.
        expected: usize,
        /// The weight's shape `[out, in / groups, kh, kw]`.
        weight: [usize; 4],
        /// Groups of the convolution.
        groups: usize,
    },
    /// The output channels do not divide into the groups.
    #[error("{out} output channels do not divide into {groups} groups")]
    Groups {
        /// Output channels of the weight.
        out: usize,
        /// Groups of the convolution.
        groups: usize,
    },
    /// The bias was made for another number of output channels.
    #[error("the bias has {given} values, but there are {expected} output channels")]
    Bias {
        /// Values of the bias.
        given: usize,
        /// Output channels of the weight.
        expected: usize,
    },
    /// The window does not fit anywhere on the image.
    #[error("a window of {window:?} does not fit on an image of {image:?} with padding {padding:?}")]
    Window {
        /// Height and width that the window covers (dilation included).
        window: [usize; 2],
        /// Height and width of the image.
        image: [usize; 2],
        /// Padding on each side.
        padding: [usize; 2],
    },
    /// A pooling window that could lie on nothing but padding.
    #[error("a padding of {padding:?} is more than half of the pooling window {window:?}")]
    Padding {
        /// Height and width of the window.
        window: [usize; 2],
        /// Padding on each side.
        padding: [usize; 2],
    },
    /// A stride, dilation, kernel size, group count or number of channels of zero.
    #[error("stride, dilation, kernel size, groups and channels must be at least 1")]
    Zero,
    /// A number that no image calls for.
    #[error("stride, padding, dilation and kernel size must be at most {}", kiln_kernels::MAX_SIZE)]
    TooLarge,
}

/// Output shape `[N, out, H', W']` of a convolution.
///
/// # Errors
/// If the operands do not fit.
pub fn conv2d_output(
    x: [usize; 4],
    weight: [usize; 4],
    bias: Option<usize>,
    options: &ConvOptions<2>,
) -> Result<[usize; 4], ShapeError> {
    let channels = x[1];
    let [out, per_group, kh, kw] = weight;
    let ConvOptions { stride, padding, dilation, groups } = *options;
    let zero = stride.contains(&0) || dilation.contains(&0) || weight.contains(&0) || channels == 0 || groups == 0;
    if zero {
        return Err(ShapeError::Zero);
    }
    check_sizes([stride, padding, dilation, [kh, kw]])?;
    if channels != per_group * groups {
        return Err(ShapeError::Channels { given: channels, expected: per_group * groups, weight, groups });
    }
    if out % groups != 0 {
        return Err(ShapeError::Groups { out, groups });
    }
    if let Some(given) = bias.filter(|&given| given != out) {
        return Err(ShapeError::Bias { given, expected: out });
    }
    let window = [dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1];
    check_window([x[2], x[3]], window, padding)?;
    Ok(kernel_conv(x, weight, options).output())
}

/// Output shape `[N, C, H', W']` of pooling.
///
/// # Errors
/// If the window does not fit.
pub fn pool2d_output(x: [usize; 4], pool: &Pool) -> Result<[usize; 4], ShapeError> {
    if pool.kernel.contains(&0) || pool.stride.contains(&0) {
        return Err(ShapeError::Zero);
    }
    let (window, padding) = (pool.kernel, pool.padding);
    check_sizes([pool.stride, padding, window, window])?;
    if (0..2).any(|side| 2 * padding[side] > window[side]) {
        return Err(ShapeError::Padding { window, padding });
    }
    check_window([x[2], x[3]], window, padding)?;
    Ok(pool.output(x))
}

/// Whether sums and products of sizes stay numbers.
fn check_sizes(sizes: [[usize; 2]; 4]) -> Result<(), ShapeError> {
    let fits = sizes.as_flattened().iter().all(|&size| size <= kiln_kernels::MAX_SIZE);
    if fits { Ok(()) } else { Err(ShapeError::TooLarge) }
}

/// Whether a window has a place on an image at all.
fn check_window(image: [usize; 2], window: [usize; 2], padding: [usize; 2]) -> Result<(), ShapeError> {
    let fits = (0..2).all(|side| image[side] > 0 && window[side] <= image[side] + 2 * padding[side]);
    if fits { Ok(()) } else { Err(ShapeError::Window { window, image, padding }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_shapes_are_those_of_pytorch() {
        // x, weight, stride, padding, dilation, groups -> torch.nn.functional.conv2d(...).shape
        let cases = [
            ([1, 5, 100, 100], [10, 5, 3, 3], [1, 1], [0, 0], [1, 1], 1, [1, 10, 98, 98]),
            ([1, 1, 28, 28], [10, 1, 5, 5], [1, 1], [0, 0], [1, 1], 1, [1, 10, 24, 24]),
            ([2, 3, 224, 224], [64, 3, 7, 7], [2, 2], [3, 3], [1, 1], 1, [2, 64, 112, 112]),
            ([1, 1, 9, 7], [1, 1, 5, 3], [1, 1], [2, 1], [1, 1], 1, [1, 1, 9, 7]),
            ([1, 4, 9, 9], [8, 2, 3, 3], [2, 1], [0, 1], [2, 2], 2, [1, 8, 3, 7]),
        ];
        for (x, weight, stride, padding, dilation, groups, expected) in cases {
            let options = ConvOptions::new(stride, padding, dilation, groups);
            assert_eq!(conv2d_output(x, weight, None, &options), Ok(expected), "{x:?} {weight:?}");
        }
    }

    #[test]
    fn pooled_shapes_are_those_of_pytorch() {
        // side, kernel, stride, padding, ceil -> torch.nn.functional.max_pool2d(...).shape[-1]
        let cases = [
            (24, 2, 2, 0, false, 12),
            (5, 2, 2, 0, false, 2),
            (5, 2, 2, 0, true, 3),
            (112, 3, 2, 1, false, 56),
            (56, 3, 2, 0, true, 28),
            (6, 3, 3, 1, true, 3),
            (7, 3, 2, 0, true, 3),
            (4, 2, 3, 1, true, 2),
        ];
        for (side, kernel, stride, padding, ceil_mode, expected) in cases {
            let pool = Pool { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], ceil_mode };
            let shape = pool2d_output([1, 1, side, side], &pool);
            assert_eq!(shape, Ok([1, 1, expected, expected]), "{side} {pool:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let huge = ConvOptions::new([1, 1], [0, 0], [1 << 63, 1], 1);
        assert_eq!(conv2d_output([1, 1, 5, 5], [1, 1, 3, 3], None, &huge), Err(ShapeError::TooLarge));
        let wide = Pool { padding: [1 << 63, 0], ..Pool::square(2) };
        assert_eq!(pool2d_output([1, 1, 5, 5], &wide), Err(ShapeError::TooLarge));
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        for (x, weight) in [([1, 0, 5, 5], [4, 0, 3, 3]), ([1, 3, 5, 5], [0, 3, 3, 3])] {
            assert_eq!(conv2d_output(x, weight, None, &plain), Err(ShapeError::Zero));
        }
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let channels = conv2d_output([1, 4, 9, 9], [10, 5, 3, 3], None, &plain).unwrap_err();
        assert_eq!(
            channels.to_string(),
            "the input has 4 channels, but the weight [10, 5, 3, 3] in 1 group(s) takes 5"
        );
        assert!(matches!(conv2d_output([1, 5, 2, 9], [10, 5, 3, 3], None, &plain), Err(ShapeError::Window { .. })));
        let padded = ConvOptions { padding: [2, 2], ..plain.clone() };
        assert!(matches!(conv2d_output([1, 5, 0, 9], [10, 5, 3, 3], None, &padded), Err(ShapeError::Window { .. })));
        assert!(matches!(conv2d_output([1, 5, 9, 9], [10, 5, 3, 3], Some(3), &plain), Err(ShapeError::Bias { .. })));
        let wide = Pool { padding: [2, 1], ..Pool::square(2) };
        assert!(matches!(pool2d_output([1, 1, 9, 9], &wide), Err(ShapeError::Padding { .. })));
        let still = ConvOptions { stride: [0, 1], ..plain };
        assert_eq!(conv2d_output([1, 5, 9, 9], [10, 5, 3, 3], None, &still), Err(ShapeError::Zero));
    }
}
