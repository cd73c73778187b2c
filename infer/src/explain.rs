//! Pictures of what a network sees: heat maps over the picture, feature maps and filters as sheets of tiles.

mod heat;
mod tiles;

use clap::ValueEnum;
use image::RgbImage;
use kiln::{Classifier, Error, Preprocess};
use kiln_data::preprocess::ResizeMode;
use kiln_data::{Picture, digit};
use kiln_model::explain::{ExplainError, FeatureMaps, Filters, HeatMap, Occluder};
use serde_json::{Value, json};

pub use heat::{heat_overlay, occlusion_overlay};
use tiles::{Tile, row, sheet};

/// Something to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Where the last convolution, or another layer, holds what speaks for the class.
    GradCam,
    /// How much the class loses when a square of the picture is covered.
    Occlusion,
    /// What each convolution and pooling makes of the picture.
    Features,
    /// The weights of the first convolution.
    Filters,
    /// What the network is given.
    Input,
    /// How the digit was found in the picture, step by step.
    Reader,
}

/// What is explained, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainOptions {
    /// The layer of Grad-CAM, and the only one whose feature maps are shown; `None` for the last convolution, and for all.
    pub layer: Option<String>,
    /// The class that is explained; `None` for the likeliest.
    pub class: Option<usize>,
    /// What covers the picture.
    pub occluder: Occluder,
}

/// A picture that explains.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// A name for its file, without an extension.
    pub name: String,
    /// What it shows, in a line.
    pub title: String,
    /// The picture.
    pub picture: RgbImage,
    /// The same for programs.
    pub json: Value,
}

/// What a view shows of a picture, whose `pixels` `[C, H, W]` are as [`Preprocess::pixels`] gives them: a sheet, or one a layer.
///
/// # Errors
/// If the network has no such layer or class, or nothing to show.
pub fn explain(
    classifier: &Classifier,
    picture: &Picture,
    pixels: &[u8],
    view: View,
    options: &ExplainOptions,
) -> Result<Vec<Sheet>, Error> {
    let input = input_picture(pixels, classifier.preprocess());
    let name = |class: usize| &classifier.classes()[class];
    let numbers = |heat: &HeatMap| {
        let HeatMap { layer, class, height, width, values } = heat;
        json!({ "layer": layer, "class": class, "height": height, "width": width, "values": values })
    };
    let sheet = |name: &str, title: String, picture: RgbImage, json: Value| Sheet {
        name: name.to_owned(),
        title,
        picture,
        json,
    };
    Ok(match view {
        View::GradCam => {
            let heat = classifier.grad_cam(pixels, options.layer.as_deref(), options.class)?;
            let title = format!("Grad-CAM of {} for class {}", heat.layer, name(heat.class));
            vec![sheet("grad-cam", title, heat_overlay(&input, &heat), numbers(&heat))]
        }
        View::Occlusion => {
            let occluder = options.occluder;
            let heat = classifier.occlusion(pixels, occluder, options.class)?;
            let Occluder { side, stride } = occluder;
            let loss = 100. * heat.values.iter().copied().fold(0f32, f32::max);
            let title = format!(
                "Occlusion by {side}x{side} pixels for class {}: up to {loss:.1} points of probability lost",
                name(heat.class)
            );
            let mut json = numbers(&heat);
            json["side"] = json!(side);
            json["stride"] = json!(stride);
            vec![sheet("occlusion", title, occlusion_overlay(&input, &heat, occluder), json)]
        }
        View::Features => {
            let graph = classifier.graph();
            let stages = options.layer.as_ref().map_or_else(|| graph.stages(), |layer| graph.stages_of(layer));
            if let (Some(layer), []) = (&options.layer, &stages[..]) {
                let layers = graph.stages().iter().map(|stage| graph.node(stage.first).name.clone()).collect();
                return Err(ExplainError::Layer { layer: layer.clone(), layers }.into());
            }
            let shown: Vec<_> = stages.iter().map(|stage| &graph.node(stage.first).name).collect();
            let maps = classifier.feature_maps(pixels)?;
            let digits = maps.len().to_string().len();
            let asked = maps.iter().enumerate().filter(|(_, maps)| shown.contains(&&maps.layer));
            let sheets = asked.map(|(index, maps)| {
                let [channels, height, width] = maps.shape;
                let file = format!("features-{:0digits$}-{}", index + 1, maps.layer.replace('/', "-"));
                let title = format!("Feature maps of {}: {channels} of {height}x{width}", maps.layer);
                let json = json!({ "layer": maps.layer, "kind": maps.kind, "shape": maps.shape });
                sheet(&file, title, feature_sheet(maps), json)
            });
            sheets.collect()
        }
        View::Filters => {
            let Some(filters) = classifier.filters() else { return Ok(Vec::new()) };
            let [outputs, inputs, height, width] = filters.shape;
            let title = format!("Filters of {}: {outputs} of {inputs}x{height}x{width}", filters.layer);
            let json = json!({ "layer": filters.layer, "shape": filters.shape, "values": filters.values });
            vec![sheet("filters", title, filter_sheet(&filters), json)]
        }
        View::Input => {
            let [height, width] = [input.height(), input.width()];
            let json = json!({ "height": height, "width": width });
            vec![sheet("input", format!("What the network is given: {height}x{width}"), heat::enlarged(&input), json)]
        }
        View::Reader => {
            let preprocess = classifier.preprocess();
            if preprocess.resize.mode != ResizeMode::Digit {
                return Ok(Vec::new());
            }
            let stages = digit::stages(picture, preprocess.height, preprocess.width, None);
            let names: Vec<_> = stages.iter().map(|stage| stage.name).collect();
            let title = match &names[..] {
                [] => "The digit reader found no ink".to_owned(),
                names => format!("The digit reader: {}", names.join("; ")),
            };
            let pictures: Vec<_> = stages.iter().map(|stage| gray_picture(&stage.picture)).collect();
            vec![sheet("reader", title, row(&pictures), json!({ "stages": names }))]
        }
    })
}

