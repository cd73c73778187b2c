//! The weights that torchvision publishes for its networks, as its 0.29.2 release lists them.
//!
//! The eight hexadecimal digits at the end of a file's name begin its SHA-256 sum.

/// Where the files are.
pub const WEIGHTS_URL: &str = "https://download.pytorch.org/models/";

/// A file of weights trained on ImageNet's 1,000 classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pretrained {
    /// Its name under [`WEIGHTS_URL`].
    pub file: &'static str,
    /// Share of ImageNet's validation images whose class comes first, in percent.
    pub top1: f64,
    /// Share of those whose class comes among the first five, in percent.
    pub top5: f64,
    /// Length of the shorter side before the centre crop, in pixels.
    pub resize_to: usize,
}

impl Pretrained {
    /// The first eight hexadecimal digits of the file's SHA-256 sum.
    pub fn sha256_prefix(&self) -> &'static str {
        let stem = self.file.rsplit_once('.').map_or(self.file, |(stem, _)| stem);
        stem.rsplit_once('-').map_or("", |(_, prefix)| prefix)
    }
}

/// The file of the network of this name, with torchvision's default weights where there are several.
pub(crate) fn pretrained(architecture: &str) -> Option<Pretrained> {
    let (_, file, top1, top5, resize_to) = *TABLE.iter().find(|(name, ..)| *name == architecture)?;
    Some(Pretrained { file, top1, top5, resize_to })
}

/// Name, file, top-1, top-5, shorter side.
const TABLE: [(&str, &str, f64, f64, usize); 19] = [
    ("vgg11", "vgg11-8a719046.pth", 69.020, 88.628, 256),
    ("vgg11_bn", "vgg11_bn-6002323d.pth", 70.370, 89.810, 256),
    ("vgg13", "vgg13-19584684.pth", 69.928, 89.246, 256),
    ("vgg13_bn", "vgg13_bn-abd245e5.pth", 71.586, 90.374, 256),
    ("vgg16", "vgg16-397923af.pth", 71.592, 90.382, 256),
    ("vgg16_bn", "vgg16_bn-6c64b313.pth", 73.360, 91.516, 256),
    ("vgg19", "vgg19-dcbb9e9d.pth", 72.376, 90.876, 256),
    ("vgg19_bn", "vgg19_bn-c79401a0.pth", 74.218, 91.842, 256),
    ("resnet18", "resnet18-f37072fd.pth", 69.758, 89.078, 256),
    ("resnet34", "resnet34-b627a593.pth", 73.314, 91.420, 256),
    ("resnet50", "resnet50-11ad3fa6.pth", 80.858, 95.434, 232),
    ("resnet101", "resnet101-cd907fc2.pth", 81.886, 95.780, 232),
    ("resnet152", "resnet152-f82ba261.pth", 82.284, 96.002, 232),
    ("googlenet", "googlenet-1378be20.pth", 69.778, 89.530, 256),
    ("inception_v3", "inception_v3_google-0cc3c7bd.pth", 77.294, 93.450, 342),
    ("densenet121", "densenet121-a639ec97.pth", 74.434, 91.972, 256),
    ("densenet161", "densenet161-8d451a50.pth", 77.138, 93.560, 256),
    ("densenet169", "densenet169-b2777c0a.pth", 75.600, 92.806, 256),
    ("densenet201", "densenet201-c1103571.pth", 76.896, 93.370, 256),
];
