//! `infer explain IMAGE`: what a network sees, and where it looks.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ColorChoice, ValueEnum};
use image::{DynamicImage, ImageFormat};
use infer::explain::{ExplainOptions, Sheet, View, explain};
use infer::inputs::{Source, expand};
use infer::{printable, read_picture};
use kiln::{Classifier, Error};
use kiln_cli::{BackendArgs, Exit, Failure, ProgressBar, note, write_new_file};
use kiln_data::Picture;
use kiln_data::picture::MAX_PIXELS;
use kiln_model::explain::Occluder;
use kiln_model::top;
use serde_json::json;

use super::models::TableFormat;
use super::output::{standard_output, unwritten, wants_colour};
use super::values::at_least_one;
use super::weights::WeightsFlags;

#[derive(Args)]
pub struct Explain {
    /// Image file, or - (standard input)
    #[arg(value_name = "IMAGE")]
    image: OsString,
    #[command(flatten)]
    weights: WeightsFlags,
    /// What to show, separated by commas [default: grad-cam, or occlusion where nothing is convolved; with --save all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "VIEW,..")]
    show: Vec<View>,
    /// The layer of Grad-CAM, such as layer3 or conv1, and the only one of the feature maps [default: the last convolution]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// The class to explain, by name or index [default: the likeliest]
    #[arg(long, value_name = "NAME|N")]
    class: Option<String>,
    /// Side of the square that covers the image, in pixels of the network's input [default: a quarter of the input]
    #[arg(long, value_parser = at_least_one, value_name = "N")]
    patch: Option<usize>,
    /// How far it moves, in pixels [default: half its side]
    #[arg(long, value_parser = at_least_one, value_name = "N")]
    stride: Option<usize>,
    /// Write the pictures as PNG files into this new or empty folder
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// How pictures are drawn in the terminal
    #[arg(long, value_enum, default_value_t = Graphics::Auto)]
    graphics: Graphics,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    format: TableFormat,
    #[command(flatten)]
    backend: BackendArgs,
}

/// How a terminal draws pictures.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Graphics {
    /// The best way that the terminal says it knows; nothing where the output is no terminal.
    Auto,
    /// Two pixels a character, on any terminal with colours.
    Blocks,
    /// Nothing.
    Off,
}

