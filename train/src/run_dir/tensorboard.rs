//! TensorBoard event files: scalars that `tensorboard --logdir runs` draws.
//!
//! A file is a row of records (length, its checksum, a protocol-buffer `Event`, its checksum). Sources: TensorFlow's
//! `record_writer.cc` for the framing, `event.proto` and `summary.proto` for the messages.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use prost::Message;

use crate::event::{self, Interval, Observer};

/// TensorFlow's `Event`, as far as we write it.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: TensorBoard forgets what came at this step or later, which a resumed run writes again.
const START: i32 = 1;

/// Writes one event file.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    /// Whether the loss of iterations was written since the last epoch.
    interval_told: bool,
}

impl EventFile {
    /// Starts a new file in a run's folder; `step` is the first that will be written.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path, step: usize) -> io::Result<Self> {
        let seconds = now() as u64;
        // Several in one second: TensorBoard reads them all.
        for number in 0.. {
            let path = folder.join(format!("events.out.tfevents.{seconds}.{number}.kiln"));
            match File::create_new(&path) {
                Ok(file) => {
                    let mut events = Self { path, file, interval_told: false };
                    events.write(Event { file_version: Some("brain.Event:2".to_owned()), ..Event::at(0) })?;
                    let session_log = Some(SessionLog { status: START });
                    events.write(Event { session_log, ..Event::at(step) })?;
                    return Ok(events);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("there is always a further number")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes scalars at a step.
    ///
    /// # Errors
    /// What the system says.
    pub fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) -> io::Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value { tag: tag.to_owned(), simple_value: value as f32 };
        let summary = Some(Summary { value: scalars.iter().map(value).collect() });
        self.write(Event { summary, ..Event::at(step) })
    }

    fn write(&mut self, event: Event) -> io::Result<()> {
        let data = event.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(&data);
        record.extend(masked_crc(&data).to_le_bytes());
        self.file.write_all(&record)
    }
}

impl Observer for EventFile {
    fn observe(&mut self, event: &event::Event<'_>) -> Result<(), Error> {
        let written = match event {
            &event::Event::Interval(Interval { iteration, loss, lr, .. }) => {
                self.interval_told = true;
                self.scalars(iteration, &[("loss/iteration", loss), ("learning_rate", lr)])
            }
            event::Event::Epoch(event::Epoch { row, iteration, .. }) => {
                let mut scalars = vec![
                    ("loss/train", row.train_loss),
                    ("loss/valid", row.valid_loss),
                    ("accuracy/train", row.train_accuracy),
                    ("accuracy/valid", row.valid_accuracy),
                    ("images_per_second", row.images_per_second),
                ];
                scalars.extend(row.valid_top5.map(|top5| ("top5/valid", top5)));
                // Epochs that are shorter than the interval have a point each.
                if !std::mem::take(&mut self.interval_told) {
                    scalars.extend([("loss/iteration", row.train_loss), ("learning_rate", row.lr)]);
                }
                self.scalars(*iteration, &scalars)
            }
            _ => Ok(()),
        };
        written.map_err(|error| Error::write(&self.path, error))
    }
}

impl Event {
    fn at(step: usize) -> Self {
        Self { wall_time: now(), step: step as i64, ..Self::default() }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0., |time| time.as_secs_f64())
}

/// The checksum of the format: CRC-32C, rotated and shifted so that sums of sums stay distinct.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
