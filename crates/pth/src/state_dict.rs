//! The state dict: where it is in a file, which of its entries are wanted, and the values of those.

use std::collections::HashSet;

use crate::element::Element;
use crate::error::{PthError, TensorError, excerpt};
use crate::object::{Arena, Id, Object, Rebuild};
use crate::pickle::Pickle;
use crate::storage::Storages;
use crate::strided::StridedView;

/// One tensor of a state dict, in row-major order whatever its strides in the file were.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// The key in the state dict, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// The sizes, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values, `f32` whatever the width of the floats in the file.
    pub values: Vec<f32>,
}

/// Which of a file's dicts to read as the state dict.
#[derive(Clone, Copy)]
pub(crate) struct Select<'a> {
    /// The keys of the top-level dict to look under, in this order.
    pub(crate) keys: &'a [&'a str],
    /// Whether the top-level dict may itself be the state dict.
    pub(crate) may_be_bare: bool,
}

/// The most entries a state dict may have.
const MAX_TENSORS: usize = 1 << 16;

/// The most dimensions a tensor may have: torch's own limit.
const MAX_DIMENSIONS: usize = 64;

/// The most values (1 GiB of them) that may be read beyond those stored in the file. There are more when tensors are
/// expanded or share a storage.
const MAX_REPEATED: usize = 1 << 28;

/// A tensor that has been found and checked but not yet copied.
struct WantedTensor<'a> {
    name: &'a str,
    shape: Vec<usize>,
    element: Element,
    view: StridedView,
    bytes: &'a [u8],
    key: &'a str,
}

/// Reads the tensors of the state dict in `pickle`; `None` if there is none where `select` allows it.
pub(crate) fn read(
    pickle: &Pickle,
    storages: &Storages,
    select: Select,
) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let arena = &pickle.arena;
    let Some(entries) = select.entries(arena, pickle.root)? else { return Ok(None) };
    if entries.len() > MAX_TENSORS {
        return Err(PthError::TooManyTensors { count: entries.len(), limit: MAX_TENSORS });
    }
    let mut names = HashSet::new();
    let mut found = Vec::new();
    for (index, &(key, value)) in entries.iter().enumerate() {
        let name = arena.text(key).ok_or_else(|| PthError::Key { index, found: arena.get(key).describe() })?;
        if !names.insert(name) {
            return Err(fails(name, TensorError::Duplicate));
        }
        match arena.get(value) {
            Object::Tensor(rebuild) => found.extend(find(name, arena, rebuild, storages)?),
            Object::Opaque(global) => {
                return Err(fails(name, TensorError::UnknownGlobal { global: global.describe() }));
            }
            Object::None | Object::Bool(_) | Object::Int(_) | Object::Long(_) => {}
            Object::Float | Object::Bytes | Object::Text(_) => {}
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
    /// The entries of the state dict. A wrapped dict that contains a tensor wins over the top level, where a checkpoint
    /// may keep tensors that are not the model's, such as the best accuracy so far.
    fn entries<'v>(self, arena: &'v Arena, root: Id) -> Result<Option<&'v [(Id, Id)]>, PthError> {
        let Object::Dict(top) = arena.get(root) else {
            return Err(PthError::NotADict { found: arena.get(root).describe() });
        };
        let mut wrapped = Vec::new();
        for &wrapper in self.keys {
            let mut inside = top.iter().filter(|(key, _)| arena.text(*key) == Some(wrapper));
            let first = inside.next();
            if inside.next().is_some() {
                return Err(fails(wrapper, TensorError::Duplicate));
            }
            match first.map(|&(_, inner)| arena.get(inner)) {
                Some(Object::Dict(inner)) if !inner.is_empty() => wrapped.push(inner.as_slice()),
                _ => {}
            }
        }
        let has =
            |entries: &[(Id, Id)], wanted: fn(&Object) -> bool| entries.iter().any(|&(_, v)| wanted(arena.get(v)));
        let is_tensor: fn(&Object) -> bool = |object| matches!(object, Object::Tensor(_));
        // With no tensor anywhere, a dict that holds an opaque object gives the more helpful error.
        let is_opaque: fn(&Object) -> bool = |object| matches!(object, Object::Opaque(_));
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

/// Resolves and checks everything a tensor is built from; `None` for a tensor of integers.
fn find<'a>(
    name: &'a str,
    arena: &Arena<'a>,
    rebuild: &Rebuild,
    storages: &Storages<'a>,
) -> Result<Option<WantedTensor<'a>>, PthError> {
    match rebuild.element {
        Element::Integer(_) => return Ok(None),
        Element::Unsupported(element, _) => return Err(fails(name, TensorError::Element { element })),
        _ => {}
    }
    let is_plain = match rebuild.metadata.map(|metadata| arena.get(metadata)) {
        None | Some(Object::None) => true,
        Some(Object::Dict(flags)) => flags.is_empty(),
        Some(_) => false,
    };
    if !is_plain {
        return Err(fails(name, TensorError::Argument("negative or conjugate view")));
    }
    let argument = |what| fails(name, TensorError::Argument(what));
    let offset = arena.size(rebuild.offset).ok_or_else(|| argument("offset"))?;
    let shape = sizes(arena, rebuild.size, "shape").map_err(|error| fails(name, error))?;
    let strides = sizes(arena, rebuild.strides, "strides").map_err(|error| fails(name, error))?;
    if strides.len() != shape.len() {
        return Err(argument("number of strides"));
    }
    let Object::Storage(reference) = arena.get(rebuild.storage) else { return Err(argument("storage")) };
    let bytes = storages.resolve(reference)?;
    let available = bytes.len() / usize::from(rebuild.element.size());
    let view = StridedView::new(offset, &shape, &strides, available).map_err(|error| fails(name, error))?;
    Ok(Some(WantedTensor { name, shape, element: rebuild.element, view, bytes, key: reference.key }))
}

/// The shape or the strides of a tensor; `what` names them in the error.
fn sizes(arena: &Arena, id: Id, what: &'static str) -> Result<Vec<usize>, TensorError> {
    let items = arena.items(id).ok_or(TensorError::Argument(what))?;
    if items.len() > MAX_DIMENSIONS {
        return Err(TensorError::Dimensions { count: items.len(), limit: MAX_DIMENSIONS });
    }
    items.iter().map(|&item| arena.size(item).ok_or(TensorError::Argument(what))).collect()
}

/// Refuses a result far larger than the file. The elements of a storage count once, for the first tensor that uses it.
fn check_size(found: &[WantedTensor]) -> Result<(), PthError> {
    let mut keys = HashSet::new();
    let mut present = 0_usize;
    let mut total = 0_usize;
    for tensor in found {
        if keys.insert(tensor.key) {
            present = present.saturating_add(tensor.bytes.len() / usize::from(tensor.element.size()));
        }
        total = total.saturating_add(tensor.view.count());
        let excess = total.saturating_sub(present);
        if excess > MAX_REPEATED {
            return Err(fails(tensor.name, TensorError::TooLarge { excess, limit: MAX_REPEATED }));
        }
    }
    Ok(())
}

fn copy(found: WantedTensor) -> Result<StoredTensor, PthError> {
    let count = found.view.count();
    let mut values = Vec::new();
    // A tensor that does not fit into memory is an error, not an abort.
    values.try_reserve_exact(count).map_err(|_| fails(found.name, TensorError::Memory { count }))?;
    found.element.gather(&found.view, found.bytes, &mut values);
    Ok(StoredTensor { name: found.name.to_owned(), shape: found.shape, values })
}
