//! The set that mails are written with now. It is put in place as a whole; who holds the one before finishes with it.

use std::sync::{Arc, PoisonError, RwLock};

use super::set::TemplateSet;

/// The set in use; clones speak of the same one.
#[derive(Debug, Clone)]
pub struct CurrentTemplates(Arc<RwLock<Arc<TemplateSet>>>);

impl CurrentTemplates {
    /// Begins with `set`.
    pub fn new(set: TemplateSet) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(set))))
    }

    /// The set to write the next mail with.
    pub fn get(&self) -> Arc<TemplateSet> {
        // A panic while it was held cannot have left half a set.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another set in its place.
    pub fn set(&self, set: impl Into<Arc<TemplateSet>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set.into();
    }
}
