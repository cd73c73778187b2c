//! The values that a pickle builds, in one arena.
//!
//! Values refer to each other by index. So shared and even cyclic values cost nothing, and the whole is dropped as one
//! vector: a hostile file cannot make the drop recurse.

use std::rc::Rc;

use crate::element::Element;
use crate::error::{PickleError, excerpt};
use crate::storage::StorageReference;

/// The steps that one pickle may take: its opcodes, plus the items that an opcode copies. With the arena's values this
/// bounds the memory; a state dict takes about forty steps for each tensor.
const MAX_STEPS: usize = 1 << 22;

/// The items that one list, tuple or dict may have.
const MAX_ITEMS: usize = 1 << 20;

/// The index of a value in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(u32);

/// One value. What a state dict cannot need, such as the value of a float, is not kept.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that needs more than 64 bits, as the bytes of the pickle.
    Long(&'a [u8]),
    /// A floating-point number.
    Float,
    /// A byte string.
    Bytes,
    /// A string; also a byte string of Python 2 if it is UTF-8.
    Text(&'a str),
    /// A list.
    List(Vec<Id>),
    /// A tuple or a `torch.Size`.
    Tuple(Vec<Id>),
    /// A set or a frozen set.
    Set,
    /// A `dict` or an `OrderedDict`, with repeated keys if the pickle has them.
    Dict(Vec<(Id, Id)>),
    /// A class or function that is understood.
    Known(Known),
    /// Any other class or function, and whatever Python would make with it.
    Opaque(Rc<Global<'a>>),
    /// A storage.
    Storage(Box<StorageReference<'a>>),
    /// A tensor.
    Tensor(Box<Rebuild>),
}

/// The classes and functions that are understood.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.Size`.
    Size,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`, which has more arguments.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, whose element type is an argument.
    RebuildTypedTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// A class of storages.
    Storage(Element),
    /// An element type.
    Dtype(Element),
}

/// The name of a class or function.
#[derive(Debug)]
pub(crate) struct Global<'a> {
    /// The module.
    pub module: &'a str,
    /// The name in the module.
    pub name: &'a str,
}

/// The arguments that make a tensor. They are looked at only if the tensor is wanted.
#[derive(Debug)]
pub(crate) struct Rebuild {
    /// A storage.
    pub storage: Id,
    /// The element type.
    pub element: Element,
    /// The number of the first element in the storage.
    pub offset: Id,
    /// The shape.
    pub size: Id,
    /// The strides in elements.
    pub strides: Id,
    /// Flags such as that of a conjugate view.
    pub metadata: Option<Id>,
}

/// All values of one pickle.
#[derive(Debug, Default)]
pub(crate) struct Values<'a> {
    values: Vec<Value<'a>>,
    steps: usize,
}

impl<'a> Values<'a> {
    /// Counts `steps` steps of work.
    pub fn charge(&mut self, steps: usize) -> Result<(), PickleError> {
        self.steps = self.steps.saturating_add(steps);
        within(self.steps, MAX_STEPS, "steps")
    }

    /// Adds a value. An opcode makes only a few, so the limit on the steps is a limit on the values too.
    pub fn add(&mut self, value: Value<'a>) -> Result<Id, PickleError> {
        if let Value::List(items) | Value::Tuple(items) = &value {
            within(items.len(), MAX_ITEMS, "items in a container")?;
        }
        let id = u32::try_from(self.values.len());
        let id = id.map_err(|_| PickleError::Limit { what: "values", limit: u32::MAX as usize })?;
        self.values.push(value);
        Ok(Id(id))
    }

    /// The value with an index of this arena.
    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    /// The value with an index of this arena.
    pub fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.values[id.0 as usize]
    }

    /// All values in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Value<'a>> {
        self.values.iter()
    }

    /// The items of a list or a tuple.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that is a size or a place: it cannot be negative.
    pub fn size<T: TryFrom<i64>>(&self, id: Id) -> Option<T> {
        match self.get(id) {
            Value::Int(number) if *number >= 0 => T::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Appends to a list. The items of an object that is not understood are not kept.
    pub fn append(&mut self, list: Id, new: &[Id]) -> Result<(), PickleError> {
        match self.get_mut(list) {
            Value::List(items) => {
                items.extend(new);
                within(items.len(), MAX_ITEMS, "items in a container")
            }
            Value::Set | Value::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("items are appended to what is no list")),
        }
    }

    /// Adds keys and values, one after the other in `new`, to a dict.
    pub fn set_items(&mut self, dict: Id, new: &[Id]) -> Result<(), PickleError> {
        let (pairs, rest) = new.as_chunks();
        if !rest.is_empty() {
            return Err(PickleError::Malformed("a key without a value is added to a dict"));
        }
        match self.get_mut(dict) {
            Value::Dict(items) => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
                within(items.len(), MAX_ITEMS, "items in a container")
            }
            Value::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("items are set in what is no dict")),
        }
    }
}

/// An error if there are more than `limit` of something.
pub(crate) fn within(count: usize, limit: usize, what: &'static str) -> Result<(), PickleError> {
    if count <= limit { Ok(()) } else { Err(PickleError::Limit { what, limit }) }
}

impl Value<'_> {
    /// What kind of value this is, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Long(_) => "an integer",
            Self::Float => "a float",
            Self::Bytes => "a byte string",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Set => "a set",
            Self::Dict(_) => "a dict",
            Self::Known(_) => "a class or function",
            Self::Opaque(_) => "a Python object",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }

    /// What this is, for a message that has room for a class's name.
    pub fn describe(&self) -> String {
        match self {
            Self::Opaque(global) => format!("an object of {}", global.describe()),
            _ => self.kind().to_owned(),
        }
    }
}

impl Global<'_> {
    /// The full name on one line.
    pub fn describe(&self) -> String {
        excerpt(&format!("{}.{}", self.module, self.name)).escape_debug().to_string()
    }
}
