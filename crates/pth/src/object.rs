//! The Python objects that a pickle builds, kept in one arena.
//!
//! Objects refer to each other by index. Shared and even cyclic references are therefore free, and everything is
//! dropped as a single vector: a hostile file cannot make the drop recurse.

use std::rc::Rc;

use crate::element::Element;
use crate::error::{PickleError, excerpt};
use crate::storage::StorageReference;

/// The most steps a pickle may take, counting its opcodes and the items that an opcode copies. This bounds the number
/// of objects, and so the memory. A state dict takes about forty steps for each tensor.
const MAX_STEPS: usize = 1 << 22;

/// The most items a list, tuple or dict may have.
const MAX_ITEMS: usize = 1 << 20;

/// The index of an object in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(u32);

/// A Python object, without what no state dict needs, such as the value of a float.
#[derive(Debug)]
pub(crate) enum Object<'a> {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer of more than 64 bits, as it is written in the pickle.
    Long(&'a [u8]),
    /// A floating-point number.
    Float,
    /// A byte string.
    Bytes,
    /// A string, or a byte string of Python 2 that is valid UTF-8.
    Text(&'a str),
    /// A list.
    List(Vec<Id>),
    /// A tuple or a `torch.Size`.
    Tuple(Vec<Id>),
    /// A set or a frozen set.
    Set,
    /// A `dict` or an `OrderedDict`. Keys that occur repeatedly in the pickle are all kept.
    Dict(Vec<(Id, Id)>),
    /// A class or function that is understood.
    Known(Known),
    /// Any other class or function, and whatever Python would build with it.
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
    /// `torch._utils._rebuild_tensor`, and `_rebuild_tensor_v2`, which takes more arguments.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, which takes the element type as an argument.
    RebuildTypedTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// A storage class.
    Storage(Element),
    /// An element type.
    Dtype(Element),
}

/// The name of a class or function.
#[derive(Debug)]
pub(crate) struct Global<'a> {
    /// The module that defines it.
    pub module: &'a str,
    /// Its name in the module.
    pub name: &'a str,
}

/// The arguments a tensor is built from. They are checked only if the tensor is wanted.
#[derive(Debug)]
pub(crate) struct Rebuild {
    /// The storage.
    pub storage: Id,
    /// The element type.
    pub element: Element,
    /// The index of the first element in the storage.
    pub offset: Id,
    /// The shape.
    pub size: Id,
    /// The strides in elements.
    pub strides: Id,
    /// Flags such as the one of a conjugate view.
    pub metadata: Option<Id>,
}

/// All the objects of one pickle.
#[derive(Debug, Default)]
pub(crate) struct Arena<'a> {
    objects: Vec<Object<'a>>,
    steps: usize,
}

impl<'a> Arena<'a> {
    /// Counts `steps` steps of work.
    pub fn charge(&mut self, steps: usize) -> Result<(), PickleError> {
        self.steps = self.steps.saturating_add(steps);
        within(self.steps, MAX_STEPS, "steps")
    }

    /// Adds an object. An opcode adds only a few, so the limit on steps also limits the number of objects.
    pub fn add(&mut self, object: Object<'a>) -> Result<Id, PickleError> {
        if let Object::List(items) | Object::Tuple(items) = &object {
            within(items.len(), MAX_ITEMS, "items in a container")?;
        }
        let id = u32::try_from(self.objects.len());
        let id = id.map_err(|_| PickleError::Limit { what: "values", limit: u32::MAX as usize })?;
        self.objects.push(object);
        Ok(Id(id))
    }

    /// The object with this index.
    pub fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id.0 as usize]
    }

    /// The object with this index, to be changed.
    pub fn get_mut(&mut self, id: Id) -> &mut Object<'a> {
        &mut self.objects[id.0 as usize]
    }

    /// All objects, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Object<'a>> {
        self.objects.iter()
    }

    /// The items of a list or a tuple.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::List(items) | Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that is a size or an offset, and so cannot be negative.
    pub fn size<T: TryFrom<i64>>(&self, id: Id) -> Option<T> {
        match self.get(id) {
            Object::Int(number) if *number >= 0 => T::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Appends items to a list. Those of a set or of an opaque object are discarded.
    pub fn append(&mut self, list: Id, new: &[Id]) -> Result<(), PickleError> {
        match self.get_mut(list) {
            Object::List(items) => {
                items.extend(new);
                within(items.len(), MAX_ITEMS, "items in a container")
            }
            Object::Set | Object::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("items are appended to something that is not a list")),
        }
    }

    /// Adds the keys and values that alternate in `new` to a dict.
    pub fn set_items(&mut self, dict: Id, new: &[Id]) -> Result<(), PickleError> {
        let (pairs, rest) = new.as_chunks();
        if !rest.is_empty() {
            return Err(PickleError::Malformed("a key without a value is added to a dict"));
        }
        match self.get_mut(dict) {
            Object::Dict(items) => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
                within(items.len(), MAX_ITEMS, "items in a container")
            }
            Object::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("items are set in something that is not a dict")),
        }
    }
}

/// Fails if `count` exceeds `limit`.
pub(crate) fn within(count: usize, limit: usize, what: &'static str) -> Result<(), PickleError> {
    if count <= limit { Ok(()) } else { Err(PickleError::Limit { what, limit }) }
}

impl Object<'_> {
    /// The kind of this object, for an error message.
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

    /// The kind of this object, with the name of its class if it is opaque.
    pub fn describe(&self) -> String {
        match self {
            Self::Opaque(global) => format!("an object of {}", global.describe()),
            _ => self.kind().to_owned(),
        }
    }
}

impl Global<'_> {
    /// The full name, shortened and on one line.
    pub fn describe(&self) -> String {
        excerpt(&format!("{}.{}", self.module, self.name)).escape_debug().to_string()
    }
}
