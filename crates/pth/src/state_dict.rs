//! The tensors of a state dict: which entries of which dict, and their values.

use std::collections::HashSet;

use crate::StoredTensor;
use crate::element::Element;
use crate::error::{PthError, TensorError, excerpt};
use crate::layout::Layout;
use crate::pickle::Pickle;
use crate::storage::Storages;
use crate::value::{Id, Rebuild, Value, Values};

/// Which of a file's dicts is read.
#[derive(Clone, Copy)]
pub(crate) struct Select<'a> {
    /// The keys under which it may be, in the order in which they are tried.
    pub(crate) keys: &'a [&'a str],
    /// Whether it may be the file's top-level dict itself.
    pub(crate) may_be_bare: bool,
}

/// The entries that a state dict may have.
const MAX_TENSORS: usize = 1 << 16;

/// The dimensions that a tensor may have: as many as torch allows.
const MAX_DIMENSIONS: usize = 64;

/// How many values may be repeats of values in the file (1 GiB of them): those of expanded tensors, or of a storage
/// that several tensors share.
const MAX_REPEATED: usize = 1 << 28;

/// A tensor that is found and checked, but not yet copied.
struct Found<'a> {
    name: &'a str,
    shape: Vec<usize>,
    element: Element,
    layout: Layout,
    bytes: &'a [u8],
    key: &'a str,
}

/// Reads the tensors of the state dict in `pickle`; `None` if it is not where it may be.
pub(crate) fn read(
    pickle: &Pickle,
    storages: &Storages,
    select: Select,
) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let values = &pickle.values;
    let Some(entries) = select.entries(values, pickle.root)? else { return Ok(None) };
    if entries.len() > MAX_TENSORS {
        return Err(PthError::TooManyTensors { count: entries.len(), limit: MAX_TENSORS });
    }
    let mut names = HashSet::new();
    let mut found = Vec::new();
    for (index, &(key, value)) in entries.iter().enumerate() {
        let name = values.text(key).ok_or_else(|| PthError::Key { index, found: values.get(key).describe() })?;
        if !names.insert(name) {
            return Err(fails(name, TensorError::Duplicate));
        }
        match values.get(value) {
            Value::Tensor(rebuild) => found.extend(find(name, values, rebuild, storages)?),
            Value::Opaque(global) => {
                return Err(fails(name, TensorError::UnknownGlobal { global: global.describe() }));
            }
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Long(_) => {}
            Value::Float | Value::Bytes | Value::Text(_) => {}
            other => return Err(fails(name, TensorError::NotATensor { found: other.kind() })),
        }
    }
    check_size(&found)?;
    found.into_iter().map(copy).collect::<Result<_, _>>().map(Some)
}

fn fails(name: &str, error: TensorError) -> PthError {
    PthError::Tensor { name: excerpt(name), error }
}

impl Select<'_> {
    /// The entries of the state dict: of a wrapped one if it has a tensor, since next to it there may be tensors that are
    /// none of the model's, such as the best accuracy so far.
    fn entries<'v>(self, values: &'v Values, root: Id) -> Result<Option<&'v [(Id, Id)]>, PthError> {
        let Value::Dict(top) = values.get(root) else {
            return Err(PthError::NotADict { found: values.get(root).describe() });
        };
        let mut wrapped = Vec::new();
        for &wrapper in self.keys {
            let mut inside = top.iter().filter(|(key, _)| values.text(*key) == Some(wrapper));
            let first = inside.next();
            if inside.next().is_some() {
                return Err(fails(wrapper, TensorError::Duplicate));
            }
            match first.map(|&(_, value)| values.get(value)) {
                Some(Value::Dict(inner)) if !inner.is_empty() => wrapped.push(inner.as_slice()),
                _ => {}
            }
        }
        let has =
            |entries: &[(Id, Id)], wanted: fn(&Value) -> bool| entries.iter().any(|&(_, v)| wanted(values.get(v)));
        let is_tensor: fn(&Value) -> bool = |value| matches!(value, Value::Tensor(_));
        // Without any tensor, an opaque value makes the better message.
        let is_opaque: fn(&Value) -> bool = |value| matches!(value, Value::Opaque(_));
        let candidates = || wrapped.iter().copied().chain(self.may_be_bare.then_some(top.as_slice()));
        let chosen =
            [is_tensor, is_opaque].into_iter().find_map(|wanted| candidates().find(|inner| has(inner, wanted)));
        match chosen {
            Some(entries) => Ok(Some(entries)),
            None if !self.may_be_bare => Ok(None),
            None if top.is_empty() => Ok(Some(top)),
            None => Err(PthError::NoTensors),
        }
    }
}

