//! `metrics.csv`: a row an epoch.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use kiln_cli::write_file;

use super::progress::Row;
use crate::error::Error;
use crate::event::{Epoch, Event, Observer};

const COLUMNS: [&str; 9] = [
    "epoch",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "valid_top5",
    "lr",
    "seconds",
    "images_per_second",
];

/// The fields of a row, in the order of the columns.
fn fields(row: &Row) -> [String; COLUMNS.len()] {
    [
        row.epoch.to_string(),
        row.train_loss.to_string(),
        row.train_accuracy.to_string(),
        row.valid_loss.to_string(),
        row.valid_accuracy.to_string(),
        row.valid_top5.map(|top5| top5.to_string()).unwrap_or_default(),
        row.lr.to_string(),
        format!("{:.3}", row.seconds),
        format!("{:.1}", row.images_per_second),
    ]
}

/// Records as CSV.
fn text(records: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for record in records {
        writer.write_record(record).unwrap_or_else(|error| unreachable!("memory takes everything: {error}"));
    }
    writer.into_inner().unwrap_or_else(|error| unreachable!("memory takes everything: {error}"))
}

/// The whole file with exactly the rows of `rows`: a row that `kept` has already stays as it is, since it knows the whole time
/// of its epoch.
fn rewritten(kept: &[u8], rows: &[Row]) -> Vec<u8> {
    let records = csv::ReaderBuilder::new().flexible(true).from_reader(kept).into_records();
    let kept: Vec<csv::StringRecord> = records.filter_map(Result::ok).collect();
    let record = |row: &Row| {
        let own = kept.iter().find(|kept| kept.len() == COLUMNS.len() && kept[0] == row.epoch.to_string());
        own.map_or_else(|| fields(row).to_vec(), |kept| kept.iter().map(str::to_owned).collect())
    };
    text(std::iter::once(COLUMNS.map(str::to_owned).to_vec()).chain(rows.iter().map(record)))
}

/// Whether there is a row in the file.
pub(super) fn has_rows(path: &std::path::Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().nth(1).is_some())
}

/// Writes the file.
pub struct History {
    path: PathBuf,
}

impl History {
    /// The file of a run that goes on after `rows`: rows beyond them are cut off.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: PathBuf, rows: &[Row]) -> Result<Self, Error> {
        let kept = std::fs::read(&path).unwrap_or_default();
        write_file(&path, &rewritten(&kept, rows))?;
        Ok(Self { path })
    }
}

impl Observer for History {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let Event::Epoch(Epoch { row, .. }) = event else { return Ok(()) };
        let appended = OpenOptions::new().append(true).open(&self.path).and_then(|mut file| {
            file.write_all(&text([fields(row).to_vec()]))?;
            file.sync_data()
        });
        appended.map_err(|error| Error::write(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, valid_accuracy: f64, valid_loss: f64) -> Row {
        Row {
            epoch,
            train_loss: 0.5,
            train_accuracy: 0.9,
            valid_loss,
            valid_accuracy,
            valid_top5: Some(1.),
            lr: 0.01,
            seconds: 2.5,
            images_per_second: 1000.,
        }
    }

    #[test]
    fn the_csv_keeps_whole_lines_and_loses_those_beyond_the_checkpoint() {
        let rows = [row(1, 0.9, 0.3), row(2, 0.8, 0.1)];
        let head = COLUMNS.join(",");
        let kept = format!("{head}\n1,0.5,0.9,0.3,0.9,1,0.01,99.000,1000.0\n2,0.5,0.\n3,1,1,1,1,1,1,1,1\n");
        let text = String::from_utf8(rewritten(kept.as_bytes(), &rows)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], head);
        assert_eq!(lines[1], "1,0.5,0.9,0.3,0.9,1,0.01,99.000,1000.0", "the old line stays");
        assert_eq!(lines[2], "2,0.5,0.9,0.1,0.8,1,0.01,2.500,1000.0", "a torn line is made again");
        assert_eq!(lines.len(), 3, "an epoch that was not saved is gone");
    }
}
