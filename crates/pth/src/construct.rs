//! What the classes and functions named in a pickle build. None of them is run: the few that are understood build an
//! [`Object`] of their own kind, and all others an opaque one that remembers their name.

use std::rc::Rc;

use crate::element::Element;
use crate::error::PickleError;
use crate::object::{Arena, Global, Id, Known, Object, Rebuild};
use crate::storage::StorageReference;

impl<'a> Object<'a> {
    /// The class or function of this name.
    pub fn of_global(module: &'a str, name: &'a str) -> Self {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Known::OrderedDict),
            ("torch", "Size") => Some(Known::Size),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Known::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Known::RebuildTypedTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Known::RebuildParameter),
            _ => Element::of_storage(module, name)
                .map(Known::Storage)
                .or_else(|| Element::of_dtype(name).filter(|_| module == "torch").map(Known::Dtype)),
        };
        known.map_or_else(|| Self::Opaque(Rc::new(Global { module, name })), Self::Known)
    }
}

impl<'a> Arena<'a> {
    /// The result of calling a class or function.
    pub fn call(&mut self, callable: Id, arguments: Id) -> Result<Id, PickleError> {
        let known = match self.get(callable) {
            Object::Known(known) => *known,
            // Opaque objects never change, so the class can stand for its instances.
            Object::Opaque(_) => return Ok(callable),
            _ => return Err(PickleError::Malformed("something is called that is not a class or function")),
        };
        let Object::Tuple(arguments) = self.get(arguments) else {
            return Err(PickleError::Malformed("the arguments of a call are not a tuple"));
        };
        match (known, arguments.as_slice()) {
            (Known::OrderedDict, []) => self.add(Object::Dict(Vec::new())),
            (Known::OrderedDict, &[items]) => self.ordered_dict(items),
            (Known::Size, &[sizes]) if self.items(sizes).is_some() => Ok(sizes),
            // After the strides come `requires_grad`, the hooks and, in some files, metadata.
            (Known::RebuildTensor, &[storage, offset, size, strides, ref rest @ ..]) => {
                let metadata = rest.get(2).copied();
                self.tensor([storage, offset, size, strides], None, metadata)
            }
            (Known::RebuildTypedTensor, &[storage, offset, size, strides, _, _, dtype, ref rest @ ..]) => {
                let metadata = rest.first().copied();
                self.tensor([storage, offset, size, strides], Some(dtype), metadata)
            }
            (Known::RebuildParameter, &[data, ..]) => match self.get(data) {
                Object::Tensor(_) | Object::Opaque(_) => Ok(data),
                _ => Err(PickleError::Malformed("a parameter is built from something that is not a tensor")),
            },
            (Known::Storage(_) | Known::Dtype(_), _) => Err(PickleError::Malformed("a type is called")),
            _ => Err(PickleError::Malformed("a call has the wrong arguments")),
        }
    }

    /// A tensor, or the opaque object it depends on. Without `dtype` it has the element type of its storage.
    fn tensor(
        &mut self,
        [storage, offset, size, strides]: [Id; 4],
        dtype: Option<Id>,
        metadata: Option<Id>,
    ) -> Result<Id, PickleError> {
        let of_storage = match self.get(storage) {
            Object::Storage(reference) => reference.element,
            Object::Opaque(_) => return Ok(storage),
            _ => return Err(PickleError::Malformed("a tensor is built from something that is not a storage")),
        };
        let element = match dtype.map(|dtype| (dtype, self.get(dtype))) {
            None => of_storage,
            Some((_, Object::Known(Known::Dtype(element)))) => *element,
            Some((dtype, Object::Opaque(_))) => return Ok(dtype),
            Some(_) => return Err(PickleError::Malformed("the element type of a tensor is not a type")),
        };
        self.add(Object::Tensor(Box::new(Rebuild { storage, element, offset, size, strides, metadata })))
    }

    /// An `OrderedDict` built from a list of pairs, which is how Python 2 wrote every one of them.
    fn ordered_dict(&mut self, items: Id) -> Result<Id, PickleError> {
        const PROBLEM: PickleError = PickleError::Malformed("an OrderedDict is built from items that are not pairs");
        let list = self.items(items).ok_or(PROBLEM)?;
        let pairs: Option<Vec<_>> = list
            .iter()
            .map(|&pair| match self.items(pair) {
                Some(&[key, value]) => Some((key, value)),
                _ => None,
            })
            .collect();
        let pairs = pairs.ok_or(PROBLEM)?;
        // A few bytes of the pickle are enough to copy the same list once more.
        self.charge(pairs.len())?;
        self.add(Object::Dict(pairs))
    }

    /// The storage, or the class, that a persistent id refers to.
    pub fn persistent(&mut self, id: Id) -> Result<Id, PickleError> {
        const PROBLEM: PickleError = PickleError::Malformed("a persistent id is not of the form that torch writes");
        let Object::Tuple(items) = self.get(id) else { return Err(PROBLEM) };
        let &[tag, class, ref rest @ ..] = items.as_slice() else { return Err(PROBLEM) };
        let element = match (self.text(tag), self.get(class)) {
            // A module's class with its source code, as in whole models saved in the legacy format.
            (Some("module" | "storage"), Object::Opaque(_)) => return Ok(class),
            (Some("storage"), Object::Known(Known::Storage(element))) => *element,
            _ => return Err(PROBLEM),
        };
        let (key, count, view) = match *rest {
            [key, _location, count] => (key, count, None),
            [key, _location, count, view] => (key, count, Some(view)),
            _ => return Err(PROBLEM),
        };
        let (Some(key), Some(count)) = (self.text(key), self.size(count)) else { return Err(PROBLEM) };
        let view = match view.map(|view| self.get(view)) {
            None | Some(Object::None) => None,
            Some(Object::Tuple(view)) => match *view.as_slice() {
                [_key, offset, length] => Some(self.size(offset).zip(self.size(length)).ok_or(PROBLEM)?),
                _ => return Err(PROBLEM),
            },
            Some(_) => return Err(PROBLEM),
        };
        self.add(Object::Storage(Box::new(StorageReference { element, key, count, view })))
    }

    /// Sets the attributes of an object. None of them matters, not even `_metadata` of a state dict.
    pub fn set_state(&mut self, object: Id) -> Result<(), PickleError> {
        match self.get(object) {
            Object::Dict(_) | Object::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("attributes are set on something that has none")),
        }
    }
}
