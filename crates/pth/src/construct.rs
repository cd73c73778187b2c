//! What the classes and functions in a pickle make. Nothing is run: the few that are understood make a value of this
//! crate, all others make an opaque value that remembers their name.

use std::rc::Rc;

use crate::element::Element;
use crate::error::PickleError;
use crate::storage::StorageReference;
use crate::value::{Global, Id, Known, Rebuild, Value, Values};

impl<'a> Value<'a> {
    /// A class or function by its name.
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

impl<'a> Values<'a> {
    /// What calling a class or function makes.
    pub fn call(&mut self, callable: Id, arguments: Id) -> Result<Id, PickleError> {
        let known = match self.get(callable) {
            Value::Known(known) => *known,
            // Nothing that is done to an opaque value changes it, so one serves for all.
            Value::Opaque(_) => return Ok(callable),
            _ => return Err(PickleError::Malformed("what is called is no class or function")),
        };
        let Value::Tuple(arguments) = self.get(arguments) else {
            return Err(PickleError::Malformed("the arguments of a call are no tuple"));
        };
        match (known, arguments.as_slice()) {
            (Known::OrderedDict, []) => self.add(Value::Dict(Vec::new())),
            (Known::OrderedDict, &[items]) => self.ordered_dict(items),
            (Known::Size, &[sizes]) if self.items(sizes).is_some() => Ok(sizes),
            // Behind the strides are whether a gradient is wanted, hooks, and metadata if there is any.
            (Known::RebuildTensor, &[storage, offset, size, strides, ref rest @ ..]) => {
                let metadata = rest.get(2).copied();
                self.tensor([storage, offset, size, strides], None, metadata)
            }
            (Known::RebuildTypedTensor, &[storage, offset, size, strides, _, _, dtype, ref rest @ ..]) => {
                let metadata = rest.first().copied();
                self.tensor([storage, offset, size, strides], Some(dtype), metadata)
            }
            (Known::RebuildParameter, &[data, ..]) => match self.get(data) {
                Value::Tensor(_) | Value::Opaque(_) => Ok(data),
                _ => Err(PickleError::Malformed("a parameter is made of what is no tensor")),
            },
            (Known::Storage(_) | Known::Dtype(_), _) => Err(PickleError::Malformed("a type is called")),
            _ => Err(PickleError::Malformed("a call has the wrong arguments")),
        }
    }

    /// A tensor, or the opaque value that it depends on. Without `dtype` its elements are of its storage's type.
    fn tensor(
        &mut self,
        [storage, offset, size, strides]: [Id; 4],
        dtype: Option<Id>,
        metadata: Option<Id>,
    ) -> Result<Id, PickleError> {
        let of_storage = match self.get(storage) {
            Value::Storage(reference) => reference.element,
            Value::Opaque(_) => return Ok(storage),
            _ => return Err(PickleError::Malformed("a tensor is made of what is no storage")),
        };
        let element = match dtype.map(|dtype| (dtype, self.get(dtype))) {
            None => of_storage,
            Some((_, Value::Known(Known::Dtype(element)))) => *element,
            Some((dtype, Value::Opaque(_))) => return Ok(dtype),
            Some(_) => return Err(PickleError::Malformed("a tensor's element type is no type")),
        };
        self.add(Value::Tensor(Box::new(Rebuild { storage, element, offset, size, strides, metadata })))
    }

    /// An `OrderedDict` with items. Python 2 wrote all of them so: as a list of lists of two.
    fn ordered_dict(&mut self, items: Id) -> Result<Id, PickleError> {
        const PROBLEM: PickleError = PickleError::Malformed("an OrderedDict is made of what are no pairs");
        let list = self.items(items).ok_or(PROBLEM)?;
        let pairs: Option<Vec<_>> = list
            .iter()
            .map(|&pair| match self.items(pair) {
                Some(&[key, value]) => Some((key, value)),
                _ => None,
            })
            .collect();
        let pairs = pairs.ok_or(PROBLEM)?;
        // One list can be copied again and again, each time by a few bytes of the pickle.
        self.charge(pairs.len())?;
        self.add(Value::Dict(pairs))
    }

    /// The object for which a persistent id stands.
    pub fn persistent(&mut self, id: Id) -> Result<Id, PickleError> {
        const PROBLEM: PickleError = PickleError::Malformed("a persistent id is none that torch writes");
        let Value::Tuple(items) = self.get(id) else { return Err(PROBLEM) };
        let &[tag, class, ref rest @ ..] = items.as_slice() else { return Err(PROBLEM) };
        let element = match (self.text(tag), self.get(class)) {
            // The class of a module with its source code: the legacy format of whole models.
            (Some("module" | "storage"), Value::Opaque(_)) => return Ok(class),
            (Some("storage"), Value::Known(Known::Storage(element))) => *element,
            _ => return Err(PROBLEM),
        };
        let (key, count, view) = match *rest {
            [key, _location, count] => (key, count, None),
            [key, _location, count, view] => (key, count, Some(view)),
            _ => return Err(PROBLEM),
        };
        let (Some(key), Some(count)) = (self.text(key), self.size(count)) else { return Err(PROBLEM) };
        let view = match view.map(|view| self.get(view)) {
            None | Some(Value::None) => None,
            Some(Value::Tuple(view)) => match *view.as_slice() {
                [_key, offset, length] => Some(self.size(offset).zip(self.size(length)).ok_or(PROBLEM)?),
                _ => return Err(PROBLEM),
            },
            Some(_) => return Err(PROBLEM),
        };
        self.add(Value::Storage(Box::new(StorageReference { element, key, count, view })))
    }

    /// Sets an object's attributes: none of those matters, such as `_metadata` of a state dict.
    pub fn set_state(&mut self, object: Id) -> Result<(), PickleError> {
        match self.get(object) {
            Value::Dict(_) | Value::Opaque(_) => Ok(()),
            _ => Err(PickleError::Malformed("attributes are set of what has none")),
        }
    }
}
