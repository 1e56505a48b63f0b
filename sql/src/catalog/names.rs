//! Which relations there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Relation;
use crate::SqlError;

/// The relations by name. Cheap to clone; a clone does not change.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    relations: Arc<BTreeMap<String, Arc<Relation>>>,
}

impl Catalog {
    /// The relation of that name.
    ///
    /// # Errors
    /// [`SqlError::UnknownRelation`].
    pub fn get(&self, name: &str) -> Result<&Arc<Relation>, SqlError> {
        self.find(name).ok_or_else(|| {
            SqlError::UnknownRelation(format!(
                "{name} does not exist; SHOW STREAMS, SHOW TABLES and SHOW VIEWS list what does"
            ))
        })
    }

    /// The relation of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(name)
    }

    /// All relations in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// This catalogue with `relation` added or replaced.
    #[must_use]
    pub fn with(&self, relation: Relation) -> Self {
        let mut relations = self.relations.as_ref().clone();
        relations.insert(relation.name.clone(), Arc::new(relation));
        Self {
            relations: Arc::new(relations),
        }
    }

    /// This catalogue without the relation of that name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut relations = self.relations.as_ref().clone();
        relations.remove(name);
        Self {
            relations: Arc::new(relations),
        }
    }
}
