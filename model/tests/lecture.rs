//! The lecture's pages print the lecture's numbers, on every backend of this build.
//!
//! What is expected stands here, not in the pages. Grids are read back from the printed text, as a learner sees them.
//! Numbers that the lecture does not give come from the lines of PyTorch 2.15 in the comments.

use kiln_backend::{BackendName, DeviceChoice, Program, Target};

/// The pages as they are: each brings a `main` and its own copy of the drawing.
#[path = "../examples"]
#[allow(dead_code, clippy::duplicate_mod, reason = "an example is a program of its own")]
mod pages {
    #[path = "convolution.rs"]
    pub mod convolution;
    #[path = "device.rs"]
    pub mod device;
    #[path = "fully_connected.rs"]
    pub mod fully_connected;
    #[path = "padding.rs"]
    pub mod padding;
    #[path = "picture.rs"]
    pub mod picture;
    #[path = "pooling.rs"]
    pub mod pooling;
    #[path = "shapes.rs"]
    pub mod shapes;
    #[path = "stride.rs"]
    pub mod stride;
}
use pages::{convolution, device, fully_connected, padding, picture, pooling, shapes, stride};

/// Stride 1, padding 0, and stride 1, padding 1.
const PLAIN: [[f64; 3]; 3] = [[211., 295., 262.], [259., 282., 214.], [251., 253., 169.]];
const PADDED: [[f64; 5]; 5] = [
    [91., 168., 224., 215., 127.],
    [114., 211., 295., 262., 149.],
    [192., 259., 282., 214., 122.],
    [194., 251., 253., 169., 86.],
    [96., 112., 110., 68., 31.],
];

/// A page that was printed on one backend.
struct Printed {
    backend: BackendName,
    text: String,
}

impl Printed {
    /// The lines under a title.
    fn section(&self, title: &str) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_title = |at: usize| lines.get(at + 1).is_some_and(|line| line.starts_with('─'));
        let start = (0..lines.len()).find(|&at| lines[at] == title && is_title(at));
        let start = start.unwrap_or_else(|| panic!("no section {title:?} in\n{}", self.text)) + 2;
        let end = (start..lines.len()).find(|&at| is_title(at)).unwrap_or(lines.len());
        lines[start..end].to_vec()
    }

    /// The grids that stand under `caption`, in order.
    fn grids(&self, title: &str, caption: &str) -> Vec<Vec<Vec<f64>>> {
        let lines: Vec<Vec<char>> = self.section(title).iter().map(|line| line.chars().collect()).collect();
        let caption: Vec<char> = caption.chars().collect();
        let mut grids = Vec::new();
        for (top, pair) in lines.windows(2).enumerate() {
            for left in 0..pair[0].len() {
                let ends = |at: usize| pair[0].get(at).is_none_or(|&next| next == ' ');
                let after = left + caption.len();
                let here = pair[0][left..].starts_with(&caption) && ends(after) && ends(after + 1);
                if here && pair[1].get(left) == Some(&'┌') {
                    grids.push(read_grid(&lines[top + 2..], left));
                }
            }
        }
        grids
    }

    /// The only grid under `caption` holds `expected`: exactly on a CPU, to 1e-4 elsewhere.
    fn assert_grid<const W: usize>(&self, title: &str, caption: &str, expected: &[[f64; W]]) {
        let grids = self.grids(title, caption);
        assert_eq!(grids.len(), 1, "grids called {caption:?} in {title:?} of\n{}", self.text);
        self.assert_close(&grids[0], expected, caption);
    }

    fn assert_close<R: AsRef<[f64]>>(&self, printed: &[Vec<f64>], expected: &[R], what: &str) {
        let expected: Vec<Vec<f64>> = expected.iter().map(|row| row.as_ref().to_vec()).collect();
        let tolerance = if self.backend.is_cpu() { 0. } else { 1e-4 };
        let close = |a: &f64, b: &f64| (a - b).abs() <= tolerance * b.abs().max(1.);
        let same_row = |a: &Vec<f64>, b: &Vec<f64>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b));
        let same = printed.len() == expected.len() && printed.iter().zip(&expected).all(|(a, b)| same_row(a, b));
        assert!(same, "{what} on {}: printed {printed:?}, expected {expected:?}", self.backend);
    }

    /// Cells of the table under a title, without its head.
    fn table(&self, title: &str) -> Vec<Vec<String>> {
        let rows = self.section(title).into_iter().skip_while(|line| !line.starts_with('├'));
        let rows = rows.filter_map(|line| line.strip_prefix('│')?.strip_suffix('│'));
        rows.map(|row| row.split('│').map(|cell| cell.trim().to_owned()).collect()).collect()
    }

    /// Some columns of that table.
    fn columns<const N: usize>(&self, title: &str, columns: [usize; N]) -> Vec<[String; N]> {
        self.table(title).iter().map(|row| columns.map(|column| row[column].clone())).collect()
    }

    fn assert_says(&self, line: &str) {
        assert!(self.text.lines().any(|printed| printed.trim() == line), "no line {line:?} in\n{}", self.text);
    }
}

