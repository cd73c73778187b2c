//! Random shapes and values, the same in every run.

use std::ops::RangeInclusive;

use kiln_kernels::{Conv2d, Window};

use super::size;

/// The splitmix64 generator.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn between(&mut self, range: RangeInclusive<usize>) -> usize {
        let (first, last) = range.into_inner();
        first + (self.next() % (last - first + 1) as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0..=choices.len() - 1)]
    }

    /// Values from -1 to 1.
    pub fn real(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.).collect()
    }

    /// The integers from -2 to 2. Sums of their products are exact in f32 in any order, and often equal.
    pub fn whole(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.between(0..=4) as f32 - 2.).collect()
    }

    /// Any convolution that takes the reference a few milliseconds at most.
    pub fn convolution(&mut self) -> Conv2d {
        loop {
            let groups = self.pick(&[1, 1, 1, 2, 3, 8, 17]);
            // With many groups, most convolutions are depthwise.
            let group_channels = if groups > 3 { self.pick(&[1, 1, 2]) } else { self.between(1..=20) };
            let group_outputs = if groups > 3 { self.between(1..=2) } else { self.between(1..=20) };
            let kernel = [self.between(1..=7), self.between(1..=7)];
            let stride = [self.pick(&[1, 1, 2, 3]), self.pick(&[1, 1, 2, 3])];
            let dilation = [self.pick(&[1, 1, 1, 2, 3]), self.pick(&[1, 1, 1, 2, 3])];
            let padded = self.pick(&[false, true]);
            let padding = [0; 2].map(|_| [0; 2].map(|_| if padded { self.between(0..=3) } else { 0 }));
            let sides = [0, 1].map(|axis| {
                let reach = dilation[axis] * (kernel[axis] - 1) + 1;
                let least = reach.saturating_sub(padding[axis][0] + padding[axis][1]).max(1);
                least + self.between(0..=17)
            });
            let batch = self.pick(&[1, 1, 2, 3, 5, 16, 17, 33]);
            let image = [batch, groups * group_channels, sides[0], sides[1]];
            let weight = [groups * group_outputs, group_channels, kernel[0], kernel[1]];
            let conv = Conv2d { image, weight, stride, padding, dilation, groups };
            if size(conv.output()) * group_channels * kernel[0] * kernel[1] <= 1_000_000 {
                return conv;
            }
        }
    }

    /// A window that fits into the image.
    pub fn window(&mut self, image: [usize; 4]) -> Window {
        // The window that has kernels of its own.
        if image[2].min(image[3]) >= 2 && self.pick(&[false, true]) {
            return Window::square(2);
        }
        let kernel = [self.between(1..=image[2].min(4)), self.between(1..=image[3].min(4))];
        let side_by_side = self.pick(&[false, true]);
        let stride = kernel.map(|kernel| if side_by_side { kernel } else { self.between(1..=5) });
        let padding = kernel.map(|kernel| self.pick(&[0, kernel / 2]));
        Window { kernel, stride, padding, ceil_mode: self.pick(&[false, true]) }
    }
}
