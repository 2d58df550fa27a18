//! What control does by itself, in a line of log that names who is meant.

use control::door::{BreakerState, Note};
use control::facts::Facts;

/// Says it.
pub(super) fn tell(note: &Note, facts: &Facts) {
    tracing::warn!("{}", words(note, facts));
}

fn words(note: &Note, facts: &Facts) -> String {
    let arm = |arm: control::ids::ArmId| facts.arms.get(arm.index()).map_or("?", |arm| arm.name.as_str());
    match *note {
        Note::Breaker { host, model, state } => {
            let state = match state {
                BreakerState::Closed => "closed: it gets requests again",
                BreakerState::Open => "open: it gets no requests for a while",
                BreakerState::HalfOpen => "half open: a few requests try it",
            };
            let host = &facts.hosts[host.index()].declaration.name;
            let model =
                model.map(|model| format!(" for {}", facts.models[model.index()].name)).unwrap_or_default();
            format!("the breaker of host {host}{model} is {state}")
        }
        Note::Selected { arm: selected } => format!("{} was selected and decides now", arm(selected)),
        Note::RolledBack { arm: bad } => format!("{} did worse than its guard allows: rolled back", arm(bad)),
        Note::Breached { arm: bad } => {
            format!("{} does worse than its guard allows, and goes on: control is frozen", arm(bad))
        }
        Note::Restored => "the [control] before the last is in force again".to_owned(),
        Note::NothingToRestore => "there is no [control] to go back to".to_owned(),
        Note::Conflict { model, kind } => {
            format!("contents of {} differ: {kind:?}", facts.models[model.index()].name)
        }
        Note::Converged { model } => {
            format!("all that have {} have the same content again", facts.models[model.index()].name)
        }
        Note::Planned { replicas, missing } => {
            format!("another placement is aimed at: {replicas} replicas, {missing} of them not in memory yet")
        }
        Note::FellBack(part) => format!("the plain form decides from now on: {part:?}"),
    }
}

#[cfg(test)]
mod tests {
    use control::Control;
    use control::config::ControlFile;
    use control::door::{Declaration, Env, Input, NoMeter, Outputs};
    use control::ids::{ArmId, HostId, ModelId};
    use control::units::Instant;

    use super::*;

    #[test]
    fn a_note_names_host_model_and_arm() {
        let mut control = Control::new(ControlFile::default().check().expect("the default is valid"));
        let declaration = Declaration { name: "gpu-2".into(), ..Declaration::default() };
        for input in [
            Input::HostDeclared { host: HostId(0), declaration },
            Input::ModelNamed { model: ModelId(0), name: "m:latest".into() },
        ] {
            let mut env = Env { seed: 0, meter: &mut NoMeter };
            control.step(Instant::ZERO, input, &mut Outputs::new(), &mut env);
        }
        let words = |note| words(&note, control.facts());
        let breaker = |model, state| Note::Breaker { host: HostId(0), model, state };
        assert_eq!(
            words(breaker(Some(ModelId(0)), BreakerState::Open)),
            "the breaker of host gpu-2 for m:latest is open: it gets no requests for a while"
        );
        assert_eq!(
            words(breaker(None, BreakerState::Closed)),
            "the breaker of host gpu-2 is closed: it gets requests again"
        );
        assert!(words(Note::RolledBack { arm: ArmId(0) }).starts_with("base did worse"));
    }
}
