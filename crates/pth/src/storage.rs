//! The raw numbers that tensors are views of.

use std::collections::HashMap;

use crate::element::Element;
use crate::error::{PthError, StorageError, excerpt};

/// What a pickle says about a storage, in the persistent id that stands for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StorageReference<'a> {
    /// The element type of the storage's class.
    pub element: Element,
    /// The storage's key among those of the file.
    pub key: &'a str,
    /// The number of elements.
    pub count: u64,
    /// The first element and the number of elements of the part that is meant, if it is not the whole. Only legacy
    /// files from the first years of torch have such views.
    pub view: Option<(u64, u64)>,
}

impl StorageReference<'_> {
    /// An error about this storage.
    pub fn fails(&self, error: StorageError) -> PthError {
        PthError::Storage { key: excerpt(self.key), error }
    }

    /// The size of the whole storage.
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
    /// Adds a storage; false if the key is known already.
    pub fn insert(&mut self, key: &'a str, bytes: &'a [u8]) -> bool {
        self.by_key.insert(key, bytes).is_none()
    }

    /// The bytes that a reference means.
    pub fn resolve(&self, reference: &StorageReference) -> Result<&'a [u8], PthError> {
        let whole = *self.by_key.get(reference.key).ok_or_else(|| reference.fails(StorageError::Missing))?;
        let (declared, present) = (reference.byte_count(), whole.len() as u64);
        // Torch always writes exactly as much as it says, so a difference either way means a damaged file.
        if declared != present {
            return Err(reference.fails(StorageError::Size { declared, present }));
        }
        let Some((offset, length)) = reference.view else { return Ok(whole) };
        part(whole, offset, length, reference.element.size())
            .ok_or_else(|| reference.fails(StorageError::View { offset, length }))
    }
}

/// The `length` elements of `whole` from element `offset` on.
fn part(whole: &[u8], offset: u64, length: u64, size: u8) -> Option<&[u8]> {
    let start = offset.checked_mul(size.into())?;
    let end = length.checked_mul(size.into())?.checked_add(start)?;
    whole.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}
