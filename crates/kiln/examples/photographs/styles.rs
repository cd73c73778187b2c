//! The styles of the synthetic photographs, as data.

use super::scene::{Object, Rules};

/// What photographs of a style have in common; a pair is a range from which each photograph draws.
pub struct Style {
    pub name: &'static str,
    /// Width of the picture, in pixels; its height is 0.6 to 1.3 times that.
    pub width: [f64; 2],
    /// Side of the square that MNIST's 28 x 28 pixels cover, as a share of the picture's shorter side.
    pub digit: [f64; 2],
    /// Colours of the paper, 0 to 1, of which one is drawn.
    pub papers: &'static [[f64; 3]],
    /// Pens, of which one is drawn.
    pub pens: &'static [Pen],
    /// Standard deviation of the paper's fibres and stains, as a share of its brightness.
    pub texture: f64,
    /// Strength of folds and wrinkles, likewise.
    pub wrinkles: f64,
    pub rules: Rules,
    /// By how much the light falls off across the picture, as a share.
    pub falloff: [f64; 2],
    /// What lies in the picture or falls on it.
    pub objects: &'static [Object],
    /// Degrees of rotation, and the strength of the perspective, at most.
    pub turn: f64,
    pub perspective: f64,
    /// Standard deviation of the blur, as a share of a pixel of the digit (1/28 of its side).
    pub blur: [f64; 2],
    /// Standard deviation of the noise, in grey levels.
    pub noise: [f64; 2],
    /// JPEG quality.
    pub quality: [f64; 2],
}

/// What the digit is written with.
pub struct Pen {
    pub colour: [f64; 3],
    /// How much of the paper it covers.
    pub opacity: f64,
    /// How much its cover varies from place to place.
    pub grain: f64,
}

const fn pen(colour: [f64; 3], opacity: f64, grain: f64) -> Pen {
    Pen { colour, opacity, grain }
}

const WHITE: [f64; 3] = [0.93, 0.92, 0.9];
const BLACK_PEN: Pen = pen([0.08, 0.08, 0.1], 0.95, 0.05);
const BLUE_PEN: Pen = pen([0.1, 0.18, 0.6], 0.9, 0.1);
const RED_PEN: Pen = pen([0.75, 0.12, 0.15], 0.9, 0.1);
const PENCIL: Pen = pen([0.35, 0.35, 0.37], 0.75, 0.5);
const CHALK: Pen = pen([0.9, 0.9, 0.87], 0.85, 0.45);

const PLAIN: Style = Style {
    name: "",
    width: [240.0, 600.0],
    digit: [0.35, 0.9],
    papers: &[WHITE],
    pens: &[BLACK_PEN, BLUE_PEN],
    texture: 0.015,
    wrinkles: 0.0,
    rules: Rules::None,
    falloff: [0.0, 0.3],
    objects: &[],
    turn: 6.0,
    perspective: 0.08,
    blur: [0.1, 0.4],
    noise: [1.0, 4.0],
    quality: [70.0, 95.0],
};

