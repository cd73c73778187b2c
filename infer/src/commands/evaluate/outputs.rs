//! Files that an evaluation writes; none that is there already is touched.

use std::path::{Path, PathBuf};

use clap::Args;
use infer::evaluate::{
    Evaluated, EvaluationSet, Results, confusion_csv, confusion_png, page, predictions_csv, worst_sheet,
};
use kiln_cli::{Exit, Failure, write_new_file};

/// Files to write.
#[derive(Args)]
#[group(skip)]
pub struct OutputFlags {
    /// Write the confusion matrix, as a table or as a picture; may be repeated
    #[arg(long, conflicts_with = "compare", value_name = "FILE.csv|FILE.png")]
    confusion: Vec<PathBuf>,
    /// Write the worst mistakes as one picture
    #[arg(long, conflicts_with = "compare", value_name = "FILE.png")]
    worst_sheet: Option<PathBuf>,
    /// Write what was said of every image
    #[arg(long, conflicts_with = "compare", value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Write a page with everything in it
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write the weights with the temperature to a new file
    #[arg(long, requires = "calibrate", value_name = "FILE.safetensors")]
    pub save: Option<PathBuf>,
}

impl OutputFlags {
    /// Finds what can be wrong before hours are spent.
    pub fn check(&self) -> Result<(), Failure> {
        let one = |path: &Option<PathBuf>| path.clone().into_iter();
        let files = [
            ("--confusion", self.confusion.clone(), &["csv", "png"][..]),
            ("--worst-sheet", one(&self.worst_sheet).collect(), &["png"]),
            ("--predictions", one(&self.predictions).collect(), &["csv"]),
            ("--report", one(&self.report).collect(), &["html", "htm"]),
            ("--save", one(&self.save).collect(), &["safetensors"]),
        ];
        for (flag, paths, endings) in &files {
            paths.iter().try_for_each(|path| check(flag, path, endings))?;
        }
        let mut all: Vec<_> = files.iter().flat_map(|(_, paths, _)| paths).collect();
        all.sort();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let what = format!("{}: is named twice; each file holds one thing", pair[0].display());
                Err(Failure::new(Exit::Usage, what))
            }
            None => Ok(()),
        }
    }

    /// Writes the files, all but the weights.
    pub fn write(
        &self,
        results: &Results,
        set: &EvaluationSet,
        evaluated: &Evaluated,
        configuration: Vec<(String, String)>,
    ) -> Result<(), Failure> {
        let summary = &results.models[0];
        for path in &self.confusion {
            let bytes = if ending(path) == "csv" { confusion_csv(summary) } else { confusion_png(summary) };
            write_new_file(path, &bytes)?;
        }
        if let Some(path) = &self.worst_sheet {
            write_new_file(path, &worst_sheet(set, summary))?;
        }
        if let Some(path) = &self.predictions {
            write_new_file(path, &predictions_csv(set, evaluated, summary))?;
        }
        if let Some(path) = &self.report {
            write_new_file(path, page(results, set, configuration).as_bytes())?;
        }
        Ok(())
    }
}

/// What follows the last dot of a file's name, in small letters.
fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn check(flag: &str, path: &Path, endings: &[&str]) -> Result<(), Failure> {
    let failed = |exit, what: String| Err(Failure::new(exit, format!("{flag} {}: {what}", path.display())));
    if !endings.contains(&ending(path).as_str()) {
        return failed(Exit::Usage, format!("the name of this file ends in .{}", endings.join(" or .")));
    }
    if path.exists() {
        return failed(Exit::Usage, "is there already and stays as it is; name another file".to_owned());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            failed(Exit::Output, "cannot be written: there is no such folder".to_owned())
        }
        _ => Ok(()),
    }
}
