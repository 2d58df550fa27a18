//! How contents that differed came to be the same again: what control noted, held beside what transfers did and operators said.

use std::collections::BTreeMap;

use control::door::{Change, Deed, Input, Note};
use control::ids::ModelId;
use control::sync::conflict::Kind;
use traces::traffic::ConflictsEnded;

/// What has happened to a name since its contents differ; the last counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Means {
    Nothing,
    Pulled,
    Fetched,
    Pushed,
    Decided,
}

/// The conflicts of a run.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    open: BTreeMap<ModelId, (Kind, Means)>,
    ended: ConflictsEnded,
}

impl Conflicts {
    /// Control noted something.
    pub(super) fn note(&mut self, note: &Note) {
        match *note {
            Note::Conflict { model, kind } => {
                // Where sync was off in between control noted no end.
                if let Some(before) = self.open.insert(model, (kind, Means::Nothing)) {
                    self.end(before);
                }
            }
            Note::Converged { model } => {
                if let Some(open) = self.open.remove(&model) {
                    self.end(open);
                }
            }
            _ => {}
        }
    }

    /// A transfer of a model was done.
    pub(super) fn moved(&mut self, model: ModelId, deed: Deed) {
        let means = match deed {
            Deed::Pull => Means::Pulled,
            Deed::Fetch(_) => Means::Fetched,
            Deed::Push => Means::Pushed,
            _ => return,
        };
        self.raise(model, means);
    }

    /// An operator does something.
    pub(super) fn operated(&mut self, input: &Input) {
        if let Input::Operator(Change::Resolve { model, .. }) = input {
            self.raise(*model, Means::Decided);
        }
    }

    fn raise(&mut self, model: ModelId, means: Means) {
        if let Some((_, best)) = self.open.get_mut(&model) {
            *best = means.max(*best);
        }
    }

    fn end(&mut self, (kind, means): (Kind, Means)) {
        let ends = self.ended.entry(kind).or_default();
        *match means {
            Means::Nothing => &mut ends.otherwise,
            Means::Pulled => &mut ends.pulled,
            Means::Fetched => &mut ends.fetched,
            Means::Pushed => &mut ends.pushed,
            Means::Decided => &mut ends.decided,
        } += 1;
    }

    /// How they ended, at the end of the run.
    pub(super) fn finish(mut self) -> ConflictsEnded {
        for (kind, _) in self.open.into_values() {
            self.ended.entry(kind).or_default().open += 1;
        }
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use control::digest::Digest;
    use control::ids::HostId;
    use traces::traffic::ConflictEnds;

    use super::*;

    const MODEL: ModelId = ModelId(3);

    fn begun(kind: Kind) -> Conflicts {
        let mut conflicts = Conflicts::default();
        conflicts.note(&Note::Conflict { model: MODEL, kind });
        conflicts
    }

    fn ended(mut conflicts: Conflicts) -> ConflictEnds {
        conflicts.note(&Note::Converged { model: MODEL });
        conflicts.finish()[&Kind::Content]
    }

    #[test]
    fn an_operators_word_counts_for_more_than_a_push_and_that_for_more_than_pulls() {
        let mut conflicts = begun(Kind::Content);
        conflicts.moved(MODEL, Deed::Pull);
        conflicts.moved(ModelId(4), Deed::Push);
        assert_eq!(ended(conflicts), ConflictEnds { pulled: 1, ..ConflictEnds::default() });
        let mut conflicts = begun(Kind::Content);
        conflicts.moved(MODEL, Deed::Push);
        conflicts.moved(MODEL, Deed::Fetch(HostId(1)));
        assert_eq!(ended(conflicts), ConflictEnds { pushed: 1, ..ConflictEnds::default() });
        let mut conflicts = begun(Kind::Content);
        let digest = Digest::UNKNOWN;
        conflicts.operated(&Input::Operator(Change::Resolve { model: MODEL, digest: Some(digest) }));
        conflicts.moved(MODEL, Deed::Push);
        assert_eq!(ended(conflicts), ConflictEnds { decided: 1, ..ConflictEnds::default() });
        assert_eq!(ended(begun(Kind::Content)), ConflictEnds { otherwise: 1, ..ConflictEnds::default() });
    }

    #[test]
    fn every_conflict_that_began_ended_somehow_or_is_open() {
        let mut conflicts = begun(Kind::Metadata);
        conflicts.note(&Note::Conflict { model: MODEL, kind: Kind::Content });
        conflicts.moved(MODEL, Deed::Pull);
        let ended = conflicts.finish();
        assert_eq!(ended[&Kind::Metadata], ConflictEnds { otherwise: 1, ..ConflictEnds::default() });
        assert_eq!(ended[&Kind::Content], ConflictEnds { open: 1, ..ConflictEnds::default() });
    }
}
