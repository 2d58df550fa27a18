//! What control decided, from the steps of its decision log: each dispatch, and each action on a host from its beginning to its end.

use control::door::{Action, ActionOutcome, Deed, Dispatch, Input, Output};
use control::units::Instant;
use serde::Serialize;
use serde_json::Value;

use super::{CONTROL, PerfettoJson, micros, named, process, text};
use crate::files::WriteError;

/// Thread of control on which decisions stand.
const DECISIONS: u32 = 1;

impl PerfettoJson {
    /// Adds what a step of control decided and what it heard of its actions.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn step(&mut self, now: Instant, input: &Input, outputs: &[Output]) -> Result<(), WriteError> {
        if let Input::Acted { action, outcome } = input
            && let Some(begun) = self.actions.remove(action)
        {
            self.action('e', now, &begun, Some(outcome))?;
        }
        for output in outputs {
            match output {
                Output::Dispatch(dispatch) => self.decision(now, dispatch)?,
                Output::Act(action) => {
                    self.host(action.host)?;
                    self.action('b', now, action, None)?;
                    self.actions.insert(action.id, *action);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn decision(&mut self, now: Instant, dispatch: &Dispatch) -> Result<(), WriteError> {
        if !std::mem::replace(&mut self.decided, true) {
            self.event(&named(CONTROL, Some(DECISIONS), "decisions"))?;
        }
        let name = text(&format!("to {}", self.spec.host_name(dispatch.host)));
        self.event(&format!(
            "\"ph\":\"i\",\"s\":\"t\",\"pid\":{CONTROL},\"tid\":{DECISIONS},\"ts\":{},\"cat\":\"decision\",\"name\":{name},\
             \"args\":{{\"request\":{},\"attempt\":{},\"reason\":{},\"arm\":{}}}",
            micros(now.0),
            dispatch.request.0,
            dispatch.attempt,
            word(&dispatch.reason),
            text(&self.spec.arm_name(dispatch.arm))
        ))
    }

    fn action(
        &mut self,
        phase: char,
        at: Instant,
        action: &Action,
        outcome: Option<&ActionOutcome>,
    ) -> Result<(), WriteError> {
        let model = self.spec.model_name(action.model);
        let name = match action.deed {
            Deed::Load(_) => format!("load {model}"),
            Deed::Unload => format!("unload {model}"),
            Deed::Pull => format!("pull {model}"),
            Deed::Fetch(from) => format!("fetch {model} from {}", self.spec.host_name(from)),
            Deed::Push => format!("push {model}"),
            Deed::Branch => format!("branch {model}"),
            Deed::Delete => format!("delete {model}"),
            Deed::Start => "start".to_owned(),
            Deed::Stop => "stop".to_owned(),
        };
        let args = outcome
            .map_or_else(String::new, |outcome| format!(",\"args\":{{\"outcome\":{}}}", word(outcome)));
        self.event(&format!(
            "\"ph\":\"{phase}\",\"cat\":\"action\",\"id\":\"action {}\",\"pid\":{},\"tid\":0,\"ts\":{},\"name\":{}{args}",
            action.id.0,
            process(action.host),
            micros(at.0),
            text(&name)
        ))
    }
}

/// A name of control's own, as JSON.
fn word(of: &impl Serialize) -> String {
    serde_json::to_value(of).unwrap_or(Value::Null).to_string()
}
