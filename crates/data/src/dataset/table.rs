//! CSV files that list pictures and their classes.

use std::path::{Path, PathBuf};

use super::listing::{Listing, PictureList, TEST, TRAIN, VALID};
use super::splits::Splits;
use crate::error::DataError;

/// Reads a table whose first line names the columns: `path` (relative to the table's folder), `label` (the class name) and,
/// optionally, `split` (`train`, `val` or `test`). Without `split`, one picture in five is used for testing.
pub(super) fn read(path: &Path) -> Result<Splits, DataError> {
    #[derive(serde::Deserialize)]
    struct Row {
        path: PathBuf,
        label: String,
        #[serde(default)]
        split: Option<String>,
    }
    let damaged = |source| DataError::Table { path: path.to_owned(), source };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| damaged(error.into()))?;
    let [mut train, mut valid, mut test] = [PictureList::default(), PictureList::default(), PictureList::default()];
    for (row, line) in reader.deserialize().zip(2..) {
        let Row { path, label, split } = row.map_err(|error: csv::Error| damaged(error.into()))?;
        if label.is_empty() || path.as_os_str().is_empty() {
            return Err(damaged(format!("line {line}: a path or label is missing").into()));
        }
        let part = match split.as_deref() {
            None | Some("") => &mut train,
            Some(name) if TRAIN.contains(&name) => &mut train,
            Some(name) if VALID.contains(&name) => &mut valid,
            Some(name) if TEST.contains(&name) => &mut test,
            Some(name) => {
                return Err(damaged(format!("line {line}: split `{name}`, expected train, val or test").into()));
            }
        };
        part.pictures.push((path, label));
    }
    let given = |part: PictureList| (!part.pictures.is_empty()).then_some(part);
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Listing { name, given: path, folder, train, valid: given(valid), test: given(test) }.splits()
}
