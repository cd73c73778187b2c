//! The options of augmentation: the `[augment]` part of `config.toml`.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use kiln_data::Augment;
use kiln_data::augment::{ColourJitter, Elastic, Mixing, RandAugment, RandomAffine, RandomErasing, RandomResizedCrop};
use serde::Serialize;

use super::values::{as_optional_text, below_one, number, share, whole};

/// A share of a picture's area.
fn area(value: f64) -> bool {
    value > 0. && value <= 1.
}

/// Width over height.
fn aspect(value: f64) -> bool {
    value > 0. && value <= 100.
}

/// The parameter of a symmetric beta distribution, or 0 for none.
fn beta(value: f64) -> bool {
    value == 0. || (0.001..=1000.).contains(&value)
}

/// How training pictures are changed at random. Defaults change nothing.
#[derive(Args, Clone, Debug, PartialEq, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Augmentation")]
pub struct AugmentOptions {
    /// Train on a random part of each picture (random resized crop): smallest and largest share of its area, as 0.08 1
    #[arg(long, num_args = 2, value_parser = number("two numbers above 0 up to 1, the smaller first", area), value_names = ["F", "F"])]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f64>,
    /// With --scale: smallest and largest width over height of the part [default: 0.75 1.3333]
    #[arg(long, num_args = 2, value_parser = number("two numbers above 0 up to 100, the smaller first", aspect), value_names = ["F", "F"])]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ratio: Vec<f64>,
    /// Shift by up to N pixels in each direction (pad and crop)
    #[arg(long, default_value_t = 0, value_parser = whole(0..=256), value_name = "N")]
    pub crop_padding: usize,
    /// How often left and right are exchanged
    #[arg(long, default_value_t = 0., value_parser = number("0 to 1", share), value_name = "F")]
    pub hflip: f64,
    /// How often top and bottom are exchanged
    #[arg(long, default_value_t = 0., value_parser = number("0 to 1", share), value_name = "F")]
    pub vflip: f64,
    /// Turn by up to F degrees
    #[arg(long, default_value_t = 0., value_parser = number("0 to 180", |v| (0. ..=180.).contains(&v)), value_name = "F")]
    pub degrees: f64,
    /// Shift by up to this share of the side
    #[arg(long, default_value_t = 0., value_parser = number("0 to 1", share), value_name = "F")]
    pub translate: f64,
    /// Zoom by 1 - F to 1 + F
    #[arg(long, default_value_t = 0., value_parser = number("0 up to but not 1", below_one), value_name = "F")]
    pub zoom: f64,
    /// Shear by up to F degrees
    #[arg(long, default_value_t = 0., value_parser = number("0 to 80", |v| (0. ..=80.).contains(&v)), value_name = "F")]
    pub shear: f64,
    /// Bend lines (elastic): strength, half of it in pixels before the field is smoothed
    #[arg(long, default_value_t = 0., value_parser = number("0 to 1000", |v| (0. ..=1000.).contains(&v)), value_name = "F")]
    pub elastic_alpha: f64,
    /// With --elastic-alpha: how smooth, in pixels
    #[arg(long, default_value_t = 4., value_parser = number("above 0 up to 100", |v| v > 0. && v <= 100.), value_name = "F")]
    pub elastic_sigma: f64,
    /// RandAugment as rand-mM-nN: N operations of magnitude M of 30; rand: rand-m9-n2
    #[arg(long, alias = "auto-augment", value_name = "NAME")]
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub aa: Option<RandName>,
    /// Change brightness, contrast and saturation by factors of 1 - F to 1 + F
    #[arg(long, default_value_t = 0., value_parser = number("a number from 0 to 10", |v| (0. ..=10.).contains(&v)), value_name = "F")]
    pub color_jitter: f64,
    /// Turn the hue by up to F of the circle
    #[arg(long, default_value_t = 0., value_parser = number("0 to 0.5", |v| (0. ..=0.5).contains(&v)), value_name = "F")]
    pub hue: f64,
    /// How often a rectangle is erased
    #[arg(long, alias = "random-erase", default_value_t = 0., value_parser = number("0 to 1", share), value_name = "F")]
    pub reprob: f64,
    /// Mixup: its share is drawn from Beta(F, F)
    #[arg(long, alias = "mixup-alpha", default_value_t = 0., value_parser = number("0, or 0.001 to 1000", beta), value_name = "F")]
    pub mixup: f64,
    /// CutMix: its share is drawn from Beta(F, F)
    #[arg(long, alias = "cutmix-alpha", default_value_t = 0., value_parser = number("0, or 0.001 to 1000", beta), value_name = "F")]
    pub cutmix: f64,
    /// How often a batch is mixed, if at all
    #[arg(long, default_value_t = 1., value_parser = number("0 to 1", share), value_name = "F")]
    pub mixup_prob: f64,
    /// How often that is by CutMix, with both
    #[arg(long, default_value_t = 0.5, value_parser = number("0 to 1", share), value_name = "F")]
    pub mixup_switch_prob: f64,
}

