//! Recipes by name: options that go well together.

use std::fmt;
use std::str::FromStr;

/// Name and options.
const RECIPES: [(&str, &str); 6] = [
    ("lecture", include_str!("../../../recipes/lecture.toml")),
    ("mnist-strong", include_str!("../../../recipes/mnist-strong.toml")),
    ("mnist-resnet8", include_str!("../../../recipes/mnist-resnet8.toml")),
    ("fashion-resnet8", include_str!("../../../recipes/fashion-resnet8.toml")),
    ("cifar10-resnet18", include_str!("../../../recipes/cifar10-resnet18.toml")),
    ("finetune", include_str!("../../../recipes/finetune.toml")),
];

/// A recipe that is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedRecipe(&'static str);

impl NamedRecipe {
    /// Every recipe.
    pub fn all() -> impl Iterator<Item = Self> {
        RECIPES.iter().map(|(name, _)| Self(name))
    }

    /// Its options, as TOML.
    pub fn text(self) -> &'static str {
        RECIPES.iter().find(|(name, _)| *name == self.0).map_or("", |(_, text)| text)
    }

    /// Whether it goes on from weights that were trained already.
    pub fn needs_weights(self) -> bool {
        self.0 == "finetune"
    }
}

impl fmt::Display for NamedRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for NamedRecipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|recipe| recipe.0 == text).ok_or_else(|| {
            let names: Vec<_> = RECIPES.iter().map(|(name, _)| *name).collect();
            format!("unknown recipe `{text}`, choose one of {}", names.join(", "))
        })
    }
}
