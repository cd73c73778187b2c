//! Draws a synthetic photograph: paper, rules, a digit, things lying about, light, camera.

use std::f64::consts::{PI, TAU};

use super::draw::Draw;
use kiln::data::Picture;
use kiln::image::codecs::jpeg::JpegEncoder;
use kiln::image::{ExtendedColorType, ImageEncoder};

use super::styles::Style;

/// What is printed on the paper.
#[derive(Clone, Copy, PartialEq)]
pub enum Rules {
    None,
    Ruled {
        margin: bool,
    },
    Squared,
    /// Any of these.
    Any,
}

/// What lies in the picture, or falls on it.
#[derive(Clone, Copy)]
pub enum Object {
    SoftShadow,
    HardShadow,
    Glare,
    /// A finger that holds the paper.
    Finger,
    /// A pen that reaches in from the edge.
    Pen,
    /// The paper ends within the picture on one side.
    Table,
    /// The paper ends on all sides.
    Frame,
    /// Dust and ink specks.
    Specks,
    /// The end of another line of writing, cut by the edge.
    Scribble,
    /// One of those at the edge.
    Any,
}

type Colour = [f64; 3];

/// Reflected light, `[height][width]` of red, green and blue, 0 to 1.
struct Canvas {
    height: usize,
    width: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    /// Mixes a colour into each pixel; `cover` is the share at a position from 0 to 1 in both directions.
    fn paint(&mut self, colour: Colour, cover: impl Fn(f64, f64) -> f64) {
        for (at, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((at % self.width) as f64 + 0.5, (at / self.width) as f64 + 0.5);
            let cover = cover(x, y);
            if cover > 0.0 {
                pixel.iter_mut().zip(colour).for_each(|(value, colour)| *value += (colour - *value) * cover.min(1.0));
            }
        }
    }

    fn shade(&mut self, light: impl Fn(f64, f64) -> f64) {
        for (at, pixel) in self.pixels.iter_mut().enumerate() {
            let light = light((at % self.width) as f64 + 0.5, (at / self.width) as f64 + 0.5);
            pixel.iter_mut().for_each(|value| *value *= light);
        }
    }

    /// A Gaussian blur as three box blurs in each direction.
    fn blur(&mut self, deviation: f64) {
        let radius = ((deviation * deviation * 4.0 + 1.0).sqrt() - 1.0) / 2.0;
        let (whole, part) = (radius.floor() as isize, radius.fract());
        for _ in 0..3 {
            for (length, count, step, stride) in
                [(self.width, self.height, 1, self.width), (self.height, self.width, self.width, 1)]
            {
                for line in 0..count {
                    let line = line * stride;
                    let values: Vec<Colour> = (0..length).map(|at| self.pixels[line + at * step]).collect();
                    let value = |at: isize, c: usize| values[at.clamp(0, length as isize - 1) as usize][c];
                    for at in 0..length {
                        for c in 0..3 {
                            let at = at as isize;
                            let inner: f64 = (-whole..=whole).map(|offset| value(at + offset, c)).sum();
                            let ends = value(at - whole - 1, c) + value(at + whole + 1, c);
                            self.pixels[line + at as usize * step][c] = (inner + part * ends) / (1.0 + 2.0 * radius);
                        }
                    }
                }
            }
        }
    }
}

/// Smooth random values around 0, of a standard deviation of about 1: interpolated on a lattice.
struct Clouds {
    cell: f64,
    columns: usize,
    values: Vec<f64>,
}

impl Clouds {
    fn new(draw: &mut Draw, height: usize, width: usize, cell: f64) -> Self {
        let (columns, rows) = ((width as f64 / cell) as usize + 3, (height as f64 / cell) as usize + 3);
        Self { cell, columns, values: (0..columns * rows).map(|_| 1.5 * draw.normal()).collect() }
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        let (x, y) = (x / self.cell, y / self.cell);
        let (column, row) = (x as usize, y as usize);
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        let (u, v) = (smooth(x.fract()), smooth(y.fract()));
        let value = |r: usize, c: usize| self.values[(row + r) * self.columns + column + c];
        (value(0, 0) * (1.0 - u) + value(0, 1) * u) * (1.0 - v) + (value(1, 0) * (1.0 - u) + value(1, 1) * u) * v
    }
}

