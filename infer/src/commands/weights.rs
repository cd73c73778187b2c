//! Which weights, in flags.

use std::path::PathBuf;

use clap::Args;
use infer::{Choice, choose};
use kiln_cli::{ArchitectureParser, Exit, Failure, FitName, Interpolation};
use kiln_data::Preprocess;
use kiln_data::preprocess::MAX_SIDE;
use kiln_model::Architecture;
use kiln_model::weights::Weights;

use super::values::{above_zero, crop_share, share, side};

/// Which weights.
#[derive(Args, Clone)]
#[group(skip)]
pub struct WeightsFlags {
    /// Weights: a file (.safetensors, .pth, .pt), a run's folder, a run's name under --output, or `built-in` [default: the
    /// newest run's, else built-in]
    #[arg(short, long, visible_alias = "weights", group = "weights", value_name = "FILE|RUN")]
    model: Option<PathBuf>,
    /// The network of weights that were not written by Kiln and do not name it
    #[arg(long, requires = "weights", value_name = "NAME", value_parser = ArchitectureParser, hide_possible_values = true)]
    arch: Option<Architecture>,
    /// The weights that torchvision publishes for --arch, trained on ImageNet; downloaded once into the user's cache folder
    #[arg(long, group = "weights", requires = "arch")]
    pretrained: bool,
    /// Open no socket
    #[arg(long)]
    offline: bool,
    /// A file with that network's class names, one a line [default: the ten digits, or ImageNet's 1,000 classes]
    #[arg(long, requires = "arch", value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Its last weights, where it has averaged ones (EMA) too
    #[arg(long, requires = "arch")]
    no_ema: bool,
    #[command(flatten)]
    pictures: PictureFlags,
    /// Folder of the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    output: PathBuf,
}

/// How weights that were not written by Kiln want pictures, by timm's names.
#[derive(Args, Clone)]
#[group(skip)]
struct PictureFlags {
    /// What is subtracted from its pixels of 0 to 1: one number, or one a channel [default: the network's usual ones]
    #[arg(long, requires = "arch", num_args = 1..=3, value_parser = share, value_name = "F")]
    mean: Vec<f32>,
    /// What the difference is divided by: one number, or one a channel [default: the network's usual ones]
    #[arg(long, requires = "arch", num_args = 1..=3, value_parser = above_zero, value_name = "F")]
    std: Vec<f32>,
    /// Side of its input, in pixels [default: the network's usual one]
    #[arg(long, requires = "arch", value_parser = side, value_name = "N")]
    img_size: Option<usize>,
    /// Share of the shorter side that the centre crop keeps [default: the network's usual one]
    #[arg(long, requires = "arch", value_parser = crop_share, value_name = "F")]
    crop_pct: Option<f32>,
    /// How pixels are weighed when a picture is resized: bilinear, bicubic (timm's usual one), nearest [default: bilinear]
    #[arg(long, requires = "arch", value_name = "NAME", hide_possible_values = true)]
    interpolation: Option<Interpolation>,
    /// How pictures are fitted: crop (the centre, after the shorter side was fitted; torchvision's way), pad (bars beside),
    /// squash
    #[arg(long, requires = "arch", value_name = "NAME", hide_possible_values = true)]
    resize_mode: Option<FitName>,
}

impl PictureFlags {
    /// The architecture's usual way, with what was asked for.
    fn preprocess(self, architecture: Architecture) -> Result<Preprocess, Failure> {
        let Self { mean, std, img_size, crop_pct, interpolation, resize_mode } = self;
        let mut preprocess = architecture.preprocess();
        let channels = preprocess.channels;
        for (flag, given, own) in [("--mean", mean, &mut preprocess.mean), ("--std", std, &mut preprocess.std)] {
            match given.len() {
                0 => {}
                1 => *own = given.repeat(channels),
                count if count == channels => *own = given,
                count => {
                    let what = format!("{flag}: {count} numbers, but {architecture} takes {channels} channels");
                    return Err(Failure::new(Exit::Usage, what));
                }
            }
        }
        let usual_share = preprocess.resize.resize_to.map_or(1., |shorter| preprocess.height as f32 / shorter as f32);
        if let Some(side) = img_size {
            (preprocess.height, preprocess.width) = (side, side);
            if !architecture.takes([channels, side, side]) {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("--img-size {side}: not a size that {architecture} takes"),
                ));
            }
        }
        if img_size.is_some() || crop_pct.is_some() {
            let shorter = (preprocess.height as f32 / crop_pct.unwrap_or(usual_share)).floor() as usize;
            preprocess.resize.resize_to = Some(shorter.min(MAX_SIDE));
        }
        if let Some(interpolation) = interpolation {
            preprocess.resize.filter = interpolation.into();
        }
        if let Some(mode) = resize_mode {
            preprocess.set_resize_mode(mode.into());
        }
        Ok(preprocess)
    }
}

impl WeightsFlags {
    /// Whether no socket may be opened.
    pub fn offline(&self) -> bool {
        self.offline
    }

    /// Reads other weights, which name their network themselves, with the same folder of runs.
    pub fn read_other(&self, model: PathBuf) -> Result<Weights, Failure> {
        let choice = Choice { model: Some(model), output: self.output.clone(), ..Choice::default() };
        choose(&choice).map(|(weights, _)| weights)
    }

    /// Reads them; where it was not the user who named them, with a line that does.
    pub fn read(self) -> Result<(Weights, Option<String>), Failure> {
        let Self { model, arch, pretrained, offline, classes, no_ema, pictures, output } = self;
        let preprocess = arch.map(|arch| pictures.preprocess(arch)).transpose()?;
        choose(&Choice { model, pretrained, offline, output, arch, classes, preprocess, no_ema })
    }
}
