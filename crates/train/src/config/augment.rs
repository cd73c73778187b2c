//! The options of augmentation: the `[augment]` part of `config.toml`.

use clap::Args;
use kiln_data::Augment;
use kiln_data::augment::{Mixing, RandomAffine, RandomErasing};
use serde::{Deserialize, Serialize};

/// How training pictures are changed at random. Defaults change nothing.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Augmentation")]
#[serde(deny_unknown_fields)]
pub struct AugmentOptions {
    /// Shift by up to N pixels in each direction (pad and crop)
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub crop_padding: usize,
    /// How often left and right are exchanged
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub hflip: f64,
    /// How often top and bottom are exchanged
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub vflip: f64,
    /// Turn by up to F degrees
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub degrees: f64,
    /// Shift by up to this share of the side
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub translate: f64,
    /// Zoom by 1 - F to 1 + F
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub zoom: f64,
    /// Shear by up to F degrees
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub shear: f64,
    /// How often a rectangle is erased
    #[arg(long, alias = "random-erase", default_value_t = 0., value_name = "F")]
    pub reprob: f64,
    /// Mixup: its share is drawn from Beta(F, F)
    #[arg(long, alias = "mixup-alpha", default_value_t = 0., value_name = "F")]
    pub mixup: f64,
    /// CutMix: its share is drawn from Beta(F, F)
    #[arg(long, alias = "cutmix-alpha", default_value_t = 0., value_name = "F")]
    pub cutmix: f64,
    /// How often a batch is mixed, if at all
    #[arg(long, default_value_t = 1., value_name = "F")]
    pub mixup_prob: f64,
    /// How often that is by CutMix, with both
    #[arg(long, default_value_t = 0.5, value_name = "F")]
    pub mixup_switch_prob: f64,
}

impl AugmentOptions {
    /// Each option, what is expected of it, and whether it is so.
    pub(super) fn checks(&self) -> Vec<(&'static str, &'static str, bool)> {
        let share = |value: f64| (0. ..=1.).contains(&value);
        let not_negative = |value: f64| value.is_finite() && value >= 0.;
        vec![
            ("crop-padding", "at most 256", self.crop_padding <= 256),
            ("hflip", "0 to 1", share(self.hflip)),
            ("vflip", "0 to 1", share(self.vflip)),
            ("degrees", "0 to 180", (0. ..=180.).contains(&self.degrees)),
            ("translate", "0 to 1", share(self.translate)),
            ("zoom", "0 up to but not 1", (0. ..1.).contains(&self.zoom)),
            ("shear", "0 to 80", (0. ..=80.).contains(&self.shear)),
            ("reprob", "0 to 1", share(self.reprob)),
            ("mixup", "a number from 0", not_negative(self.mixup)),
            ("cutmix", "a number from 0", not_negative(self.cutmix)),
            ("mixup-prob", "0 to 1", share(self.mixup_prob)),
            ("mixup-switch-prob", "0 to 1", share(self.mixup_switch_prob)),
        ]
    }

    /// What the loader does; `None` if that is nothing.
    pub fn augment(&self) -> Option<Augment> {
        let moves = [self.degrees, self.translate, self.zoom, self.shear].iter().any(|&range| range > 0.);
        let augment = Augment {
            crop_padding: self.crop_padding,
            hflip: self.hflip,
            vflip: self.vflip,
            affine: moves.then_some(RandomAffine {
                degrees: self.degrees,
                translate: (self.translate, self.translate),
                scale: (1. - self.zoom, 1. + self.zoom),
                shear: (self.shear, self.shear),
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