/// From -`soft` to `soft` the cover rises from 0 to 1.
fn edge(distance: f64, soft: f64) -> f64 {
    let t = (distance / (2.0 * soft) + 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Distance from the segment between two points.
fn segment(x: f64, y: f64, a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let t = (((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (x - a[0] - t * dx).hypot(y - a[1] - t * dy)
}

/// A photograph of a 28 x 28 digit in a style, through a JPEG file.
pub fn photograph(style: &Style, digit: &[u8], draw: &mut Draw) -> Vec<u8> {
    let range = |draw: &mut Draw, [low, high]: [f64; 2]| draw.between(low, high);
    let width = range(draw, style.width).round();
    let height = (width * draw.between(0.6, 1.3)).round();
    let short = width.min(height);
    let side = range(draw, style.digit) * short;
    let mut paper = style.papers[draw.below(style.papers.len())];
    let tint = draw.between(0.92, 1.05);
    paper.iter_mut().for_each(|value| *value *= tint * draw.between(0.98, 1.02));
    let (h, w) = (height as usize, width as usize);
    let mut canvas = Canvas { height: h, width: w, pixels: vec![paper; h * w] };

    let fibres = Clouds::new(draw, h, w, (short / 150.0).max(1.2));
    let stains = Clouds::new(draw, h, w, short / 6.0);
    let folds: Vec<_> =
        (0..6).map(|_| (draw.between(0.0, PI), draw.between(0.0, 1.0) * short, draw.normal())).collect();
    canvas.shade(|x, y| {
        let fold = |&(angle, offset, slope): &(f64, f64, f64)| {
            slope * (-((x * angle.cos() + y * angle.sin() - offset).abs() / (0.08 * short))).exp()
        };
        let wrinkle =
            if style.wrinkles > 0.0 { stains.at(x, y) * 0.4 + folds.iter().map(fold).sum::<f64>() * 0.4 } else { 0.0 };
        1.0 + style.texture * (fibres.at(x, y) * 0.7 + stains.at(x, y) * 0.5) + style.wrinkles * wrinkle
    });
    print_rules(&mut canvas, style.rules, side, draw);
    let middle = write(&mut canvas, style, digit, side, draw);
    for &object in style.objects {
        place(&mut canvas, object, middle, side, draw);
    }
    let (angle, fall) = (draw.between(0.0, TAU), range(draw, style.falloff));
    canvas.shade(|x, y| {
        1.0 - fall * (0.5 + 0.5 * ((x / width - 0.5) * angle.cos() + (y / height - 0.5) * angle.sin()) / 0.7)
    });
    canvas.blur(range(draw, style.blur) * side / 28.0);
    let noise = range(draw, style.noise);
    let exposure = draw.between(0.85, 1.05);
    let bytes: Vec<u8> = canvas
        .pixels
        .iter()
        .flatten()
        .map(|&value| (value * exposure * 255.0 + noise * draw.normal()).round().clamp(0.0, 255.0) as u8)
        .collect();
    let quality = range(draw, style.quality) as u8;
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, quality);
    encoder.write_image(&bytes, w as u32, h as u32, ExtendedColorType::Rgb8).expect("a JPEG in memory");
    file
}

/// Draws the digit and returns the middle of its square.
fn write(canvas: &mut Canvas, style: &Style, digit: &[u8], side: f64, draw: &mut Draw) -> [f64; 2] {
    let pen = &style.pens[draw.below(style.pens.len())];
    let (width, height) = (canvas.width as f64, canvas.height as f64);
    // MNIST's ink fills the middle 20 of 28 pixels: the empty rim may lie outside.
    let place = |draw: &mut Draw, length: f64| length / 2.0 + draw.between(-0.5, 0.5) * (length - 0.85 * side).max(0.0);
    let (cx, cy) = (place(draw, width), place(draw, height));
    let turn = draw.between(-style.turn, style.turn).to_radians();
    let (px, py) = (draw.between(-1.0, 1.0) * style.perspective, draw.between(-1.0, 1.0) * style.perspective);
    let crisp = draw.between(0.0, 0.8);
    let grain = Clouds::new(draw, canvas.height, canvas.width, (side / 40.0).max(1.2));
    let pixel = |x: isize, y: isize| {
        if (0..28).contains(&x) && (0..28).contains(&y) { f64::from(digit[(y * 28 + x) as usize]) / 255.0 } else { 0.0 }
    };
    canvas.paint(pen.colour, |x, y| {
        let (dx, dy) = ((x - cx) / side, (y - cy) / side);
        if dx.abs().max(dy.abs()) > 0.8 {
            return 0.0;
        }
        let depth = 1.0 + px * dx * 2.0 + py * dy * 2.0;
        let (dx, dy) = (dx * depth, dy * depth);
        let (u, v) = (dx * turn.cos() + dy * turn.sin(), dy * turn.cos() - dx * turn.sin());
        let (u, v) = ((u + 0.5) * 28.0 - 0.5, (v + 0.5) * 28.0 - 0.5);
        if !(-1.0..28.0).contains(&u) || !(-1.0..28.0).contains(&v) {
            return 0.0;
        }
        let (column, row, s, t) = (u.floor() as isize, v.floor() as isize, u - u.floor(), v - v.floor());
        let ink = (pixel(column, row) * (1.0 - s) + pixel(column + 1, row) * s) * (1.0 - t)
            + (pixel(column, row + 1) * (1.0 - s) + pixel(column + 1, row + 1) * s) * t;
        let sharp = edge(ink - 0.4, 0.25);
        let ink = ink + crisp * (sharp - ink);
        let grain: f64 = 1.0 + pen.grain * 0.4 * grain.at(x, y);
        ink * pen.opacity * grain.clamp(0.0, 1.1)
    });
    [cx, cy]
}

fn print_rules(canvas: &mut Canvas, rules: Rules, side: f64, draw: &mut Draw) {
    let rules = match rules {
        Rules::Any => {
            [Rules::None, Rules::Ruled { margin: false }, Rules::Ruled { margin: true }, Rules::Squared][draw.below(4)]
        }
        rules => rules,
    };
    if rules == Rules::None {
        return;
    }
    let short = canvas.width.min(canvas.height) as f64;
    let colours = [[0.45, 0.6, 0.85], [0.6, 0.62, 0.66], [0.5, 0.75, 0.7]];
    let colour = colours[draw.below(3)];
    let cover = draw.between(0.4, 0.9);
    let thick = (side / 28.0 * draw.between(0.15, 0.55)).max(0.6);
    let squared = rules == Rules::Squared;
    let gap = side * if squared { draw.between(0.15, 0.5) } else { draw.between(0.4, 1.1) };
    let (turn, phase) = (draw.between(-0.09, 0.09), draw.between(0.0, 1.0) * gap);
    let bend = draw.between(-0.02, 0.02) / short;
    let line = |at: f64, cover: f64| cover * edge(thick / 2.0 - ((at + phase).rem_euclid(gap) - gap / 2.0).abs(), 0.6);
    canvas.paint(colour, |x, y| {
        let across = line(y + x * turn + bend * x * x, cover);
        if squared { across.max(line(x - y * turn, cover)) } else { across }
    });
    if rules == (Rules::Ruled { margin: true }) {
        let at = canvas.width as f64 * draw.between(0.06, 0.16);
        canvas.paint([0.85, 0.3, 0.35], |x, y| cover * edge(thick * 0.7 - (x - y * turn - at).abs(), 0.6));
    }
}

/// A point on the picture's edge that is not too near to the digit, and the direction inwards.
fn entrance(canvas: &Canvas, middle: [f64; 2], draw: &mut Draw) -> ([f64; 2], [f64; 2], f64) {
    let (width, height) = (canvas.width as f64, canvas.height as f64);
    // The side farthest from the digit, so that nothing lies on it.
    let free = [middle[0], width - middle[0], middle[1], height - middle[1]];
    let which = (0..4).max_by(|&a, &b| free[a].total_cmp(&free[b])).unwrap_or(0);
    let along = draw.between(0.1, 0.9);
    let (point, inward) = match which {
        0 => ([0.0, along * height], [1.0, 0.0]),
        1 => ([width, along * height], [-1.0, 0.0]),
        2 => ([along * width, 0.0], [0.0, 1.0]),
        _ => ([along * width, height], [0.0, -1.0]),
    };
    (point, inward, free[which])
}

fn place(canvas: &mut Canvas, object: Object, middle: [f64; 2], side: f64, draw: &mut Draw) {
    let (width, height) = (canvas.width as f64, canvas.height as f64);
    let short = width.min(height);
    let object = match object {
        Object::Any => {
            [Object::Finger, Object::Pen, Object::Table, Object::Scribble, Object::HardShadow, Object::Specks]
                [draw.below(6)]
        }
        object => object,
    };
    let (point, inward, free) = entrance(canvas, middle, draw);
    let room = (free - 0.45 * side).max(0.03 * short);
    match object {
        Object::SoftShadow | Object::HardShadow => {
            let angle = draw.between(0.0, TAU);
            let soft =
                if matches!(object, Object::HardShadow) { draw.between(0.002, 0.03) } else { draw.between(0.1, 0.4) };
            let (dark, through) = (draw.between(0.25, 0.6), draw.between(-0.3, 0.3));
            let bend = draw.between(-0.8, 0.8);
            canvas.shade(|x, y| {
                let (x, y) = ((x - width / 2.0) / short, (y - height / 2.0) / short);
                let (u, v) = (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin());
                1.0 - dark * edge(u - through - bend * v * v, soft)
            });
        }
        Object::Glare => {
            let (x0, y0, size) = (draw.between(0.0, width), draw.between(0.0, height), draw.between(0.05, 0.2) * short);
            canvas.shade(|x, y| 1.0 + 0.5 * (-((x - x0).powi(2) + (y - y0).powi(2)) / (2.0 * size * size)).exp());
        }
        Object::Finger => {
            let thick = draw.between(0.06, 0.14) * short;
            let reach = (room * draw.between(0.5, 0.95) - thick).max(0.0);
            let lean = draw.between(-0.5, 0.5);
            let tip = [
                point[0] + inward[0] * reach + inward[1] * lean * reach,
                point[1] + inward[1] * reach + inward[0] * lean * reach,
            ];
            let root = [point[0] - inward[0] * short, point[1] - inward[1] * short];
            let tone = draw.between(0.4, 1.0);
            canvas.paint([0.0; 3], |x, y| 0.35 * edge(thick * 1.15 - segment(x, y, root, tip), thick * 0.3));
            canvas.paint([0.85 * tone, 0.62 * tone, 0.5 * tone], |x, y| {
                edge(thick - segment(x, y, root, tip), 1.0 + thick * 0.03)
            });
            canvas.paint([0.95 * tone, 0.75 * tone, 0.68 * tone], |x, y| {
                0.8 * edge(thick * 0.55 - (x - tip[0]).hypot(y - tip[1]), thick * 0.08)
            });
        }
        Object::Pen => {
            let thick = draw.between(0.012, 0.04) * short;
            let reach = room * draw.between(0.5, 0.95);
            let lean = draw.between(-1.2, 1.2);
            let tip = [
                point[0] + inward[0] * reach + inward[1] * lean * reach,
                point[1] + inward[1] * reach + inward[0] * lean * reach,
            ];
            let root = [point[0] * 1.3 - tip[0] * 0.3, point[1] * 1.3 - tip[1] * 0.3];
            let colour = [[0.05, 0.05, 0.06], [0.1, 0.15, 0.5], [0.7, 0.1, 0.1], [0.85, 0.7, 0.2]][draw.below(4)];
            canvas.paint([0.0; 3], |x, y| 0.3 * edge(thick * 1.3 - segment(x - thick, y - thick, root, tip), thick));
            canvas.paint(colour, |x, y| edge(thick - segment(x, y, root, tip), 1.0));
            canvas.paint([0.9; 3], |x, y| {
                0.5 * edge(thick * 0.2 - segment(x + thick * 0.3, y + thick * 0.3, root, tip), 1.0)
            });
        }
        Object::Table => {
            let depth = room * draw.between(0.3, 0.9);
            let slant = draw.between(-0.12, 0.12);
            let colour = [[0.35, 0.22, 0.12], [0.15, 0.15, 0.16], [0.55, 0.5, 0.45]][draw.below(3)];
            let grain = Clouds::new(draw, canvas.height, canvas.width, short / 40.0);
            canvas.paint(colour, |x, y| {
                let inside = (x - point[0]) * inward[0] + (y - point[1]) * inward[1];
                let along = (x - point[0]) * inward[1] + (y - point[1]) * inward[0];
                edge(depth - inside + slant * along, 1.0) * (1.0 + 0.1 * grain.at(x, y)).min(1.0)
            });
        }
        Object::Frame => {
            let colour = [[0.35, 0.22, 0.12], [0.12, 0.12, 0.13], [0.5, 0.45, 0.4], [0.3, 0.35, 0.4]][draw.below(4)];
            let turn = draw.between(-0.15, 0.15);
            let half = |draw: &mut Draw| side * draw.between(0.55, 0.9);
            let (left, right, up, down) = (half(draw), half(draw), half(draw), half(draw));
            let grain = Clouds::new(draw, canvas.height, canvas.width, short / 40.0);
            canvas.paint(colour, |x, y| {
                let (x0, y0) = (x - middle[0], y - middle[1]);
                let (u, v) = (x0 + y0 * turn, y0 - x0 * turn);
                let outside = (u - right).max(-u - left).max(v - down).max(-v - up);
                edge(outside, 1.0) * (1.0 + 0.1 * grain.at(x, y)).min(1.0)
            });
        }
        Object::Specks => {
            let specks: Vec<_> = (0..draw.below(25))
                .map(|_| (draw.between(0.0, width), draw.between(0.0, height), side * draw.between(0.005, 0.03)))
                .collect();
            canvas.paint([0.2; 3], |x, y| {
                specks.iter().map(|&(x0, y0, size)| edge(size - (x - x0).hypot(y - y0), 0.7)).fold(0.0, f64::max)
            });
        }
        Object::Scribble => {
            let thick = (side / 28.0 * draw.between(0.5, 1.2)).max(0.8);
            let size = room.min(side * 0.6);
            let points: Vec<[f64; 2]> = (0..6)
                .map(|at| {
                    let (inside, along) = (draw.between(-0.5, 0.9) * size, (at as f64 - 3.0) * 0.25 * size);
                    [
                        point[0] + inward[0] * inside + inward[1] * along,
                        point[1] + inward[1] * inside + inward[0] * along,
                    ]
                })
                .collect();
            canvas.paint([0.15, 0.15, 0.3], |x, y| {
                points.windows(2).map(|ends| edge(thick - segment(x, y, ends[0], ends[1]), 0.8)).fold(0.0, f64::max)
            });
        }
        Object::Any => {}
    }
}

/// Decodes a photograph.
pub fn decode(file: &[u8]) -> Picture {
    Picture::decode(file).expect("a JPEG that was just written")
}
