//! Rectangular parts of a picture.

use super::planar::Picture;

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Rect {
    /// The whole picture.
    pub fn whole(picture: &Picture) -> Self {
        Self { left: 0, top: 0, width: picture.width, height: picture.height }
    }

    /// With so many pixels more on each side, as far as `[height, width]` reach.
    pub(crate) fn with_margin(self, margin: usize, [height, width]: [usize; 2]) -> Self {
        let axis = |start: usize, length: usize, limit: usize| {
            let first = start.saturating_sub(margin);
            (first, (start + length + margin).min(limit) - first)
        };
        let (left, width) = axis(self.left, self.width, width);
        let (top, height) = axis(self.top, self.height, height);
        Self { left, top, width, height }
    }
}
