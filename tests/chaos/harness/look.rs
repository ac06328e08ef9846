//! What can be seen of a kitchen from outside: who is in charge, and what its API answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Dinner, api};

impl Dinner {
    /// The node in charge, by its own word: of two that say so, the one with the higher epoch.
    pub fn in_charge(&self) -> Option<u64> {
        let says = |node| {
            let cluster = self.runtime.block_on(self.api.get(node, "/v1/cluster?consistency=stale")).body;
            let tenure = &cluster["tenure"];
            Some((tenure["in_charge"].as_bool()?.then_some(tenure["epoch"].as_u64()?)?, node))
        };
        let awake = self.controllers.keys().filter(|n| !self.paused.contains(n));
        awake.filter_map(|node| says(*node)).max().map(|(_, node)| node)
    }

    /// The same, waiting until somebody is.
    pub fn leader(&self) -> u64 {
        self.wait_for("somebody is in charge", Self::in_charge)
    }

    /// The nodes that are not in charge.
    pub fn followers(&self) -> Vec<u64> {
        let leader = self.leader();
        self.api.nodes().filter(|n| *n != leader).collect()
    }

    /// A path of any replica that answers.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.runtime.block_on(self.api.get_any(path))
    }

    /// A path of this replica.
    pub fn get_from(&self, node: u64, path: &str) -> api::Reply {
        self.runtime.block_on(self.api.get(node, path))
    }

    /// PUT or POST to a replica.
    pub fn send(&self, method: reqwest::Method, node: u64, path: &str, body: &Value) -> api::Reply {
        self.runtime.block_on(self.api.send(method, node, path, body))
    }

    /// One word for each device.
    pub fn device_states(&self) -> BTreeMap<String, String> {
        let answer = self.get("/v1/devices").unwrap_or_default();
        let state = |d: &Value| Some((d["id"].as_str()?.to_owned(), d["state"].as_str()?.to_owned()));
        answer["items"].as_array().into_iter().flatten().filter_map(state).collect()
    }
}