/// RandAugment's numbers as timm writes them: `rand-m9-n2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandName(RandAugment);

impl fmt::Display for RandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rand-m{}-n{}", self.0.magnitude, self.0.operations)
    }
}

impl FromStr for RandName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = RandAugment::default();
        let wrong = || "expected rand, or rand-mM-nN with M of 0 to 30 and N of 1 to 14".to_owned();
        let mut parts = text.split('-');
        if parts.next() != Some("rand") {
            return Err(wrong());
        }
        for part in parts {
            let number = part.get(1..).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
            match (part.as_bytes()[0], number) {
                (b'm', 0..=30) => numbers.magnitude = number,
                (b'n', 1..=14) => numbers.operations = number,
                _ => return Err(wrong()),
            }
        }
        Ok(Self(numbers))
    }
}

impl AugmentOptions {
    /// The option whose two numbers are in the wrong order, and what is expected of it.
    pub(super) fn wrong_order(&self) -> Option<(&'static str, &'static str)> {
        let wrong = |pair: &[f64]| matches!(pair, [low, high] if low > high);
        match () {
            () if wrong(&self.scale) => Some(("scale", "two numbers above 0 up to 1, the smaller first")),
            () if wrong(&self.ratio) => Some(("ratio", "two numbers above 0 up to 100, the smaller first")),
            () => None,
        }
    }

    /// Whether images of a batch are mixed with each other.
    pub(super) fn mixes(&self) -> bool {
        self.mixup > 0. || self.cutmix > 0.
    }

    /// What the loader does; `None` if that is nothing.
    pub fn augment(&self) -> Option<Augment> {
        let moves = [self.degrees, self.translate, self.zoom, self.shear].iter().any(|&range| range > 0.);
        let pair = |values: &[f64], default| if let &[low, high] = values { (low, high) } else { default };
        let usual = RandomResizedCrop::default();
        let augment = Augment {
            resized_crop: (!self.scale.is_empty()).then(|| RandomResizedCrop {
                scale: pair(&self.scale, usual.scale),
                ratio: pair(&self.ratio, usual.ratio),
            }),
            crop_padding: self.crop_padding,
            hflip: self.hflip,
            vflip: self.vflip,
            affine: moves.then_some(RandomAffine {
                degrees: self.degrees,
                translate: (self.translate, self.translate),
                scale: (1. - self.zoom, 1. + self.zoom),
                shear: (self.shear, self.shear),
            }),
            elastic: (self.elastic_alpha > 0.)
                .then_some(Elastic { alpha: self.elastic_alpha, sigma: self.elastic_sigma }),
            rand_augment: self.aa.map(|RandName(numbers)| numbers),
            colour: (self.color_jitter > 0. || self.hue > 0.).then_some(ColourJitter {
                brightness: self.color_jitter,
                contrast: self.color_jitter,
                saturation: self.color_jitter,
                hue: self.hue,
            }),
            erasing: (self.reprob > 0.).then(|| RandomErasing { probability: self.reprob, ..RandomErasing::default() }),
            mixing: (self.mixup > 0. || self.cutmix > 0.).then_some(Mixing {
                mixup: self.mixup,
                cutmix: self.cutmix,
                probability: self.mixup_prob,
                switch: self.mixup_switch_prob,
            }),
        };
        (augment != Augment::default()).then_some(augment)
    }
}
