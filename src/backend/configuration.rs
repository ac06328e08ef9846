//! What kitchens follow: recipes and settings, for all kitchens and for one. The kitchen checks them; here they are kept and versioned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::Id;
use crate::protocol::exchange::Configuration;

use super::store::StoredConfiguration;

/// One document, replaced whole. Recipes and settings have the form of the kitchen's own API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// Recipes by name.
    #[schema(value_type = BTreeMap<Id, Value>)]
    pub recipes: BTreeMap<Id, Value>,
    /// Settings by name.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub settings: BTreeMap<String, Value>,
}

/// What one kitchen follows: the document for all, with what is said for this kitchen alone put over it.
pub fn effective(all: StoredConfiguration, own: StoredConfiguration) -> Configuration {
    let version = all.version.max(own.version);
    let (mut recipes, mut settings) = (all.document.recipes, all.document.settings);
    recipes.extend(own.document.recipes);
    settings.extend(own.document.settings);
    Configuration { version, recipes, settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_for_one_kitchen_goes_before_what_is_said_for_all() {
        let document = |value: u64| Document {
            recipes: BTreeMap::new(),
            settings: [("lease_ms".to_owned(), Value::from(value))].into(),
        };
        let all = StoredConfiguration { version: 7, document: document(1) };
        let own = StoredConfiguration { version: 4, document: document(2) };
        let both = effective(all, own);
        assert_eq!((both.version, both.settings["lease_ms"].as_u64()), (7, Some(2)));
    }
}