/// The network's input as a picture: pixels `[C, H, W]` as [`Preprocess::pixels`] gives them.
///
/// # Panics
/// If they are not the pixels of one image.
pub fn input_picture(pixels: &[u8], preprocess: &Preprocess) -> RgbImage {
    let &Preprocess { channels, height, width, .. } = preprocess;
    assert_eq!(pixels.len(), channels * height * width, "the pixels of one image");
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        // Of one channel, all three are the first.
        image::Rgb([0, 1, 2].map(|channel| pixels[channel.min(channels - 1) * height * width + at]))
    })
}

fn gray_picture(picture: &Picture) -> RgbImage {
    let pixel = |x: u32, y: u32| image::Rgb([picture.pixels[y as usize * picture.width + x as usize]; 3]);
    RgbImage::from_fn(picture.width as u32, picture.height as u32, pixel)
}

/// The maps of a layer as tiles, a channel each; in each its smallest number is dark and its largest bright.
pub fn feature_sheet(maps: &FeatureMaps) -> RgbImage {
    let [_, height, width] = maps.shape;
    let tile = |plane: &[f32]| Tile::of_range(plane, height, width);
    sheet(&maps.values.chunks_exact(height * width).map(tile).collect::<Vec<_>>(), columns(maps.shape[0]))
}

/// The filters of a convolution as tiles: in colour where they look at colours, otherwise one a pair of output and input
/// channel. Grey is 0.
pub fn filter_sheet(filters: &Filters) -> RgbImage {
    let [outputs, inputs, height, width] = filters.shape;
    let plane = height * width;
    let filters = filters.values.chunks_exact(inputs * plane);
    if inputs == 3 {
        return sheet(
            &filters.map(|filter| Tile::coloured(filter, height, width)).collect::<Vec<_>>(),
            columns(outputs),
        );
    }
    let tiles = filters.flat_map(|filter| filter.chunks_exact(plane));
    let tiles: Vec<_> = tiles.map(|filter| Tile::around_zero(filter, height, width)).collect();
    sheet(&tiles, if inputs == 1 { columns(outputs) } else { inputs })
}

/// So many columns that tiles nearly fill a square.
fn columns(tiles: usize) -> usize {
    (tiles as f64).sqrt().ceil() as usize
}
