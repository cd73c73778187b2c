//! Storages: the raw numbers that tensors are views of.

use std::collections::HashMap;

use crate::element::Element;
use crate::error::{PthError, StorageError, excerpt};

/// A storage as the pickle describes it, in the persistent id that refers to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StorageReference<'a> {
    /// The element type of the storage's class.
    pub element: Element,
    /// The key of the storage in the file.
    pub key: &'a str,
    /// The number of elements.
    pub count: u64,
    /// The first element and the number of elements, if only part of the storage is meant. Only legacy files from
    /// torch's first years have such views.
    pub view: Option<(u64, u64)>,
}

impl StorageReference<'_> {
    /// Names this storage in an error.
    pub fn fails(&self, error: StorageError) -> PthError {
        PthError::Storage { key: excerpt(self.key), error }
    }

    /// The size of the whole storage in bytes.
    pub fn byte_count(&self) -> u64 {
        self.count.saturating_mul(self.element.size().into())
    }
}

/// The storages of a file by key.
#[derive(Debug, Default)]
pub(crate) struct Storages<'a> {
    by_key: HashMap<&'a str, &'a [u8]>,
}

impl<'a> Storages<'a> {
    /// Adds a storage; returns false if there already was one with this key.
    pub fn insert(&mut self, key: &'a str, bytes: &'a [u8]) -> bool {
        self.by_key.insert(key, bytes).is_none()
    }

    /// The bytes that a reference stands for.
    pub fn resolve(&self, reference: &StorageReference) -> Result<&'a [u8], PthError> {
        let whole = *self.by_key.get(reference.key).ok_or_else(|| reference.fails(StorageError::Missing))?;
        let (declared, present) = (reference.byte_count(), whole.len() as u64);
        // Torch writes exactly what it declares, so a difference either way means that the file is damaged.
        if declared != present {
            return Err(reference.fails(StorageError::Size { declared, present }));
        }
        let Some((offset, length)) = reference.view else { return Ok(whole) };
        part(whole, offset, length, reference.element.size())
            .ok_or_else(|| reference.fails(StorageError::View { offset, length }))
    }
}

/// The `length` elements of `whole`, each of `size` bytes, that start at element `offset`.
fn part(whole: &[u8], offset: u64, length: u64, size: u8) -> Option<&[u8]> {
    let start = offset.checked_mul(size.into())?;
    let end = length.checked_mul(size.into())?.checked_add(start)?;
    whole.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}
