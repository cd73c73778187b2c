//! The catalogue of named datasets: everything Kiln knows about each, in one table.

use std::path::{Path, PathBuf};

use super::cifar::Cifar;
use super::idx_folder;
use super::image_set::ImageSet;
use super::splits::Splits;
use crate::error::DataError;
use crate::preprocess::{Filter, Polarity, Preprocess, Resize, ResizeMode};

/// A dataset that can be loaded by name.
#[derive(Clone, Copy, Debug)]
pub struct NamedDataset {
    /// The name by which users ask for it.
    pub name: &'static str,
    /// The licence under which its authors publish it.
    pub licence: &'static str,
    /// Base addresses that serve the same files, in the order in which they are tried. Each ends with a slash.
    pub mirrors: &'static [&'static str],
    /// The files as they are downloaded.
    pub files: &'static [PublishedFile],
    /// The reader for the files' format.
    pub reader: Reader,
    /// Makes the preprocessing from the training images.
    pub preprocess: fn(&ImageSet) -> Preprocess,
}

/// A file of a dataset, as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name, without a path.
    pub name: &'static str,
    /// Its MD5 sum, 32 lower-case hexadecimal digits.
    pub md5: &'static str,
    /// Its size in bytes.
    pub size: u64,
}

/// The format of a dataset's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Four IDX files: training and test images and labels.
    Idx {
        /// The class names, indexed by label.
        classes: &'static [&'static str],
    },
    /// CIFAR's binary records, unpacked from an archive.
    Cifar(Cifar),
}

/// All datasets that can be loaded by name.
pub static CATALOGUE: [NamedDataset; 5] = [
    // Handwritten digits, 60,000 + 10,000 images of 28 x 28 (LeCun, Cortes, Burges).
    NamedDataset {
        name: "mnist",
        licence: "CC BY-SA 3.0",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        files: &[
            file("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            file("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
            file("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
            file("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
        ],
        reader: Reader::Idx { classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] },
        // The lecture's mean and deviation; for every other dataset they are computed from the training images.
        preprocess: |_| Preprocess::mnist(),
    },
    // Ten kinds of clothing in MNIST's format (Xiao, Rasul, Vollgraf 2017).
    NamedDataset {
        name: "fashion-mnist",
        licence: "MIT",
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        files: &[
            file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
            file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
            file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
        ],
        // <https://github.com/zalandoresearch/fashion-mnist#labels>
        reader: Reader::Idx {
            classes: &[
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ],
        },
        preprocess: padded_light_ink,
    },
    // Ten cursive Japanese characters in MNIST's format (Clanuwat et al. 2018).
    NamedDataset {
        name: "kmnist",
        licence: "CC BY-SA 4.0",
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        files: &[
            file("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7", 18_165_135),
            file("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344", 29_497),
            file("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7", 3_041_136),
            file("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134", 5_120),
        ],
        // <http://codh.rois.ac.jp/kmnist/index.html.en>
        reader: Reader::Idx { classes: &["お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"] },
        preprocess: |train| measured(train, ResizeMode::Pad, Polarity::Auto),
    },
    // Ten kinds of objects, 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009).
    NamedDataset {
        name: "cifar10",
        licence: "none stated; the authors ask to be cited",
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[file("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171)],
        reader: Reader::Cifar(Cifar {
            folder: "cifar-10-batches-bin",
            train: &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            test: "test_batch.bin",
            class_names: "batches.meta.txt",
            classes: 10,
            label_bytes: 1,
        }),
        preprocess: cropped_photographs,
    },
    // The same with a hundred kinds (Krizhevsky 2009). Each record has a coarse label (of 20) before the fine one (of 100).
    NamedDataset {
        name: "cifar100",
        licence: "none stated; the authors ask to be cited",
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[file("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", 168_513_733)],
        reader: Reader::Cifar(Cifar {
            folder: "cifar-100-binary",
            train: &["train.bin"],
            test: "test.bin",
            class_names: "fine_label_names.txt",
            classes: 100,
            label_bytes: 2,
        }),
        preprocess: cropped_photographs,
    },
];

/// The dataset with this name.
pub fn find(name: &str) -> Option<&'static NamedDataset> {
    CATALOGUE.iter().find(|dataset| dataset.name == name)
}

/// Whether a dataset is given by name rather than by path.
pub fn is_named(dataset: &str) -> bool {
    find(dataset).is_some()
}

impl NamedDataset {
    /// The complete addresses of a file, in the order in which they are tried.
    pub fn urls(&self, file: &PublishedFile) -> Vec<String> {
        self.mirrors.iter().map(|mirror| format!("{mirror}{}", file.name)).collect()
    }

    /// The folder with all the files that the reader needs: `folder` itself, or a folder in it; `None` if any is missing.
    pub(super) fn find_in(&self, folder: &Path) -> Option<PathBuf> {
        match self.reader {
            Reader::Idx { .. } => idx_folder::is_complete(folder).then(|| folder.to_owned()),
            Reader::Cifar(cifar) => cifar.find_in(folder),
        }
    }

    /// Reads the files in a folder returned by [`find_in`](Self::find_in).
    pub(super) fn read(&self, folder: &Path) -> Result<Splits, DataError> {
        match self.reader {
            Reader::Idx { classes } => idx_folder::read(folder, self.name.to_owned(), Some(classes), self.preprocess),
            Reader::Cifar(cifar) => cifar.read(folder, self.name, self.preprocess),
        }
    }
}

const fn file(name: &'static str, md5: &'static str, size: u64) -> PublishedFile {
    PublishedFile { name, md5, size }
}

/// For images of light ink on a dark ground: padded, so that nothing is cut off.
pub(super) fn padded_light_ink(train: &ImageSet) -> Preprocess {
    measured(train, ResizeMode::Pad, Polarity::InkIsLight)
}

/// For photographs: the centre is cropped.
fn cropped_photographs(train: &ImageSet) -> Preprocess {
    measured(train, ResizeMode::Crop, Polarity::AsIs)
}

/// The training images' own size, mean and deviation.
fn measured(train: &ImageSet, mode: ResizeMode, polarity: Polarity) -> Preprocess {
    let [channels, height, width] = train.shape().unwrap_or_default();
    let (mean, std) = train.mean_and_std();
    let resize = Resize { filter: Filter::Bilinear, mode, resize_to: None };
    Preprocess { channels, height, mean, polarity, resize, std, width }
}