pub const STYLES: [Style; 24] = [
    Style {
        name: "scan",
        texture: 0.003,
        falloff: [0.0, 0.0],
        turn: 2.0,
        perspective: 0.0,
        noise: [0.0, 1.0],
        ..PLAIN
    },
    Style { name: "photo", ..PLAIN },
    Style {
        name: "coloured pen",
        pens: &[BLUE_PEN, RED_PEN, pen([0.1, 0.5, 0.2], 0.85, 0.1), pen([0.95, 0.5, 0.1], 0.85, 0.1)],
        papers: &[WHITE, [0.95, 0.9, 0.75]],
        ..PLAIN
    },
    Style {
        name: "coloured paper",
        papers: &[[0.95, 0.85, 0.3], [0.7, 0.55, 0.38], [0.95, 0.6, 0.7], [0.5, 0.75, 0.9]],
        pens: &[BLACK_PEN, BLUE_PEN, RED_PEN],
        ..PLAIN
    },
    Style { name: "pencil", pens: &[PENCIL], texture: 0.03, noise: [1.0, 5.0], ..PLAIN },
    Style {
        name: "low contrast",
        pens: &[pen([0.68, 0.67, 0.66], 0.9, 0.2), pen([0.72, 0.75, 0.85], 1.0, 0.1)],
        ..PLAIN
    },
    Style {
        name: "ruled",
        rules: Rules::Ruled { margin: false },
        pens: &[BLACK_PEN, BLUE_PEN, PENCIL],
        digit: [0.3, 0.7],
        ..PLAIN
    },
    Style { name: "ruled with margin", rules: Rules::Ruled { margin: true }, digit: [0.3, 0.6], ..PLAIN },
    Style { name: "squared", rules: Rules::Squared, pens: &[BLACK_PEN, BLUE_PEN, PENCIL], digit: [0.3, 0.7], ..PLAIN },
    Style {
        name: "chalk",
        papers: &[[0.13, 0.2, 0.16], [0.12, 0.12, 0.13]],
        pens: &[CHALK, pen([0.95, 0.85, 0.4], 0.8, 0.4)],
        texture: 0.15,
        wrinkles: 0.15,
        ..PLAIN
    },
    Style {
        name: "light on dark",
        papers: &[[0.05, 0.05, 0.06], [0.1, 0.1, 0.3], [0.3, 0.1, 0.1]],
        pens: &[pen([0.95, 0.95, 0.95], 0.95, 0.05), pen([0.3, 0.9, 0.5], 0.9, 0.1)],
        ..PLAIN
    },
    Style {
        name: "whiteboard",
        papers: &[[0.85, 0.87, 0.88]],
        pens: &[BLACK_PEN, RED_PEN, BLUE_PEN],
        objects: &[Object::Glare],
        falloff: [0.2, 0.5],
        ..PLAIN
    },
    Style { name: "soft shadow", objects: &[Object::SoftShadow, Object::SoftShadow], falloff: [0.2, 0.5], ..PLAIN },
    Style { name: "hard shadow", objects: &[Object::HardShadow], falloff: [0.0, 0.4], ..PLAIN },
    Style { name: "finger", objects: &[Object::Finger], digit: [0.3, 0.7], ..PLAIN },
    Style { name: "pen at the edge", objects: &[Object::Pen], digit: [0.3, 0.6], ..PLAIN },
    Style { name: "table edge", objects: &[Object::Table], digit: [0.3, 0.6], ..PLAIN },
    Style {
        name: "note on a table",
        objects: &[Object::Frame],
        digit: [0.3, 0.5],
        papers: &[WHITE, [0.95, 0.85, 0.3]],
        ..PLAIN
    },
    Style { name: "specks and marks", objects: &[Object::Specks, Object::Scribble], digit: [0.3, 0.7], ..PLAIN },
    Style { name: "crumpled", wrinkles: 0.25, texture: 0.04, ..PLAIN },
    Style { name: "blurred and noisy", blur: [0.5, 1.0], noise: [6.0, 14.0], quality: [20.0, 50.0], ..PLAIN },
    Style { name: "tiny picture", width: [40.0, 90.0], digit: [0.6, 0.95], turn: 3.0, noise: [0.0, 3.0], ..PLAIN },
    Style { name: "small in a large picture", width: [1000.0, 1500.0], digit: [0.06, 0.18], ..PLAIN },
    Style {
        name: "everything",
        papers: &[WHITE, [0.95, 0.9, 0.75]],
        pens: &[BLACK_PEN, BLUE_PEN, RED_PEN],
        texture: 0.03,
        wrinkles: 0.08,
        rules: Rules::Any,
        falloff: [0.2, 0.5],
        objects: &[Object::Any, Object::SoftShadow],
        digit: [0.3, 0.6],
        ..PLAIN
    },
];
