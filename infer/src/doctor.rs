//! What this build can run on, and whether it computes there what the CPU computes.

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use burn::tensor::{Tensor, TensorData};
use kiln_backend::{Backend, BackendName, DeviceChoice, Program, Target, TargetError, relative_difference};
use kiln_model::Architecture;

/// The largest relative difference from the CPU reference that is still healthy.
pub const TOLERANCE: f64 = 1e-3;

/// Images that are compared.
const IMAGES: usize = 8;

const CLASSES: usize = 10;

/// The logits of random images `[N, C, H, W]` through an architecture with random weights, both the same on every device.
struct LogitsOf(Architecture);

impl Program for LogitsOf {
    type Output = TensorData;

    fn run<B: Backend>(self, device: B::Device) -> TensorData {
        let Self(architecture) = self;
        let [channels, height, width] = architecture.input();
        let shape = [IMAGES, channels, height, width];
        let images = TensorData::new(noise(shape.iter().product()), shape);
        let network = architecture.seeded::<B>(&architecture.sizes(CLASSES), 42, &device);
        network.forward(Tensor::from_data(images, &device)).into_data().convert::<f32>()
    }
}

/// Numbers between -0.5 and 2.5, about what normalised images have.
fn noise(count: usize) -> Vec<f32> {
    let number = |at: usize| {
        // Knuth's multiplicative hash: no generator's release can change it.
        let hash = (at as u32).wrapping_mul(2_654_435_761) >> 8;
        hash as f32 / (1 << 24) as f32 * 3. - 0.5
    };
    (0..count).map(number).collect()
}

/// How far an architecture's logits of random images on a device are from those of the CPU: `max|a - b| / max|b|`.
///
/// # Errors
/// If the CPU backend is not there, which every build has.
///
/// # Panics
/// If the device fails.
pub fn difference(architecture: Architecture, target: &Target) -> Result<f64, TargetError> {
    let cpu = Target::find(BackendName::NdArray, DeviceChoice::Auto)?;
    Ok(relative_difference(&target.run(LogitsOf(architecture)), &cpu.run(LogitsOf(architecture))))
}

/// Examines every device of every backend and writes what was found; `false` if one computes wrongly or not at all.
///
/// # Errors
/// If the report cannot be written.
pub fn examine(out: &mut dyn Write) -> io::Result<bool> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (version, arch, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    writeln!(out, "Kiln {version} on {os} {arch}, {threads} CPU threads")?;
    writeln!(
        out,
        "largest relative difference of the logits from ndarray's on the CPU; healthy up to {TOLERANCE:.0e}"
    )?;
    let mut healthy = true;
    for backend in BackendName::ALL {
        let default = if backend == BackendName::default_of_build() { " (default)" } else { "" };
        writeln!(out, "\n--backend {backend}{default}")?;
        if !backend.is_compiled() {
            writeln!(out, "  not in this build: rebuild with `--features {backend}`")?;
            continue;
        }
        let devices = Target::all(backend);
        if devices.is_empty() {
            writeln!(out, "  no adapter found: install a GPU driver, or run on the CPU with `--backend ndarray`")?;
        }
        for (number, target) in devices.iter().enumerate() {
            writeln!(out, "  --device {number}  {}", target.adapter())?;
            healthy &= examine_device(target, out)?;
        }
    }
    out.flush()?;
    Ok(healthy)
}

fn examine_device(target: &Target, out: &mut dyn Write) -> io::Result<bool> {
    let mut healthy = true;
    let width = Architecture::LECTURE.iter().map(|architecture| architecture.name().len()).max().unwrap_or(0);
    for architecture in Architecture::LECTURE {
        let name = architecture.name();
        write!(out, "    {name:<width$}  ")?;
        match quietly(|| difference(architecture, target)) {
            Some(Ok(difference)) => {
                let good = difference <= TOLERANCE;
                let number = if difference == 0. { "0".to_owned() } else { format!("{difference:.1e}") };
                writeln!(out, "{number}{}", if good { "" } else { "  WRONG" })?;
                healthy &= good;
            }
            Some(Err(error)) => {
                writeln!(out, "FAILED: {error}")?;
                healthy = false;
            }
            None => {
                writeln!(out, "FAILED: the driver or its compiler gave up")?;
                healthy = false;
            }
        }
    }
    Ok(healthy)
}

/// Runs what may panic, as Burn does where a driver fails; `None` then. Such devices are what a doctor is for, so the
/// usual message and backtrace would only hide the report.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(work)).ok();
    panic::set_hook(usual);
    result
}
