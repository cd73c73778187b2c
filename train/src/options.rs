//! Every option of a training run: flags on the command line, `config.toml` in the run's folder.
//!
//! An option is declared once, in [`Recipe`] if it decides the result and in [`Machine`] if not, with its range in its clap
//! attribute. Files of options are read by turning them into flags, so both ways go through the same checks.

pub mod augment;
pub mod machine;
pub mod named;
pub mod recipe;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;
use clap::{Args, FromArgMatches};
use kiln_cli::one_line;
use serde::Serialize;
use serde_json::Value;

use self::machine::Machine;
use self::recipe::Recipe;

pub use self::named::NamedRecipe;
pub use self::values::ClassWeights;

/// The options of a run.
#[derive(Args, Clone, Debug, PartialEq)]
#[group(skip)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would head the help")]
    pub recipe: Recipe,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would head the help")]
    pub machine: Machine,
}

/// What a resumed run may change of its recipe: how long it goes on, not how it trains.
const MAY_CHANGE: [&str; 2] = ["epochs", "patience"];

impl Options {
    /// Fills in the defaults that depend on other options.
    ///
    /// # Errors
    /// If options contradict each other.
    pub fn resolved(self) -> Result<Self, Error> {
        let options = Self { recipe: self.recipe.resolved(), ..self };
        match options.recipe.contradiction() {
            Some((option, expected)) => Err(Error::option(option, values::out_of_range(&expected))),
            None => options.check_paths(),
        }
    }

    /// `config.toml` holds text.
    fn check_paths(self) -> Result<Self, Error> {
        let (recipe, machine) = (&self.recipe, &self.machine);
        let paths = [
            ("output", Some(&machine.output)),
            ("data-dir", machine.data_dir.as_ref()),
            ("initial-checkpoint", recipe.initial_checkpoint.as_ref()),
        ];
        match paths.iter().find(|(_, path)| path.is_some_and(|path| path.to_str().is_none())) {
            Some((option, _)) => Err(Error::option(*option, values::out_of_range("a path in UTF-8"))),
            None => Ok(self),
        }
    }

    /// A line for each of the options `typed` that does nothing.
    pub fn warnings(&self, typed: &[String]) -> Vec<String> {
        let idle = self.recipe.without_effect(typed).into_iter();
        idle.map(|(option, reason)| format!("--{}: has no effect with {reason}", option.replace('_', "-"))).collect()
    }

    /// As TOML: the recipe, then `[augment]`, then `[machine]`. Paths are whole, so the file means the same in every folder.
    pub fn to_toml(&self) -> String {
        let mut machine = self.machine.clone();
        for path in [Some(&mut machine.output), machine.data_dir.as_mut()].into_iter().flatten() {
            *path = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        }
        let mut options = table(&self.recipe.with_whole_paths());
        options.insert("machine".to_owned(), table(&machine).into());
        options.to_string()
    }

    /// What no option at all means, before it is resolved.
    pub fn defaults() -> Self {
        parse(Vec::new()).unwrap_or_else(|error| unreachable!("every option has a default: {error}"))
    }

    /// Options from TOML such as a run's `config.toml`; those that are not there have their defaults.
    ///
    /// # Errors
    /// What is wrong with the text, in a line.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        parse(flags(text, &[])?).map_err(|error| one_line(&error).replacen("--", "", 1))
    }

    /// Reads options from a file such as a run's `config.toml`.
    ///
    /// # Errors
    /// If the file cannot be read or is not such a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |reason: String| Error::OptionsFile { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        Self::from_toml(&text).map_err(failed)
    }

    /// Whether a run that was started with these options may go on with `new` ones.
    ///
    /// # Errors
    /// The first option that decides the result and differs.
    pub fn check_resumable_with(&self, new: &Self) -> Result<(), Error> {
        match self.recipe.difference(&new.recipe.to_json()) {
            None => Ok(()),
            Some(Difference { option, own, other }) => {
                let option = format!("{} {other}", option.replace('_', "-"));
                let reason = format!("the run was started with {own}, which a resumed run cannot change");
                Err(Error::option(option, reason))
            }
        }
    }
}

/// Options as TOML turned into flags, except those that make way for an option that was `typed`.
///
/// # Errors
/// What is wrong with the text, in a line.
pub fn flags(text: &str, typed: &[String]) -> Result<Vec<String>, String> {
    let options: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    let is_typed = |option: &str| typed.iter().any(|typed| typed == option);
    let mut flags = Vec::new();
    add_flags(&options, &mut |name, values| {
        let makes_way = match name {
            "pretrained" => is_typed("initial_checkpoint"),
            "initial_checkpoint" | "no_ema" => is_typed("pretrained"),
            _ => false,
        };
        if !makes_way {
            let flag = format!("--{}", name.replace('_', "-"));
            match values {
                Values::Set => flags.push(flag),
                Values::One(value) => flags.push(format!("{flag}={value}")),
                Values::Several(values) => flags.extend(std::iter::once(flag).chain(values)),
            }
        }
    })?;
    Ok(flags)
}

