//! A network's weights by PyTorch's names and in PyTorch's layouts.
//!
//! Burn keeps a linear weight as `[in, out]`, PyTorch as `[out, in]`; everything else has one layout in both.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

/// A tensor in PyTorch's layout.
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

/// A parameter of a network: its identity in Burn, its name and shape in PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The identity, by which optimizers and gradients know it.
    pub id: ParamId,
    /// PyTorch's name, such as `conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Whether Burn has the transpose.
    transposed: bool,
}

impl Parameter {
    /// A tensor that lies as the parameter does (its value, its gradient, an optimizer's state of it), in PyTorch's layout and
    /// under `name`.
    ///
    /// # Panics
    /// If it has another number of elements.
    pub fn to_torch(&self, name: String, data: TensorData) -> NamedTensor {
        let data = data.convert_dtype(DType::F32);
        let mut values = data.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"));
        assert_eq!(values.len(), self.shape.iter().product::<usize>(), "{name}");
        if self.transposed {
            values = transpose(&values, self.shape[1], self.shape[0]);
        }
        NamedTensor { name, shape: self.shape.clone(), values }
    }

    /// The inverse: a tensor of PyTorch's layout as Burn has it.
    ///
    /// # Panics
    /// If it has another number of elements.
    pub fn to_burn(&self, tensor: NamedTensor) -> TensorData {
        let mut shape = self.shape.clone();
        let mut values = tensor.values;
        if self.transposed {
            values = transpose(&values, shape[0], shape[1]);
            shape.reverse();
        }
        TensorData::new(values, shape)
    }
}

/// The transpose of a row-major matrix, block by block: a large one is then read and written in whole cache lines.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const SIDE: usize = 16;
    let mut transposed = vec![0.; values.len()];
    for top in (0..rows).step_by(SIDE) {
        for left in (0..columns).step_by(SIDE) {
            for row in top..(top + SIDE).min(rows) {
                for column in left..(left + SIDE).min(columns) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}

/// Where the walk over a module is: names and the types that contain them.
#[derive(Default)]
struct Path(Vec<(String, String)>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    /// PyTorch's name of the parameter here. The variants of enums are no part of it, and the layers of a
    /// [`crate::DenseBlock`] are counted from 1 in one word with their name.
    fn name(&self) -> String {
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

    /// The parameter here, of this shape in Burn.
    fn parameter(&self, id: ParamId, mut shape: Vec<usize>) -> Parameter {
        let transposed =
            self.0.last().is_some_and(|(name, container)| name == "weight" && container == "Struct:Linear");
        if transposed {
            shape.reverse();
        }
        Parameter { id, name: self.name(), shape, transposed }
    }
}

/// The parameters of a network, in its order, running statistics included. Weights that are not made yet stay so.
pub fn parameters<B: Backend, M: Module<B>>(module: &M) -> Vec<Parameter> {
    #[derive(Default)]
    struct Collector {
        path: Path,
        parameters: Vec<Parameter>,
    }
    impl<B: Backend> ModuleVisitor<B> for Collector {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.parameters.push(self.path.parameter(param.id, param.lazy_shape().to_vec()));
        }
    }
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.parameters
}

/// A network's tensors by PyTorch's names, in Burn's layouts: the same memory, not copies.
pub(crate) fn tensors<B: Backend, M: Module<B>>(module: &M) -> HashMap<String, FloatTensor<B>> {
    struct Collector<B: Backend> {
        path: Path,
        tensors: HashMap<String, FloatTensor<B>>,
    }
    impl<B: Backend> ModuleVisitor<B> for Collector<B> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.tensors.insert(self.path.name(), param.val().into_primitive().tensor());
        }
    }
    let mut collector = Collector { path: Path::default(), tensors: HashMap::new() };
    module.visit(&mut collector);
    collector.tensors
}

/// Names and shapes of a network's weights, in its order.
pub fn shapes<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, Vec<usize>)> {
    parameters(module).into_iter().map(|parameter| (parameter.name, parameter.shape)).collect()
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
fn is_running(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// A network's weights as in PyTorch's `state_dict`, in the network's order.
pub fn state_dict<B: Backend, M: Module<B>>(module: &M) -> Vec<NamedTensor> {
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
            let data = param.val().into_data();
            let parameter = self.path.parameter(param.id, data.shape.to_vec());
            self.tensors.push(parameter.to_torch(parameter.name.clone(), data));
        }
    }
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.tensors
}

/// The network with these weights in place of its own, which are not even made if they were not yet. Identities stay.
///
/// # Errors
/// If a tensor is missing, has the wrong shape, or has no place in the network.
pub fn load_state_dict<B: Backend, M: Module<B>>(module: M, tensors: Vec<NamedTensor>) -> Result<M, ParameterError> {
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
            let parameter = self.path.parameter(param.id, param.lazy_shape().to_vec());
            let tensor = self.tensors.remove(&parameter.name);
            let tensor = tensor.unwrap_or_else(|| unreachable!("that they fit was seen before"));
            let tensor = Tensor::from_data(parameter.to_burn(tensor), &param.lazy_device());
            param.transform_for_load(tensor, parameter.id)
        }
    }
    check_fit(shapes(&module), &tensors)?;
    let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    Ok(module.map(&mut Writer { path: Path::default(), tensors }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_of_any_size_is_the_transpose() {
        for (rows, columns) in [(1, 1), (3, 40), (33, 17), (16, 32)] {
            let values: Vec<f32> = (0..rows * columns).map(|value| value as f32).collect();
            let transposed = transpose(&values, rows, columns);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                assert_eq!(transposed[column * rows + row], values[row * columns + column], "{rows} x {columns}");
            }
            assert_eq!(transpose(&transposed, columns, rows), values);
        }
    }
}
