//! Where datasets and weights live on the network, and getting them from there once.
//!
//! A [`RemoteFile`] is a name, several addresses of the same bytes, and their checksum. With the feature `download`,
//! [`fetch`] turns it into a verified file on the disk; without it the table still says what is missing and from where
//! it can be had. MD5 guards against damage and stale mirrors, as in torchvision; it is no protection from an attacker.

#[cfg(feature = "download")]
mod attempt;
mod cache;
#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod sum;

pub use cache::cache_dir;
#[cfg(feature = "download")]
pub use fetch::{DownloadError, FetchOptions, fetch};

/// One file of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile<'a> {
    /// The file's name in the dataset's folder, without any path.
    pub name: &'a str,
    /// Complete addresses of the same bytes, in the order in which they are tried.
    pub urls: &'a [&'a str],
    /// What is known of the bytes.
    pub sum: CheckSum<'a>,
    /// The number of bytes, where known; only for the progress bar.
    pub size: Option<u64>,
}

/// What is known of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSum<'a> {
    /// The MD5 sum, 32 lower-case hexadecimal digits.
    Md5(&'a str),
    /// The first lower-case hexadecimal digits of the SHA-256 sum, at least eight.
    Sha256Prefix(&'a str),
}

impl CheckSum<'_> {
    /// Whether this is the sum, in hexadecimal, of the right bytes.
    #[cfg(feature = "download")]
    fn accepts(&self, sum: &str) -> bool {
        match self {
            Self::Md5(expected) => sum == *expected,
            Self::Sha256Prefix(prefix) => sum.starts_with(prefix),
        }
    }
}

impl std::fmt::Display for CheckSum<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Md5(sum) => write!(f, "MD5 {sum}"),
            Self::Sha256Prefix(prefix) => write!(f, "SHA-256 {prefix}.."),
        }
    }
}

/// The files of a dataset by its name; `None` for a dataset that is not downloaded.
pub fn files(dataset: &str) -> Option<&'static [RemoteFile<'static>]> {
    match dataset {
        "mnist" => Some(&MNIST),
        "fashion-mnist" => Some(&FASHION_MNIST),
        "kmnist" => Some(&KMNIST),
        "cifar10" => Some(&CIFAR_10),
        "cifar100" => Some(&CIFAR_100),
        _ => None,
    }
}

/// `file!(bases, name, md5, size)`: the addresses are each base with the name appended.
macro_rules! file {
    ([$($base:expr),+ $(,)?], $name:literal, $md5:literal, $size:literal) => {
        RemoteFile { name: $name, urls: &[$(concat!($base, $name)),+], sum: CheckSum::Md5($md5), size: Some($size) }
    };
}

macro_rules! mnist {
    ($name:literal, $md5:literal, $size:literal) => {
        file!(
            ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
            $name,
            $md5,
            $size
        )
    };
}

macro_rules! fashion_mnist {
    ($name:literal, $md5:literal, $size:literal) => {
        file!(
            [
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ],
            $name,
            $md5,
            $size
        )
    };
}

macro_rules! kmnist {
    ($name:literal, $md5:literal, $size:literal) => {
        file!(["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"], $name, $md5, $size)
    };
}

/// MNIST: handwritten digits, 60,000 + 10,000 images of 28 x 28 (LeCun, Cortes, Burges).
pub const MNIST: [RemoteFile<'static>; 4] = [
    mnist!("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
    mnist!("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
    mnist!("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
    mnist!("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
];

/// Fashion-MNIST: ten kinds of clothes in MNIST's format (Xiao, Rasul, Vollgraf 2017).
pub const FASHION_MNIST: [RemoteFile<'static>; 4] = [
    fashion_mnist!("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
    fashion_mnist!("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
    fashion_mnist!("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
    fashion_mnist!("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
];

/// KMNIST: ten cursive Japanese characters in MNIST's format (Clanuwat et al. 2018).
pub const KMNIST: [RemoteFile<'static>; 4] = [
    kmnist!("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7", 18_165_135),
    kmnist!("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344", 29_497),
    kmnist!("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7", 3_041_136),
    kmnist!("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134", 5_120),
];

macro_rules! cifar {
    ($name:literal, $md5:literal, $size:literal) => {
        file!(["https://www.cs.toronto.edu/~kriz/"], $name, $md5, $size)
    };
}

/// CIFAR-10: ten kinds of things, 50,000 + 10,000 colour images of 32 x 32, as an archive (Krizhevsky 2009).
pub const CIFAR_10: [RemoteFile<'static>; 1] =
    [cifar!("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171)];

/// CIFAR-100: the same with a hundred kinds.
pub const CIFAR_100: [RemoteFile<'static>; 1] =
    [cifar!("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", 168_513_733)];
