//! A network's weights by PyTorch's names and in PyTorch's layouts.
//!
//! Burn keeps a linear weight as `[in, out]`, PyTorch as `[out, in]`; everything else has one layout in both.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

/// One weight tensor in PyTorch's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// PyTorch's name, such as `conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub values: Vec<f32>,
}

/// Why weights do not fit a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The network needs a tensor that is not there.
    #[error("no tensor `{name}`, which the network needs as {expected:?}")]
    Missing {
        /// The tensor's name.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the network needs.
    #[error("tensor `{name}` is {found:?}, the network needs {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// The shape that is there.
        found: Vec<usize>,
        /// The shape that the network needs.
        expected: Vec<usize>,
    },
    /// A tensor that the network has no place for.
    #[error("tensor `{name}` has no place in the network")]
    Unexpected {
        /// The tensor's name.
        name: String,
    },
}

/// Where the walk over a module is: names and the types that contain them.
#[derive(Default)]
pub(crate) struct Path(Vec<(String, String)>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// PyTorch's name of the parameter here. The variants of enums are no part of it, and the layers of a
    /// [`crate::DenseBlock`] are counted from 1 in one word with their name.
    pub(crate) fn name(&self) -> String {
        let mut name = String::new();
        let mut counts = false;
        for (part, container) in self.0.iter().filter(|(_, container)| !container.starts_with("Enum")) {
            if counts {
                let number = part.parse().map_or(0, |index: usize| index + 1);
                name.push_str(&number.to_string());
            } else {
                name.push_str(if name.is_empty() { "" } else { "." });
                name.push_str(part);
            }
            counts = container == "Struct:DenseBlock";
        }
        name
    }

    /// Whether PyTorch has the transpose of what Burn has.
    fn is_transposed(&self) -> bool {
        self.0.last().is_some_and(|(name, container)| name == "weight" && container == "Struct:Linear")
    }
}

/// The transpose of a row-major matrix.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// Names and shapes of a network's weights, in the network's order. Weights that are not made yet stay so.
pub fn shapes<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, Vec<usize>)> {
    #[derive(Default)]
    struct Shapes {
        path: Path,
        shapes: Vec<(String, Vec<usize>)>,
    }
    impl<B: Backend> ModuleVisitor<B> for Shapes {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let mut shape = param.lazy_shape().to_vec();
            if self.path.is_transposed() {
                shape.reverse();
            }
            self.shapes.push((self.path.name(), shape));
        }
    }
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.shapes
}

/// Whether `tensors` are those that a network needs, `own`, each of its shape, and no others.
pub(crate) fn check_fit<'a>(
    own: impl IntoIterator<Item = (String, Vec<usize>)>,
    tensors: impl IntoIterator<Item = &'a NamedTensor>,
) -> Result<(), ParameterError> {
    let mut given: BTreeMap<_, _> = tensors.into_iter().map(|tensor| (tensor.name.as_str(), &tensor.shape)).collect();
    for (name, expected) in own {
        match given.remove(name.as_str()) {
            Some(found) if *found == expected => {}
            Some(found) => return Err(ParameterError::Shape { name, found: found.clone(), expected }),
            None => return Err(ParameterError::Missing { name, expected }),
        }
    }
    given.into_keys().next().map_or(Ok(()), |name| Err(ParameterError::Unexpected { name: name.to_owned() }))
}

/// How many numbers a network trains: all but running means and variances.
pub fn parameter_count<B: Backend, M: Module<B>>(module: &M) -> usize {
    let trained = shapes(module).into_iter().filter(|(name, _)| !is_running(name));
    trained.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// Whether a tensor of this name is a running mean or variance, which no gradient changes.
pub(crate) fn is_running(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// A network's weights, in the network's order.
pub fn parameters<B: Backend, M: Module<B>>(module: &M) -> Vec<NamedTensor> {
    #[derive(Default)]
    struct Reader {
        path: Path,
        tensors: Vec<NamedTensor>,
    }
    impl<B: Backend> ModuleVisitor<B> for Reader {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let data = param.val().into_data().convert_dtype(DType::F32);
            let mut shape = data.shape.to_vec();
            let mut values = data.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"));
            if self.path.is_transposed() {
                values = transpose(&values, shape[0], shape[1]);
                shape.reverse();
            }
            self.tensors.push(NamedTensor { name: self.path.name(), shape, values });
        }
    }
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.tensors
}

/// The network with these weights in place of its own, which are not even made if they were not yet.
///
/// # Errors
/// If a tensor is missing, has the wrong shape, or has no place in the network.
pub fn with_parameters<B: Backend, M: Module<B>>(module: M, tensors: Vec<NamedTensor>) -> Result<M, ParameterError> {
    struct Writer {
        path: Path,
        tensors: BTreeMap<String, NamedTensor>,
    }
    impl<B: Backend> ModuleMapper<B> for Writer {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let NamedTensor { shape, mut values, .. } =
                self.tensors.remove(&self.path.name()).unwrap_or_else(|| unreachable!("that they fit was seen before"));
            let inside = param.lazy_shape();
            if self.path.is_transposed() {
                values = transpose(&values, shape[0], shape[1]);
            }
            let id = param.id;
            let tensor = Tensor::from_data(TensorData::new(values, inside), &param.lazy_device());
            param.transform_for_load(tensor, id)
        }
    }
    check_fit(shapes(&module), &tensors)?;
    let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    Ok(module.map(&mut Writer { path: Path::default(), tensors }))
}
