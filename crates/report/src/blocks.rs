//! What a report is made of.

/// A report.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// A line under the title.
    pub subtitle: String,
    /// Its parts, in order.
    pub sections: Vec<Section>,
}

/// A part of a report.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is about.
    pub heading: String,
    /// What it shows, in order.
    pub blocks: Vec<Block>,
}

/// Something that a section shows.
#[derive(Clone, Debug)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// The most important numbers, in large type.
    Figures(Vec<Figure>),
    /// Numbers in rows.
    Table(Table),
    /// Charts beside each other.
    Charts(Vec<Curves>),
    /// A diagram of confidence and accuracy.
    Reliability(Vec<Reliability>),
    /// Which classes were taken for which.
    Confusion(Matrix),
    /// Images with what was wrong about them.
    Mistakes(Vec<Mistake>),
    /// Text as it stands in a file.
    Code(String),
}

/// A number in large type.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The number with its unit.
    pub value: String,
    /// What else there is to say of it; may be empty.
    pub note: String,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Whether it holds numbers, which stand at the right.
    pub numeric: bool,
}

/// Rows of texts; the first column says what a row is about.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<String>>,
    /// Whether it opens on a click only.
    pub folded: bool,
}

/// Curves over the epochs of a run, in one chart.
#[derive(Clone, Debug)]
pub struct Curves {
    /// What they show.
    pub title: String,
    /// What is counted to the right, such as `epoch`.
    pub x_name: String,
    /// What is shown upwards, with its unit.
    pub y_name: String,
    /// Up to three of them.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// `(x, y)` from left to right; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// The images of about one confidence.
#[derive(Clone, Copy, Debug)]
pub struct Reliability {
    /// Lower bound of the confidence, 0 to 1.
    pub low: f64,
    /// Upper bound of the confidence, 0 to 1.
    pub high: f64,
    /// Images.
    pub images: usize,
    /// Their mean confidence, 0 to 1.
    pub confidence: f64,
    /// Share of them that was classified correctly, 0 to 1.
    pub accuracy: f64,
}

/// Counts of images by true class (row) and predicted class (column).
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// `[classes, classes]`, row by row.
    pub counts: Vec<u64>,
}

/// A picture of bytes `[height, width, 3]`: red, green, blue.
#[derive(Clone, Debug)]
pub struct RgbPicture {
    /// Columns, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// `height` times `width` times 3 bytes.
    pub pixels: Vec<u8>,
}

/// An image that was misclassified.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The image; `None` if it is not at hand.
    pub picture: Option<RgbPicture>,
    /// Which one it is: a path, or its place in the dataset.
    pub source: String,
    /// Its class.
    pub truth: String,
    /// The class that it was taken for.
    pub predicted: String,
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f64,
}

impl Table {
    /// A table of names and values.
    pub fn of_pairs(caption: &str, names: [&str; 2], pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let columns = names.map(|name| Column { name: name.to_owned(), numeric: false }).to_vec();
        let rows = pairs.into_iter().map(|(name, value)| vec![name, value]).collect();
        Self { caption: caption.to_owned(), columns, rows, folded: false }
    }
}

impl RgbPicture {
    /// The longest side that reports have room for.
    const LONGEST: usize = 320;

    /// A picture of planes `[channels, height, width]`, one (grey) or three (red, green, blue), made smaller if it is large; `None`
    /// if they are not one.
    pub fn of_planes([channels, height, width]: [usize; 3], planes: &[u8]) -> Option<Self> {
        let area = height.checked_mul(width).filter(|&area| area > 0)?;
        if !matches!(channels, 1 | 3) || planes.len() != channels * area {
            return None;
        }
        // Every n-th pixel of large ones: enough for a look, and no work.
        let step = width.max(height).div_ceil(Self::LONGEST);
        let places = (0..height).step_by(step).flat_map(|y| (0..width).step_by(step).map(move |x| y * width + x));
        let pixel = |place: usize| [0, 1, 2].map(|channel| planes[channel % channels * area + place]);
        let pixels = places.flat_map(pixel).collect();
        Some(Self { width: width.div_ceil(step), height: height.div_ceil(step), pixels })
    }

    /// Whether there is at least a pixel, and as many bytes as the sizes call for.
    pub(crate) fn is_consistent(&self) -> bool {
        let count = self.width.checked_mul(self.height).and_then(|area| area.checked_mul(3));
        count.is_some_and(|count| count > 0 && count == self.pixels.len())
    }
}

impl Matrix {
    /// The most frequent mistakes, as `(true class, predicted class, images)`.
    pub(crate) fn mistakes(&self, most: usize) -> Vec<(&str, &str, u64)> {
        let classes = &self.classes;
        let mut places: Vec<_> = self.counts.iter().copied().enumerate().filter(|&(_, count)| count > 0).collect();
        places.retain(|(place, _)| place / classes.len() != place % classes.len());
        places.sort_by_key(|&(place, count)| (std::cmp::Reverse(count), place));
        let named = |&(place, count): &(usize, u64)| {
            (classes[place / classes.len()].as_str(), classes[place % classes.len()].as_str(), count)
        };
        places.iter().take(most).map(named).collect()
    }

    /// The share of its row that each count is, 0 to 1.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let rows = self.counts.chunks_exact(self.classes.len().max(1));
        let shares = rows.flat_map(|row| {
            let total = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(move |&count| count as f64 / total)
        });
        shares.collect()
    }
}
