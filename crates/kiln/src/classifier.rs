//! A network on a device, without its backend in the type.

use std::path::Path;
use std::sync::Arc;

use image::DynamicImage;
use kiln_backend::{Backend, Program, Target};
use kiln_data::preprocess::Fitted;
use kiln_data::{Picture, Preprocess};
use kiln_model::explain::{ExplainError, FeatureMaps, Filters, HeatMap, Occluder};
use kiln_model::weights::{Weights, WeightsError};
use kiln_model::{Architecture, BatchShapeError, Graph};

use crate::answer::Answer;
use crate::error::Error;

/// How many pictures go through the network together: enough to keep all threads busy, few enough for any memory.
const BATCH: usize = 64;

/// A network with its weights on a device, which classifies pictures. It can be shared between threads.
pub struct Classifier {
    network: Box<dyn AnyNetwork>,
    architecture: Architecture,
    classes: Vec<Arc<str>>,
    preprocess: Preprocess,
    temperature: f64,
}

/// A [`kiln_model::InferenceNetwork`] on any backend.
trait AnyNetwork: Send + Sync {
    fn logits(&self, images: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, BatchShapeError>;
    fn logits_of_pixels(&self, pixels: &[u8]) -> Result<Vec<f32>, BatchShapeError>;
    fn graph(&self) -> Graph;
    fn filters(&self) -> Option<Filters>;
    fn feature_maps(&self, pixels: &[u8]) -> Result<Vec<FeatureMaps>, ExplainError>;
    fn grad_cam(&self, pixels: &[u8], layer: Option<&str>, class: Option<usize>) -> Result<HeatMap, ExplainError>;
    fn feature_maps_with_cams(
        &self,
        pixels: &[u8],
        class: Option<usize>,
    ) -> Result<Vec<(FeatureMaps, HeatMap)>, ExplainError>;
    fn occlusion(&self, pixels: &[u8], occluder: Occluder, class: Option<usize>) -> Result<HeatMap, ExplainError>;
}

impl<B: Backend> AnyNetwork for kiln_model::InferenceNetwork<B> {
    fn logits(&self, images: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, BatchShapeError> {
        self.logits(images, shape)
    }

    fn logits_of_pixels(&self, pixels: &[u8]) -> Result<Vec<f32>, BatchShapeError> {
        self.logits_of_pixels(pixels)
    }

    fn graph(&self) -> Graph {
        self.graph()
    }

    fn filters(&self) -> Option<Filters> {
        self.filters()
    }

    fn feature_maps(&self, pixels: &[u8]) -> Result<Vec<FeatureMaps>, ExplainError> {
        self.feature_maps(pixels)
    }

    fn grad_cam(&self, pixels: &[u8], layer: Option<&str>, class: Option<usize>) -> Result<HeatMap, ExplainError> {
        self.grad_cam(pixels, layer, class)
    }

    fn feature_maps_with_cams(
        &self,
        pixels: &[u8],
        class: Option<usize>,
    ) -> Result<Vec<(FeatureMaps, HeatMap)>, ExplainError> {
        self.feature_maps_with_cams(pixels, class)
    }

    fn occlusion(&self, pixels: &[u8], occluder: Occluder, class: Option<usize>) -> Result<HeatMap, ExplainError> {
        self.occlusion(pixels, occluder, class)
    }
}

/// Puts weights on a backend and forgets which it was.
struct Load(Weights);

impl Program for Load {
    type Output = Result<Box<dyn AnyNetwork>, WeightsError>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        Ok(Box::new(kiln_model::InferenceNetwork::<B>::new(self.0, device)?))
    }
}

impl Classifier {
    /// Puts weights on the device of a target.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture.
    pub fn on(target: &Target, weights: Weights) -> Result<Self, WeightsError> {
        let description = weights.description();
        let classes = description.classes.iter().map(|name| name.as_str().into()).collect();
        let (preprocess, architecture) = (description.preprocess.clone(), weights.architecture());
        let temperature = description.temperature.unwrap_or(1.);
        Ok(Self { network: target.run(Load(weights))?, architecture, classes, preprocess, temperature })
    }

    /// Classifies a picture of any size and colour type.
    ///
    /// # Errors
    /// If it has no pixels.
    pub fn classify(&self, image: &DynamicImage) -> Result<Answer, Error> {
        let picture = Picture::from_image(image.clone()).ok_or(Error::Empty)?;
        self.answer(&[picture]).map(|mut answers| answers.remove(0))
    }

    /// Classifies many pictures, in their order; each may have another size.
    ///
    /// # Errors
    /// If one of them has no pixels.
    pub fn classify_batch<'a>(&self, images: impl IntoIterator<Item = &'a DynamicImage>) -> Result<Vec<Answer>, Error> {
        let mut images = images.into_iter();
        let mut answers = Vec::new();
        loop {
            let batch = images.by_ref().take(BATCH).map(|image| Picture::from_image(image.clone()).ok_or(Error::Empty));
            let batch = batch.collect::<Result<Vec<_>, _>>()?;
            if batch.is_empty() {
                return Ok(answers);
            }
            answers.append(&mut self.answer(&batch)?);
        }
    }

