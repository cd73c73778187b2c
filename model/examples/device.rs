//! One model, any device: the same network and batch on the CPU and on the GPU.
//!
//! A tensor lives on one device, and its backend is part of its type: `Tensor<B, 4>`. The network is written once, for
//! every `B`; here the weights of a [`LectureCnn`] and a batch `[8, 1, 28, 28]` are sent to each device of this build,
//! and the logits `[8, 10]` are compared with ndarray's.
//!
//! Model and batch must be in one place. Two backends cannot be mixed at all, the compiler refuses:
//!
//! ```compile_fail,E0308
//! # use burn::tensor::Tensor;
//! # use kiln_backend::Backend;
//! # use kiln_model::LectureCnn;
//! fn mixed<Cpu: Backend, Gpu: Backend>(model: &LectureCnn<Gpu>, batch: Tensor<Cpu, 4>) -> Tensor<Gpu, 2> {
//!     model.forward(batch) // expected `Tensor<Gpu, 4>`, found `Tensor<Cpu, 4>`
//! }
//! ```
//!
//! Two devices of one backend have one type, and Burn panics where their tensors meet: [`together`] looks first.

use std::fmt;
use std::process::ExitCode;

use burn::module::Module;
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::{Distribution, Tensor, TensorData};
use kiln_backend::{Backend, BackendName, DeviceChoice, Program, Target, TargetError, relative_difference};
use kiln_model::{LectureCnn, LectureCnnConfig};

mod drawing;
use drawing::{Sheet, difference, terminal};

/// Where a model or a batch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    backend: String,
    device: String,
}

impl Place {
    /// A device of the backend `B`.
    pub fn of<B: Backend>(device: &B::Device) -> Self {
        Self { backend: B::name(device), device: format!("{device:?}") }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.backend, self.device)
    }
}

/// The model is in one place, the batch in another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model is on {model}, the batch on {batch}: make the batch on the model's device")]
pub struct Apart {
    model: Place,
    batch: Place,
}

/// Checks before a forward pass that model and batch are in one place.
///
/// # Errors
/// If they are not.
pub fn together(model: &Place, batch: &Place) -> Result<(), Apart> {
    if model == batch { Ok(()) } else { Err(Apart { model: model.clone(), batch: batch.clone() }) }
}

/// Makes the network and the batch once, in a form that any backend reads.
struct Make;

/// Weights as bytes, and a batch `[8, 1, 28, 28]`.
#[derive(Clone)]
struct Made {
    weights: Vec<u8>,
    batch: TensorData,
}

impl Program for Make {
    type Output = Made;

    fn run<B: Backend>(self, device: B::Device) -> Made {
        B::seed(&device, 42);
        let model: LectureCnn<B> = LectureCnnConfig::new().init(&device);
        let batch = Tensor::<B, 4>::random([8, 1, 28, 28], Distribution::Default, &device);
        let weights = recorder().record(model.into_record(), ()).expect("memory takes any record");
        Made { weights, batch: batch.into_data() }
    }
}

/// Runs the network on one device.
struct Forward(Made);

/// What came out, and where it was computed.
struct Answer {
    logits: TensorData,
    place: Place,
    tensor: &'static str,
}

impl Program for Forward {
    type Output = Result<Answer, Apart>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        let Made { weights, batch } = self.0;
        let record = recorder().load(weights, &device).expect("the record was made by this program");
        let model: LectureCnn<B> = LectureCnnConfig::new().init(&device).load_record(record);
        let batch = Tensor::<B, 4>::from_data(batch, &device);
        let place = Place::of::<B>(&batch.device());
        for device in model.devices() {
            together(&Place::of::<B>(&device), &place)?;
        }
        let tensor = std::any::type_name::<Tensor<B, 4>>();
        Ok(Answer { logits: model.forward(batch).into_data(), place, tensor })
    }
}

/// Keeps every weight in 32 bits.
fn recorder() -> BinBytesRecorder<FullPrecisionSettings> {
    BinBytesRecorder::default()
}

/// `Tensor<NdArray, 4>` from `burn_tensor::..::Tensor<burn_ndarray::..::NdArray, 4>`.
fn without_paths(name: &str) -> String {
    let mut short = String::new();
    for part in name.split_inclusive(['<', ',', ' ']) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// The page, for every backend of this build.
///
/// # Errors
/// If the reference, ndarray, cannot be had.
pub fn page(colour: bool) -> Result<String, TargetError> {
    let mut sheet = Sheet::new(colour);
    let reference = Target::find(BackendName::NdArray, DeviceChoice::Auto)?;
    let made = reference.run(Make);
    sheet.title("One model, one batch, every device");
    sheet.say(format!("batch {}, weights of {} bytes, both made on ndarray", made.batch.shape, made.weights.len()));
    let mut answers: Vec<Answer> = Vec::new();
    let mut rows = Vec::new();
    for backend in BackendName::ALL.into_iter().filter(|name| name.is_compiled()) {
        if let Err(error) = Target::find(backend, DeviceChoice::Auto) {
            sheet.say(format!("skipped: {error}"));
        }
        for target in Target::all(backend) {
            match target.run(Forward(made.clone())) {
                Ok(answer) => {
                    let first = answers.first().unwrap_or(&answer);
                    let apart = relative_difference(&answer.logits, &first.logits);
                    let shape = answer.logits.shape.to_string();
                    rows.push(vec![backend.to_string(), target.adapter().to_string(), shape, difference(apart)]);
                    answers.push(answer);
                }
                Err(error) => sheet.say(format!("error: {error}")),
            }
        }
    }
    sheet.table(&["backend", "device", "logits", "relative difference to ndarray"], &rows);
    sheet.say("Backends add in different orders, so the last digits may differ; 1e-4 is far below what a class needs.");

    sheet.title("Model and batch must be in one place");
    sheet.say("The backend is part of a tensor's type; here are the types of the batches above:");
    for answer in &answers {
        sheet.say(format!("  {}", without_paths(answer.tensor)));
    }
    sheet.say("A model of one backend with a batch of another does not compile:");
    sheet.say("  error[E0308]: mismatched types: expected `Tensor<Gpu, 4>`, found `Tensor<Cpu, 4>`");
    sheet.say("Two devices of one backend share a type, so a program compares the places before the forward pass.");
    sheet.say("For the last and the first device above:");
    if let [first, .., last] = answers.as_slice()
        && let Err(error) = together(&last.place, &first.place)
    {
        sheet.say(format!("  error: {error}"));
    }
    Ok(sheet.finish())
}

fn main() -> ExitCode {
    match page(terminal::in_colour()) {
        Ok(page) => terminal::print(&page),
        Err(error) => terminal::fail(5, error),
    }
}
