//! Names of models, with the second ones that contents are given in the course of a run.

use std::collections::BTreeMap;

use control::digest::Digest;
use control::ids::ModelId;
use control::sync::second_name;

/// Names by id. Those of the fleet come first; control knows them.
#[derive(Debug)]
pub(super) struct Names {
    all: Vec<String>,
    /// Names that control was told of.
    told: usize,
    /// Second names, and the first that each was given for.
    firsts: BTreeMap<ModelId, ModelId>,
}

impl Names {
    pub(super) fn new(fleet: &[String]) -> Self {
        Self { all: fleet.to_vec(), told: fleet.len(), firsts: BTreeMap::new() }
    }

    /// The second name of a content: the same on every host that has it.
    pub(super) fn second(&mut self, model: ModelId, digest: Digest) -> ModelId {
        let name = second_name(&self.all[model.index()], digest);
        if let Some(known) = self.all.iter().position(|known| *known == name) {
            return ModelId(known as u32);
        }
        let second = ModelId(self.all.len() as u32);
        self.all.push(name);
        self.firsts.insert(second, self.first(model).unwrap_or(model));
        second
    }

    /// The name of the fleet that a second name was given for; none for a name of the fleet.
    pub(super) fn first(&self, second: ModelId) -> Option<ModelId> {
        self.firsts.get(&second).copied()
    }

    /// The next name that control was not told of, and is told of now.
    pub(super) fn next_untold(&mut self) -> Option<(ModelId, String)> {
        let name = self.all.get(self.told)?.clone();
        let model = ModelId(self.told as u32);
        self.told += 1;
        Some((model, name))
    }
}