/// Looks up and checks all that a tensor consists of; nothing if it is one of integers.
fn find<'a>(
    name: &'a str,
    values: &Values<'a>,
    rebuild: &Rebuild,
    storages: &Storages<'a>,
) -> Result<Option<Found<'a>>, PthError> {
    match rebuild.element {
        Element::Integer(_) => return Ok(None),
        Element::Unsupported(element, _) => return Err(fails(name, TensorError::Element { element })),
        _ => {}
    }
    let is_plain = match rebuild.metadata.map(|metadata| values.get(metadata)) {
        None | Some(Value::None) => true,
        Some(Value::Dict(flags)) => flags.is_empty(),
        Some(_) => false,
    };
    if !is_plain {
        return Err(fails(name, TensorError::Argument("negative or conjugate view")));
    }
    let argument = |what| fails(name, TensorError::Argument(what));
    let offset = values.size(rebuild.offset).ok_or_else(|| argument("offset"))?;
    let shape = sizes(values, rebuild.size, "shape").map_err(|error| fails(name, error))?;
    let strides = sizes(values, rebuild.strides, "strides").map_err(|error| fails(name, error))?;
    if strides.len() != shape.len() {
        return Err(argument("number of strides"));
    }
    let Value::Storage(reference) = values.get(rebuild.storage) else { return Err(argument("storage")) };
    let bytes = storages.resolve(reference)?;
    let available = bytes.len() / usize::from(rebuild.element.size());
    let layout = Layout::new(offset, &shape, &strides, available).map_err(|error| fails(name, error))?;
    Ok(Some(Found { name, shape, element: rebuild.element, layout, bytes, key: reference.key }))
}

/// A tuple of sizes.
fn sizes(values: &Values, id: Id, what: &'static str) -> Result<Vec<usize>, TensorError> {
    let items = values.items(id).ok_or(TensorError::Argument(what))?;
    if items.len() > MAX_DIMENSIONS {
        return Err(TensorError::Dimensions { count: items.len(), limit: MAX_DIMENSIONS });
    }
    items.iter().map(|&item| values.size(item).ok_or(TensorError::Argument(what))).collect()
}

/// Refuses a result that is far larger than the file. A storage's elements count once, for the first tensor on it.
fn check_size(found: &[Found]) -> Result<(), PthError> {
    let mut keys = HashSet::new();
    let mut present = 0_usize;
    let mut total = 0_usize;
    for tensor in found {
        if keys.insert(tensor.key) {
            present = present.saturating_add(tensor.bytes.len() / usize::from(tensor.element.size()));
        }
        total = total.saturating_add(tensor.layout.count());
        let excess = total.saturating_sub(present);
        if excess > MAX_REPEATED {
            return Err(fails(tensor.name, TensorError::TooLarge { excess, limit: MAX_REPEATED }));
        }
    }
    Ok(())
}

fn copy(found: Found) -> Result<StoredTensor, PthError> {
    let count = found.layout.count();
    let mut values = Vec::new();
    // A result that does not fit into memory is an error of the file, not the end of the program.
    values.try_reserve_exact(count).map_err(|_| fails(found.name, TensorError::Memory { count }))?;
    found.element.gather(&found.layout, found.bytes, &mut values);
    Ok(StoredTensor { name: found.name.to_owned(), shape: found.shape, values })
}
