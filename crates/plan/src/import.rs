//! What the caches hold that a build imports from elsewhere.

use std::collections::{HashMap, HashSet};

use crate::held::Past;

/// What is known of imported caches.
#[derive(Debug, Clone, Default)]
pub struct Imports {
    /// Nobody knows what one of them holds.
    pub is_unclear: bool,
    /// The results that they hold, by key.
    pub holds: HashMap<String, Past>,
    /// Keys of results that they may hold.
    pub may_hold: HashSet<String>,
}

impl Imports {
    /// Whether a result may come from there, as far as it is not known to.
    pub(crate) fn may_hold(&self, id: &str) -> bool {
        self.is_unclear || self.may_hold.contains(id)
    }
}
