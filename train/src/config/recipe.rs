//! Options that go well together, by name.

use std::fmt;
use std::str::FromStr;

use super::Config;

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
pub struct Recipe(&'static str);

impl Recipe {
    /// Every recipe.
    pub fn all() -> impl Iterator<Item = Self> {
        RECIPES.iter().map(|(name, _)| Self(name))
    }

    /// Its options.
    pub fn config(self) -> Config {
        let text = RECIPES.iter().find(|(name, _)| *name == self.0).map_or("", |(_, text)| text);
        Config::from_toml(text).unwrap_or_else(|error| unreachable!("{self}: {error}"))
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|recipe| recipe.0 == text).ok_or_else(|| {
            let names: Vec<_> = RECIPES.iter().map(|(name, _)| *name).collect();
            format!("unknown recipe `{text}`, choose one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_valid_and_the_lectures_is_the_default() {
        for recipe in Recipe::all() {
            recipe.config().resolved().validate().unwrap_or_else(|failure| panic!("{recipe}: {failure}"));
        }
        assert_eq!("lecture".parse::<Recipe>().unwrap().config().resolved(), Config::defaults().resolved());
        assert!("lectures".parse::<Recipe>().unwrap_err().contains("mnist-strong"));
    }
}