impl Explain {
    /// Explains, shows and saves.
    pub fn run(self, color: ColorChoice) -> Result<ExitCode, Failure> {
        self.save.as_deref().map_or(Ok(()), is_free)?;
        let (weights, line) = self.weights.clone().read()?;
        let (source, picture) = read(self.image.clone())?;
        let target = self.backend.target()?;
        line.iter().for_each(|line| note(line));
        let classifier = Classifier::on(&target, weights)?;
        let options = self.options(&classifier)?;
        let pixels = &classifier.preprocess().pixels(&picture).pixels;
        let mut sheets: Vec<Sheet> = Vec::new();
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(100));
        for view in self.views(&classifier) {
            if let Some(view) = view.to_possible_value() {
                spinner.set_message(view.get_name().to_owned());
            }
            sheets.append(&mut explain(&classifier, &picture, pixels, view, &options).map_err(failure)?);
        }
        spinner.finish_and_clear();
        if sheets.is_empty() {
            let what = format!(
                "{}: has nothing of this to show: it convolves nothing, or reads no digits",
                classifier.architecture()
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        if let Some(folder) = &self.save {
            save(folder, &sheets)?;
        }
        let logits = classifier.logits_of_pixels(pixels).map_err(failure)?;
        let best = top(&logits, 3, classifier.temperature()).into_iter();
        let best: Vec<_> = best.map(|best| (best.class, &*classifier.classes()[best.class], best.confidence)).collect();
        let written = match self.format {
            TableFormat::Json => {
                let predictions = best.iter();
                let predictions = predictions
                    .map(|(class, name, confidence)| json!({ "class": class, "name": name, "confidence": confidence }));
                let shown =
                    sheets.iter().map(|sheet| json!({ "name": sheet.name, "title": sheet.title, "data": sheet.json }));
                let object = json!({
                    "schema": "kiln.explain/1",
                    "path": source.to_string(),
                    "predictions": predictions.collect::<Vec<_>>(),
                    "sheets": shown.collect::<Vec<_>>(),
                });
                writeln!(standard_output(), "{object:#}")
            }
            TableFormat::Text => {
                let words: Vec<_> =
                    best.iter().map(|(_, name, share)| format!("{name} {:.1} %", 100. * share)).collect();
                let head = writeln!(standard_output(), "{}  {}", printable(&source.to_string()), words.join(", "));
                head.and_then(|()| sheets.iter().try_for_each(|sheet| self.draw(sheet, color)))
            }
        };
        written.map_or_else(|error| unwritten(&error), |()| Ok(ExitCode::SUCCESS))
    }

    fn views(&self, classifier: &Classifier) -> Vec<View> {
        let convolves = classifier.graph().last_convolution().is_some();
        match (&self.show[..], convolves) {
            ([], true) if self.save.is_some() => View::value_variants().to_vec(),
            ([], true) => vec![View::GradCam],
            ([], false) if self.save.is_some() => vec![View::Occlusion, View::Input, View::Reader],
            ([], false) => vec![View::Occlusion],
            (views, _) => views.to_vec(),
        }
    }

    fn options(&self, classifier: &Classifier) -> Result<ExplainOptions, Failure> {
        let class = self.class.as_deref().map(|text| {
            classifier.class(text).ok_or_else(|| {
                let count = classifier.classes().len();
                let what = format!("--class {text}: no such class, by name or as a number below {count}");
                Failure::new(Exit::Usage, what)
            })
        });
        let preprocess = classifier.preprocess();
        let shorter = preprocess.height.min(preprocess.width);
        let side = self.patch.unwrap_or_else(|| (shorter / 4).max(1));
        if side > shorter {
            return Err(Failure::new(Exit::Usage, format!("--patch {side}: the network's input has {shorter} pixels")));
        }
        let occluder = Occluder { side, stride: self.stride.unwrap_or_else(|| (side / 2).max(1)) };
        Ok(ExplainOptions { layer: self.layer.clone(), class: class.transpose()?, occluder })
    }

    /// A sheet's title, and the sheet itself where it can be drawn.
    fn draw(&self, sheet: &Sheet, color: ColorChoice) -> std::io::Result<()> {
        /// Columns that a picture takes at most.
        const COLUMNS: u32 = 64;
        let mut out = standard_output();
        writeln!(out, "{}", sheet.title)?;
        out.flush()?;
        drop(out);
        let terminal = std::io::stdout().is_terminal();
        let wanted = match self.graphics {
            Graphics::Off => false,
            Graphics::Blocks => color != ColorChoice::Never,
            Graphics::Auto => terminal && wants_colour(color),
        };
        if !wanted {
            return Ok(());
        }
        let best = self.graphics == Graphics::Auto;
        let columns = if terminal { u32::from(viuer::terminal_size().0) } else { COLUMNS };
        let config = viuer::Config {
            absolute_offset: false,
            width: Some(columns.min(COLUMNS)),
            use_kitty: best && terminal_knows(&["kitty", "ghostty", "WezTerm"]),
            use_iterm: best,
            use_sixel: best && terminal_knows(&["sixel", "foot", "mlterm", "contour"]),
            ..viuer::Config::default()
        };
        let drawn = viuer::print(&DynamicImage::ImageRgb8(sheet.picture.clone()), &config);
        drawn.map(drop).map_err(|error| match error {
            viuer::ViuError::Io(error) => error,
            error => std::io::Error::other(error.to_string()),
        })
    }
}

/// Whether the environment names a terminal with one of these words in its name, which then is asked what it can. Others might
/// never answer.
fn terminal_knows(words: &[&str]) -> bool {
    let named = |variable: &str| std::env::var(variable).is_ok_and(|name| words.iter().any(|word| name.contains(word)));
    std::io::stdin().is_terminal() && (named("TERM") || named("TERM_PROGRAM"))
}

/// Reads the one image.
fn read(image: OsString) -> Result<(Source, Picture), Failure> {
    let name = image.to_string_lossy().into_owned();
    let mut sources = expand([image], false);
    let first = sources.next().and_then(Result::ok);
    let (Some(source), None) = (first, sources.next()) else {
        return Err(Failure::new(Exit::Usage, format!("{name}: expected one image")));
    };
    let picture = read_picture(&source, MAX_PIXELS);
    Ok((source, picture.map_err(|error| Failure::new(Exit::Input, error.to_string()))?))
}

/// What the user asked for and the network has not.
fn failure(error: Error) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

/// That pictures may be written into a folder: it is not there, or has nothing in it.
fn is_free(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            let what =
                format!("--save {}: has files in it, which stay as they are; name a new folder", folder.display());
            Err(Failure::new(Exit::Usage, what))
        }
        _ => Ok(()),
    }
}

fn save(folder: &Path, sheets: &[Sheet]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::write(folder, &error))?;
    for sheet in sheets {
        let path = folder.join(format!("{}.png", sheet.name));
        let mut bytes = Vec::new();
        let encoded = sheet.picture.write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png);
        encoded.map_err(|error| Failure::new(Exit::Output, format!("{}: {error}", path.display())))?;
        write_new_file(&path, &bytes)?;
    }
    Ok(())
}