    /// Classifies the picture in a file: PNG, JPEG, BMP, WebP or GIF, turned as its EXIF orientation says.
    ///
    /// # Errors
    /// If the file cannot be read, is no picture or is damaged.
    pub fn classify_file(&self, path: impl AsRef<Path>) -> Result<Answer, Error> {
        let path = path.as_ref();
        let bytes =
            kiln_data::open(path).and_then(read).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let picture = Picture::decode(&bytes).map_err(|source| Error::Decode { path: path.to_owned(), source })?;
        self.answer(&[picture]).map(|mut answers| answers.remove(0))
    }

    fn answer(&self, pictures: &[Picture]) -> Result<Vec<Answer>, Error> {
        let prepared: Vec<_> = pictures.iter().map(|picture| self.preprocess.pixels(picture)).collect();
        let pixels: Vec<u8> = prepared.iter().flat_map(|prepared| prepared.pixels.iter().copied()).collect();
        let logits = self.network.logits_of_pixels(&pixels)?;
        let rows = logits.chunks_exact(self.classes.len()).zip(&prepared);
        let answer = |(row, prepared): (&[f32], &Fitted)| {
            Answer::new(row.to_vec(), &self.classes, self.temperature, !prepared.found_ink)
        };
        Ok(rows.map(answer).collect())
    }

    /// The logits `[N, classes]`, row by row, of images that are normalised already: `images` are the numbers of a tensor
    /// of the shape `[N, C, H, W]`. Height and width may be others than [`preprocess`](Self::preprocess) gives where the
    /// network takes them.
    ///
    /// # Errors
    /// If the shape does not fit the network, or the numbers do not fill it.
    pub fn logits(&self, images: &[f32], shape: [usize; 4]) -> Result<Vec<f32>, Error> {
        Ok(self.network.logits(images.to_vec(), shape)?)
    }

    /// The logits `[N, classes]`, row by row, of pixels `[N, C, H, W]` as [`Preprocess::pixels`] gives them.
    ///
    /// # Errors
    /// If they are not whole images.
    pub fn logits_of_pixels(&self, pixels: &[u8]) -> Result<Vec<f32>, Error> {
        Ok(self.network.logits_of_pixels(pixels)?)
    }

    /// What the network does with an image, as data: its layers and what follows what.
    pub fn graph(&self) -> Graph {
        self.network.graph()
    }

    /// The weights of the first convolution; `None` if the network has none.
    pub fn filters(&self) -> Option<Filters> {
        self.network.filters()
    }

    /// What each convolution and pooling makes of one image, whose pixels `[C, H, W]` are as [`Preprocess::pixels`] gives them.
    ///
    /// # Errors
    /// If they are not the pixels of one image.
    pub fn feature_maps(&self, pixels: &[u8]) -> Result<Vec<FeatureMaps>, Error> {
        Ok(self.network.feature_maps(pixels)?)
    }

    /// Where a layer holds what speaks for a class (Grad-CAM), for one image's pixels as [`Preprocess::pixels`] gives them.
    /// Without a layer, the last convolution with all that belongs to it; without a class, the likeliest one.
    ///
    /// # Errors
    /// If there is no such layer or class, or they are not the pixels of one image.
    pub fn grad_cam(&self, pixels: &[u8], layer: Option<&str>, class: Option<usize>) -> Result<HeatMap, Error> {
        Ok(self.network.grad_cam(pixels, layer, class)?)
    }

    /// The [feature maps](Self::feature_maps) of every [stage](Graph::stages) with their [Grad-CAM](Self::grad_cam), at once;
    /// either may differ in the last digits from what is computed alone.
    ///
    /// # Errors
    /// If there is no such class, or they are not the pixels of one image.
    pub fn feature_maps_with_cams(
        &self,
        pixels: &[u8],
        class: Option<usize>,
    ) -> Result<Vec<(FeatureMaps, HeatMap)>, Error> {
        Ok(self.network.feature_maps_with_cams(pixels, class)?)
    }

    /// How much probability a class loses when a square of one image is covered, for its pixels as [`Preprocess::pixels`]
    /// gives them. Without a class, the likeliest one.
    ///
    /// # Errors
    /// If there is no such class, they are not the pixels of one image, or the square covers nothing.
    pub fn occlusion(&self, pixels: &[u8], occluder: Occluder, class: Option<usize>) -> Result<HeatMap, Error> {
        Ok(self.network.occlusion(pixels, occluder, class)?)
    }

    /// The network's architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Names of the classes, by index.
    pub fn classes(&self) -> &[Arc<str>] {
        &self.classes
    }

    /// The index of a class: by its name, or else by its number in digits. `None` if there is no such class.
    pub fn class(&self, name: &str) -> Option<usize> {
        let named = self.classes.iter().position(|class| **class == *name);
        named.or_else(|| name.parse().ok().filter(|&class| class < self.classes.len()))
    }

    /// What logits are divided by before they become probabilities; 1 for weights that were not calibrated.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// How pictures become the network's input.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }
}

/// All bytes of a file.
fn read(mut file: std::fs::File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

impl std::fmt::Debug for Classifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { architecture, classes, preprocess, temperature, network: _ } = self;
        let mut debug = f.debug_struct("Classifier");
        debug.field("architecture", architecture).field("classes", &classes.len());
        debug.field("preprocess", preprocess).field("temperature", temperature).finish_non_exhaustive()
    }
}
