//! JSON: one object, or one a line.

use std::io::{self, Write};

use serde::Serialize;

use super::{Record, Report};
use crate::inputs::InputError;

/// The version of the object's form.
pub const SCHEMA: &str = "kiln.infer/1";

/// One object. Results are written as they come, so memory holds only the errors, which stand at the end.
pub(super) struct Json<W> {
    out: W,
    model: String,
    results: usize,
    started: bool,
    errors: Vec<InputError>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W, model: String) -> Self {
        Self { out, model, results: 0, started: false, errors: Vec::new() }
    }

    /// Opens the object, once.
    fn start(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            write!(self.out, "{{\"schema\":\"{SCHEMA}\",\"model\":")?;
            value(&mut self.out, &self.model)?;
            write!(self.out, ",\"results\":[")?;
        }
        Ok(())
    }
}

impl<W: Write> Report for Json<W> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        self.start()?;
        for record in records {
            match record {
                Ok(answer) => {
                    self.out.write_all(if self.results == 0 { b"\n" } else { b",\n" })?;
                    value(&mut self.out, &answer)?;
                    self.results += 1;
                }
                Err(error) => self.errors.push(error),
            }
        }
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.start()?;
        write!(self.out, "],\"errors\":")?;
        value(&mut self.out, &self.errors)?;
        writeln!(self.out, "}}")?;
        self.out.flush()
    }
}

/// A bare object a line: an answer, or an error.
pub(super) struct Lines<W> {
    out: W,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Report for Lines<W> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        for record in records {
            match record {
                Ok(answer) => value(&mut self.out, &answer)?,
                Err(error) => value(&mut self.out, &error)?,
            }
            writeln!(self.out)?;
        }
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn value(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}
