//! Reports from plain data: an HTML page that needs no other file, and PNG pictures.
//!
//! ```text
//! Report { sections of Blocks } ─► to_html ─► one page: tables, SVG charts, pictures as data
//! Matrix, Mistakes ──────────────► png ─────► a picture
//! ```
//!
//! This crate knows no files, no networks and no datasets: whoever knows them says what there is, and writes what comes back. The
//! same data gives the same bytes. Every text may be anything at all; it is escaped.

mod blocks;
mod chart;
mod data_uri;
mod escape;
mod matrix;
mod page;
pub mod png;
mod table;

pub use blocks::{
    Block, Column, Curve, Curves, Figure, Matrix, Mistake, Reliability, Report, RgbPicture, Section, Table,
};