/// What stands behind a flag.
enum Values {
    Set,
    One(String),
    Several(Vec<String>),
}

/// Goes through options, those in sections too.
fn add_flags(options: &toml::Table, add: &mut dyn FnMut(&str, Values)) -> Result<(), String> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (name, value) in options {
        match value {
            toml::Value::Table(section) => add_flags(section, add)?,
            toml::Value::Boolean(true) => add(name, Values::Set),
            toml::Value::Boolean(false) => {}
            toml::Value::Array(values) => add(name, Values::Several(values.iter().map(text).collect())),
            toml::Value::Datetime(_) => return Err(format!("{name}: no option is a date")),
            value => add(name, Values::One(text(value))),
        }
    }
    Ok(())
}

fn parse(flags: Vec<String>) -> Result<Options, clap::Error> {
    let command = Options::augment_args(clap::Command::new("train").no_binary_name(true).args_override_self(true));
    Options::from_arg_matches(&command.try_get_matches_from(flags)?)
}

/// An option in which two recipes differ.
pub struct Difference {
    /// Its name, as files of options have it.
    pub option: String,
    /// Its value in the first recipe.
    pub own: String,
    /// Its value in the other one.
    pub other: String,
}

impl Recipe {
    /// The first option that decides the result and in which this recipe differs from `other`; how long a run goes on does not.
    pub fn difference(&self, other: &BTreeMap<String, Value>) -> Option<Difference> {
        let flat = |options: &BTreeMap<String, Value>| -> BTreeMap<String, Value> {
            let sections = options.values().filter_map(Value::as_object).flatten();
            let plain = options.iter().filter(|(_, value)| !value.is_object());
            plain.chain(sections).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let (own, other) = (flat(&self.to_json()), flat(other));
        let names = own.keys().chain(other.keys().filter(|name| !own.contains_key(*name)));
        let option = names
            .filter(|name| !MAY_CHANGE.contains(&name.as_str()))
            .find(|name| own.get(*name) != other.get(*name))?;
        let text = |value: Option<&Value>| value.map_or("unset".to_owned(), Value::to_string);
        Some(Difference { option: option.clone(), own: text(own.get(option)), other: text(other.get(option)) })
    }
}

fn table(options: &impl Serialize) -> toml::Table {
    toml::Table::try_from(options).unwrap_or_else(|error| unreachable!("options are always TOML: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::optimizer::OptimizerName;
    use crate::optim::schedule::ScheduleName;

    fn parse(flags: &[&str]) -> Options {
        super::parse(flags.iter().map(|&flag| flag.to_owned()).collect()).unwrap().resolved().unwrap()
    }

    #[test]
    fn no_option_is_the_lectures_recipe() {
        let recipe = parse(&[]).recipe;
        assert_eq!((recipe.epochs, recipe.batch_size, recipe.lr, recipe.momentum), (10, 64, Some(0.01), 0.5));
        assert_eq!((recipe.opt, recipe.sched, recipe.seed), (OptimizerName::Sgd, ScheduleName::Constant, 42));
    }

    #[test]
    fn options_read_back_as_they_were_written() {
        let cases = [
            "",
            "--opt adamw --sched onecycle --valid-split 0.1 --patience 3",
            "--class-weights 1,2.5 --aa rand-m5-n1 --scale 0.08 1 --mean 0.5 --freeze backbone -j 0 --device 1 --threads 2",
            "--pretrained --model-ema --offline --skip-unreadable --img-size 64 --resize-mode pad --clip-grad 1",
        ];
        for flags in cases {
            let flags: Vec<_> = flags.split_whitespace().collect();
            let mut options = parse(&flags);
            options.machine.output = std::path::absolute(&options.machine.output).unwrap();
            assert_eq!(Options::from_toml(&options.to_toml()).unwrap(), options, "{flags:?}");
        }
    }

    #[test]
    fn values_out_of_range_name_their_option() {
        let cases = [
            "--valid-split 1.5",
            "--valid-split -1",
            "--epochs 0",
            "--batch-size 0",
            "--lr 0",
            "--lr nan",
            "--momentum 1",
            "--label-smoothing 1",
            "--clip-grad 0",
            "--patience 0",
            "--checkpoint-hist 0",
            "--log-interval 0",
            "--decay-rate 0",
            "--decay-epochs 0",
            "--epochs 18446744073709551615",
            "--limit-train 0",
            "--threads 0",
            "--weight-decay inf",
            "--in-chans 2",
            "--hflip 1.5",
            "--mean 2",
        ];
        for case in cases {
            let (option, value) = case.split_once(' ').unwrap();
            let error = super::parse(vec![format!("{option}={value}")]).unwrap_err();
            assert!(one_line(&error).starts_with(&format!("{option}: out of range, expected")), "{case}: {error}");
            let name = option[2..].replace('-', "_");
            // In a file it is told in the same way.
            let error = Options::from_toml(&format!("{name} = {value}")).unwrap_err();
            assert!(error.starts_with(&option[2..]) || error.starts_with("line 1"), "{case}: {error}");
        }
        assert!(Options::from_toml("colour = 1").unwrap_err().contains("colour: no such option"));
        for pair in ["--scale 0.9 0.1", "--sched cosine --min-lr 0.5"] {
            let flags = pair.split(' ').map(str::to_owned).collect();
            let failure = super::parse(flags).unwrap().resolved().unwrap_err();
            assert!(failure.to_string().contains(": out of range, expected"), "{failure}");
        }
    }

    #[test]
    fn the_largest_numbers_go_through_a_file_and_larger_ones_are_refused() {
        for option in ["seed", "patience", "limit-train", "limit-test", "checkpoint-hist", "log-interval"] {
            let largest = parse(&[&format!("--{option}"), &i64::MAX.to_string()]);
            let read = Options::from_toml(&largest.to_toml()).unwrap();
            assert_eq!(read.to_toml(), largest.to_toml(), "{option}");
            let beyond = vec![format!("--{option}"), u64::MAX.to_string()];
            assert!(super::parse(beyond).is_err(), "{option}");
        }
    }

    #[test]
    fn options_that_do_nothing_are_told() {
        let typed = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let adam = parse(&["--opt", "adam", "--momentum", "0.9", "--min-lr", "0.001"]);
        let warnings = adam.warnings(&typed(&["opt", "momentum", "min_lr"]));
        assert_eq!(
            warnings,
            ["--momentum: has no effect with --opt adam", "--min-lr: has no effect with --sched constant"]
        );
        // Not typed, but from a file that has every option.
        assert!(adam.warnings(&[]).is_empty());
    }

    #[test]
    fn a_resumed_run_may_change_only_what_leaves_its_result_alone() {
        let own = parse(&["--lr", "0.02"]);
        let longer = parse(&["--lr", "0.02", "--epochs", "12", "--patience", "3", "-j", "2", "--offline"]);
        assert!(own.check_resumable_with(&longer).is_ok());
        let failure = own.check_resumable_with(&parse(&["--lr", "0.03"])).unwrap_err();
        assert_eq!(failure.to_string(), "lr 0.03: the run was started with 0.02, which a resumed run cannot change");
        let failure = own.check_resumable_with(&parse(&["--lr", "0.02", "--hflip", "0.5"])).unwrap_err();
        assert!(failure.to_string().starts_with("hflip 0.5: "), "{failure}");
    }

    #[test]
    fn what_was_typed_goes_before_the_file() {
        let typed = ["initial_checkpoint".to_owned()];
        assert_eq!(flags("pretrained = true\nlr = 0.5", &typed).unwrap(), ["--lr=0.5"]);
        assert_eq!(flags("pretrained = true\nlr = 0.5", &[]).unwrap(), ["--lr=0.5", "--pretrained"]);
    }

    #[test]
    fn one_cycle_has_pytorchs_defaults() {
        let schedule = parse(&["--sched", "onecycle", "--lr", "0.1", "--epochs", "10"]).recipe.schedule(10);
        assert_eq!((schedule.warmup, schedule.total), (30., 100));
        assert!((schedule.at(0) - 0.004).abs() < 1e-12 && (schedule.at(99) - 4e-7).abs() < 1e-12);
    }

    #[test]
    fn a_validation_split_is_a_number_or_a_fraction() {
        let count = |split: &str| parse(&["--valid-split", split]).recipe.validation_count(60_000);
        assert_eq!([count("0"), count("0.1"), count("5000")], [0, 6000, 5000]);
    }

    #[test]
    fn every_recipe_is_valid_and_the_lectures_is_the_default() {
        for recipe in NamedRecipe::all() {
            let options = Options::from_toml(recipe.text()).unwrap_or_else(|error| panic!("{recipe}: {error}"));
            options.resolved().unwrap_or_else(|failure| panic!("{recipe}: {failure}"));
        }
        let lecture: NamedRecipe = "lecture".parse().unwrap();
        let resolved = |options: Options| options.resolved().unwrap();
        assert_eq!(resolved(Options::from_toml(lecture.text()).unwrap()), resolved(Options::defaults()));
        assert!("lectures".parse::<NamedRecipe>().unwrap_err().contains("mnist-strong"));
    }
}