/// Numbers between the borders of a grid whose left border is at `left`.
fn read_grid(lines: &[Vec<char>], left: usize) -> Vec<Vec<f64>> {
    let rows = lines.iter().take_while(|line| line.get(left) == Some(&'│'));
    rows.map(|line| {
        let inside: String = line[left + 1..].iter().take_while(|&&letter| letter != '│').collect();
        let numbers = inside.replace(['[', ']'], " ");
        numbers.split_whitespace().map(|number| number.parse().expect("grids hold numbers")).collect()
    })
    .collect()
}

/// Prints a page on every backend; a missing GPU is one skipped line, or a failure if required.
fn on_every_backend<P: Program<Output = String>>(page: impl Fn() -> P, check: impl Fn(&Printed)) {
    for backend in BackendName::ALL.into_iter().filter(|name| name.is_compiled()) {
        match Target::find(backend, DeviceChoice::Auto) {
            Ok(target) => check(&Printed { backend, text: target.run(page()) }),
            Err(error) if std::env::var_os("KILN_REQUIRE_GPU").is_none() => eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_fully_connected_layer_sees_everything() {
    on_every_backend(
        || fully_connected::Page { colour: false },
        |page| {
            page.assert_says("numbers to learn: 10 x 4096 = 40,960");
            page.assert_says("weight [10, 4096]   one row a class");
            page.assert_says("All 4096 features, one after the other: 40,960 of 40,960 outputs moved.");
            // p = torch.arange(4096); c = torch.arange(10)[:, None]; x = p % 64 * 3 // 64
            // (torch.tensor([-2, -1, 1, 2, 3])[(p * p // (c + 3) + p + c) % 5] * x).sum(1)
            let outputs = [3761., -430., 2752., 3237., 1718., 3734., 1057., 3563., 2258., 1297.];
            let printed = page.columns("4096 features, 10 classes", [2]);
            let printed: Vec<f64> = printed.iter().map(|[output]| output.parse().unwrap()).collect();
            page.assert_close(&[printed], &[outputs], "outputs");
            let changes = page.table("Every output sees every input");
            assert_eq!(changes.len(), 4);
            for row in &changes[1..] {
                let moved = (1..11).filter(|&column| row[column] != changes[0][column]).count();
                assert_eq!(moved, 10, "{row:?}");
            }
        },
    );
}

#[test]
fn convolution_slides_multiplies_and_adds() {
    on_every_backend(
        || convolution::Page { colour: false },
        |page| {
            let one = "One channel: 5 x 5 pixels, a kernel of 3 x 3";
            page.assert_grid(one, "result", &PLAIN);
            let products = page.grids(one, "products");
            page.assert_close(&products[0], &[[3., 8., 18.], [8., 20., 36.], [7., 48., 63.]], "first products");
            let sums = products.iter().map(|grid| grid.iter().flatten().sum()).collect();
            page.assert_close(&[sums], &[[211., 295., 262., 259.]], "sums of the first steps");
            assert!(page.text.contains("│ 3[4 6 5]7 │"), "the second window stands in brackets");

            let bias = "Bias: one number for each output channel";
            page.assert_grid(bias, "without bias", &PLAIN);
            page.assert_grid(bias, "bias 100", &PLAIN.map(|row| row.map(|value| value + 100.)));
            page.assert_grid(bias, "black, without", &[[0.; 3]; 3]);
            page.assert_grid(bias, "black, bias 100", &[[100.; 3]; 3]);
        },
    );
}

#[test]
fn channels_have_kernels_of_their_own_and_add_up() {
    on_every_backend(
        || convolution::Page { colour: false },
        |page| {
            // conv2d(x[:, i:i + 1], w[:1, i:i + 1]) for each i, then conv2d(x, w), with the page's x and w
            let several = "Several channels: one kernel a channel, the results added";
            page.assert_grid(several, "part 0", &[[-2., 3.], [-4., -1.]]);
            page.assert_grid(several, "part 1", &[[7., 7.], [6., 11.]]);
            page.assert_grid(several, "part 2", &[[-4., -2.], [6., -6.]]);
            page.assert_grid(several, "part 0 + part 1 + part 2", &[[1., 8.], [8., 4.]]);
            page.assert_grid(several, "output channel 0", &[[1., 8.], [8., 4.]]);
            page.assert_grid(several, "output channel 1", &[[6., 8.], [2., 4.]]);
            page.assert_says("image [1, 3, 4, 4], weight [2, 3, 3, 3], result [1, 2, 2, 2]");

            let layer = [
                ["[1, 5, 100, 100]", "[10, 5, 3, 3]", "[1, 10, 98, 98]", "460"],
                ["[1, 5, 100, 100]", "[10, 5, 5, 3]", "[1, 10, 96, 98]", "760"],
                ["[1, 5, 100, 100]", "[10, 5, 1, 1]", "[1, 10, 100, 100]", "60"],
                ["[2, 5, 100, 100]", "[10, 5, 3, 3]", "[2, 10, 98, 98]", "460"],
                ["[1, 5, 50, 40]", "[10, 5, 3, 3]", "[1, 10, 48, 38]", "460"],
                ["[1, 5, 3, 3]", "[10, 5, 3, 3]", "[1, 10, 1, 1]", "460"],
            ];
            assert_eq!(page.table("A layer: 5 channels to 10"), layer);
            page.assert_says("error: the input has 4 channels, but the weight [10, 5, 3, 3] in 1 group(s) takes 5");
        },
    );
}

#[test]
fn padding_keeps_the_size() {
    on_every_backend(
        || padding::Page { colour: false },
        |page| {
            page.assert_grid("Padding 0", "result", &PLAIN);
            page.assert_grid("Padding 1", "result", &PADDED);
            let sizes = [
                ["1", "28 x 28", "0", "28 x 28"],
                ["3", "26 x 26", "1", "28 x 28"],
                ["5", "24 x 24", "2", "28 x 28"],
                ["7", "22 x 22", "3", "28 x 28"],
                ["4", "25 x 25", "2", "29 x 29"],
            ];
            assert_eq!(page.table("Padding k/2 keeps the size"), sizes);
        },
    );
}

#[test]
fn stride_two_takes_every_second_place() {
    on_every_backend(
        || stride::Page { colour: false },
        |page| {
            let none = "Stride 2, padding 0";
            page.assert_grid(none, "result", &[[211., 262.], [251., 169.]]);
            page.assert_grid(none, "stride 1", &PLAIN);
            page.assert_grid(none, "every second", &[[211., 262.], [251., 169.]]);
            let one = "Stride 2, padding 1";
            let result = [[91., 224., 127.], [192., 282., 122.], [96., 110., 31.]];
            page.assert_grid(one, "result", &result);
            page.assert_grid(one, "stride 1", &PADDED);
            page.assert_grid(one, "every second", &result);
        },
    );
}

#[test]
fn pooling_keeps_the_largest_and_the_channels() {
    on_every_backend(
        || pooling::Page { colour: false },
        |page| {
            let first = [[4., 8.], [9., 8.]];
            page.assert_grid("Max-pooling 2 x 2", "result", &first);
            page.assert_says("window [2, 2], stride [2, 2] (the window's own size), numbers to learn: none");
            page.assert_grid("Two channels", "result 0", &first);
            page.assert_grid("Two channels", "result 1", &[[80., 90.], [80., 40.]]);
            let dark = "Channels never mix: a dark second one leaves the first one's result as it was";
            page.assert_grid(dark, "result 0", &first);
            page.assert_grid(dark, "result 1", &[[0., 0.], [0., 0.]]);
            page.assert_says("[1, 2, 4, 4] -> [1, 2, 2, 2]");
        },
    );
}

#[test]
fn an_image_walks_through_the_networks() {
    on_every_backend(
        || shapes::Page { colour: false },
        |page| {
            let shapes = ["1 x 28 x 28", "4 x 24 x 24", "4 x 12 x 12", "8 x 8 x 8", "8 x 4 x 4", "128", "10"];
            assert_eq!(page.columns("A small network", [2]), shapes.map(|shape| [shape.to_owned()]));
            let lecture = [
                ["feature extractor", "image", "1 x 28 x 28", "0"],
                ["", "conv 5 x 5, 1 -> 10", "10 x 24 x 24", "260"],
                ["", "max-pool 2", "10 x 12 x 12", "0"],
                ["", "ReLU", "10 x 12 x 12", "0"],
                ["", "conv 5 x 5, 10 -> 20", "20 x 8 x 8", "5,020"],
                ["", "max-pool 2", "20 x 4 x 4", "0"],
                ["", "ReLU", "20 x 4 x 4", "0"],
                ["classifier", "flatten", "320", "0"],
                ["", "linear 320 -> 10", "10", "3,210"],
            ];
            assert_eq!(page.table("The lecture's CNN"), lecture);
            page.assert_says("numbers to learn in all: 8,490");
            assert!(page.text.contains("forward gives the same ten numbers"), "{}", page.text);
        },
    );
}

#[test]
fn a_picture_is_three_grids() {
    on_every_backend(
        || picture::Page { colour: false },
        |page| {
            for (colour, sky, sun) in [("red", 110., 255.), ("green", 180., 220.), ("blue", 240., 60.)] {
                let grid = &page.grids("Its three grids", colour)[0];
                assert_eq!((grid.len(), grid[0].len()), (6, 6));
                assert_eq!((grid[0][0], grid[0][3]), (sky, sun), "{colour}");
            }
            page.assert_says("channel by channel             [3, 6, 6]   [3, H, W]");
            page.assert_says("a batch of one picture      [1, 3, 6, 6]   [N, 3, H, W]");
            let fraction = page.grids("As a tensor", "red / 255")[0][0][0];
            assert!((fraction - 110. / 255.).abs() < 1e-3, "{fraction}");
        },
    );
}

#[test]
fn one_model_gives_the_same_on_every_device() {
    let text = device::page(false).expect("ndarray is always there");
    let required = std::env::var_os("KILN_REQUIRE_GPU").is_some();
    assert!(!required || !text.contains("skipped: "), "{text}");
    let page = Printed { backend: BackendName::NdArray, text };
    let rows = page.columns("One model, one batch, every device", [0, 2, 3]);
    assert_eq!(rows[0][0], "ndarray", "{rows:?}");
    assert_eq!(rows.iter().any(|row| row[0] == "flex"), cfg!(feature = "flex"), "{rows:?}");
    for [backend, logits, difference] in rows {
        assert_eq!(logits, "[8, 10]");
        assert!(difference.parse::<f64>().unwrap() < 1e-4, "{backend}: {difference}");
    }
    page.assert_says("Tensor<NdArray, 4>");
    if cfg!(feature = "flex") {
        page.assert_says("Tensor<Flex, 4>");
    }
}

/// Where a backend's default device is.
#[cfg(feature = "flex")]
struct Where;

#[cfg(feature = "flex")]
impl Program for Where {
    type Output = device::Place;

    fn run<B: kiln_backend::Backend>(self, device: B::Device) -> device::Place {
        device::Place::of::<B>(&device)
    }
}

#[cfg(feature = "flex")]
#[test]
fn a_model_and_a_batch_apart_are_one_clear_line() {
    let place = |backend| Target::find(backend, DeviceChoice::Auto).expect("a CPU is always there").run(Where);
    let (ndarray, flex) = (place(BackendName::NdArray), place(BackendName::Flex));
    assert_eq!(device::together(&flex, &flex), Ok(()));
    let line = device::together(&flex, &ndarray).unwrap_err().to_string();
    assert_eq!(line, "the model is on flex (Cpu), the batch on ndarray (Cpu): make the batch on the model's device");
}

#[test]
fn a_terminal_gets_colours_and_nobody_else() {
    let target = Target::find(BackendName::NdArray, DeviceChoice::Auto).expect("a CPU is always there");
    let plain = target.run(convolution::Page { colour: false });
    let coloured = target.run(convolution::Page { colour: true });
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[1;30;43m 3 4 6 \x1b[0m5 7 │"), "{coloured}");
    assert!(target.run(picture::Page { colour: true }).contains("\x1b[48;2;110;180;240m"));
    assert!(!target.run(picture::Page { colour: false }).contains('\x1b'));
    // Without the colours, and without the brackets that stand for them, the pages are one.
    let bare = |page: &str| page.replace("\x1b[1;30;43m", "").replace("\x1b[0m", "");
    let grids = |page: &str| {
        let rows = page.lines().filter(|line| line.contains('│') && !line.contains(", "));
        rows.map(|line| line.replace(['[', ']'], " ")).collect::<Vec<_>>()
    };
    assert_eq!(grids(&bare(&coloured)), grids(&plain));
}
