//! Which content of a name is the one to keep, as an operator decides it. It holds after a restart, until another is decided for or it
//! is withdrawn; where nobody has the content any more, the policy in force decides again (`manual` waits).

use std::collections::BTreeMap;

use control::digest::Digest;
use control::strategy::nearest;
use control::sync::artifact::Origin;
use tokio::sync::oneshot;

use super::{Changed, Operated, Operator, Refused};
use crate::gateway::control_task::{Event, Question};
use crate::gateway::survey::Held;
use crate::wire::name;

/// The registry where a host could stand.
const REGISTRY: &str = "registry";

/// What an operator decides of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::gateway) enum Decision {
    /// For the content whose digest begins so.
    Digest(String),
    /// For what this host has, or the `registry`.
    Of(String),
    /// For none: what was decided before is withdrawn.
    Withdraw,
}

impl Operator {
    /// Decides which content of a model is the one to keep.
    pub(in crate::gateway) async fn decide(
        &self,
        model: &str,
        decision: Decision,
    ) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let Some(sync) = operated.control.sync.as_ref() else {
            let why =
                "[control.sync] is absent: no contents are kept the same, so there is nothing to decide";
            return Err(Refused::Conflict(why.into()));
        };
        let (reply, held) = oneshot::channel();
        self.events.send(Event::Ask(Question::Held(reply))).map_err(|_| Refused::Stopping)?;
        let held = held.await.map_err(|_| Refused::Stopping)?;
        let (model, held) = find(model, &held)?;
        let mut next = operated.clone();
        let (keep, said) = match decision {
            Decision::Withdraw => {
                if next.decided.remove(model).is_none() {
                    return Err(Refused::Conflict(format!("nothing was decided for {model:?}")));
                }
                (None, format!("model {model}: what was decided is withdrawn"))
            }
            Decision::Digest(prefix) => keep(&mut next, model, beginning(model, &prefix, held, &operated)?),
            Decision::Of(holder) => keep(&mut next, model, of_holder(model, &holder, held, &operated)?),
        };
        let mut changed = Changed { changed: vec![said], ..Changed::default() };
        if !sync.act {
            changed.changed.push("control.sync.act is false: hosts are not told to take it".into());
        }
        self.write(&next).await?;
        self.tell_decision(model, keep).await?;
        *operated = next;
        Ok(changed)
    }

    /// Tells control what was decided before a restart.
    pub(super) async fn resume_decisions(&self, operated: &Operated) {
        for (model, digest) in &operated.decided {
            // Where control has ended, whoever started it sees that.
            let _ = self.tell_decision(model, Some(*digest)).await;
        }
    }

    async fn tell_decision(&self, model: &str, keep: Option<Digest>) -> Result<(), Refused> {
        let (done, taken) = oneshot::channel();
        let decide = Event::Decide { model: model.to_owned(), keep, done };
        self.events.send(decide).map_err(|_| Refused::Stopping)?;
        taken.await.map_err(|_| Refused::Stopping)
    }
}

type Contents = BTreeMap<Digest, Vec<Origin>>;

/// A model that is kept the same, by any spelling of its name, and who has what of it.
fn find<'a>(model: &str, held: &'a Held) -> Result<(&'a str, &'a Contents), Refused> {
    let spelt = name::normalise(model)
        .ok_or_else(|| Refused::Wrong(format!("found {model:?}, expected a model's name")))?;
    match held.get_key_value(&spelt) {
        Some((name, contents)) => Ok((name, contents)),
        None => {
            let names: Vec<&str> = held.keys().map(String::as_str).collect();
            let near = nearest(&spelt, &names).map(|near| format!(" (did you mean {near:?}?)"));
            let near = near.unwrap_or_default();
            Err(Refused::NotFound(format!("there is no model {spelt:?} that is kept the same{near}")))
        }
    }
}

fn keep(next: &mut Operated, model: &str, digest: Digest) -> (Option<Digest>, String) {
    next.decided.insert(model.to_owned(), digest);
    (Some(digest), format!("model {model}: {} is the content to keep", digest.short()))
}

/// The one content whose digest begins so.
fn beginning(model: &str, prefix: &str, held: &Contents, operated: &Operated) -> Result<Digest, Refused> {
    let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix).to_ascii_lowercase();
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let message =
            format!("found {prefix:?}, expected the first hexadecimal digits of a content's digest");
        return Err(Refused::Wrong(message));
    }
    let matching: Vec<Digest> =
        held.keys().filter(|digest| digest.to_string().starts_with(&digits)).copied().collect();
    let listed = |digests: &mut dyn Iterator<Item = &Digest>| {
        let told =
            digests.map(|digest| format!("{} (on {})", digest.short(), holders(&held[digest], operated)));
        told.collect::<Vec<_>>().join(", ")
    };
    match matching[..] {
        [digest] => Ok(digest),
        [] => {
            let there = listed(&mut held.keys());
            let there = if there.is_empty() { "nothing".to_owned() } else { there };
            Err(Refused::NotFound(format!(
                "nobody has a content of {model:?} whose digest begins with {digits}; there is {there}"
            )))
        }
        _ => Err(Refused::Conflict(format!(
            "{digits} is the beginning of more than one digest: {}; give more digits",
            listed(&mut matching.iter())
        ))),
    }
}

/// What a host has, or the registry.
fn of_holder(model: &str, holder: &str, held: &Contents, operated: &Operated) -> Result<Digest, Refused> {
    let origin = if holder == REGISTRY { Origin::Catalogue } else { Origin::Host(operated.find(holder)?) };
    let content = held.iter().find(|(_, by)| by.contains(&origin));
    content.map(|(digest, _)| *digest).ok_or_else(|| {
        let who = if holder == REGISTRY { "the registry".to_owned() } else { format!("host {holder:?}") };
        Refused::NotFound(format!("{who} is not known to have a content of {model:?}"))
    })
}

fn holders(by: &[Origin], operated: &Operated) -> String {
    let name = |origin: &Origin| match origin {
        Origin::Catalogue => REGISTRY,
        Origin::Host(host) => operated.hosts[host.index()].entry.declaration.name.as_str(),
    };
    by.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use control::ids::HostId;

    use super::super::saved::Saved;
    use super::*;
    use crate::gateway::config::ServeConfig;

    #[test]
    fn a_beginning_that_two_digests_have_names_both_and_who_has_them() {
        let text = "[serve]\n[[serve.hosts]]\nname = \"gpu-1\"\nurl = \"http://127.0.0.1:1\"\n";
        let file = ServeConfig::parse(text, Path::new("x")).expect("a good file");
        let (_, operated) = Saved::default().laid_over(file);
        let digest = |last| Digest(std::array::from_fn(|at| if at == 4 { last } else { 0xab }));
        let held = Contents::from([
            (digest(1), vec![Origin::Host(HostId(0))]),
            (digest(2), vec![Origin::Catalogue, Origin::Host(HostId(0))]),
        ]);
        let found = |prefix: &str| beginning("m:x", prefix, &held, &operated);
        assert_eq!(found("sha256:ABABABAB02").expect("one"), digest(2));
        assert_eq!(
            found("abab").expect_err("two").to_string(),
            "abab is the beginning of more than one digest: abababab01ab (on gpu-1), abababab02ab (on registry, gpu-1); \
             give more digits"
        );
        assert_eq!(
            found("ac").expect_err("none").to_string(),
            "nobody has a content of \"m:x\" whose digest begins with ac; there is abababab01ab (on gpu-1), \
             abababab02ab (on registry, gpu-1)"
        );
    }
}
