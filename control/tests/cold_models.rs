//! The bound on models that a host is asked for while it must load them, by what passes the door alone: whatever happens, no host is
//! asked for more, a request waits only where it must, and none waits for ever.

#[path = "twins/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use control::Control;
use control::config::{ControlFile, Implementations};
use control::door::{Declaration, Env, Input, NoMeter, Observation, Output, Outputs};
use control::draw::{Component, Draw};
use control::ids::{HostId, ModelId, RequestId};
use control::index::Implementation;
use control::request::Usage;
use control::units::{Instant, Nanos};
use proptest::prelude::*;
use world::{MODELS, World, observation};

/// An attempt under way.
#[derive(Debug)]
struct Attempt {
    host: HostId,
    model: ModelId,
    attempt: u8,
    /// It waits for a load, or did.
    loads: bool,
}

/// What a driver that knows nothing of control's inside sees.
#[derive(Debug, Default)]
struct Seen {
    models: BTreeMap<RequestId, ModelId>,
    /// Those whose answers come in one piece.
    whole: BTreeSet<RequestId>,
    waiting: BTreeSet<RequestId>,
    running: BTreeMap<RequestId, Attempt>,
    tried: BTreeMap<RequestId, BTreeSet<HostId>>,
    /// What each host said last; nothing where it is silent.
    hosts: BTreeMap<HostId, (Observation, bool)>,
    /// Models that gave a first byte on a host since they were asked for there, or were listed where only whole answers wait.
    answered: BTreeSet<(HostId, ModelId)>,
}

impl Seen {
    fn has_loaded(&self, host: HostId, model: ModelId) -> bool {
        self.hosts[&host].0.loaded.iter().any(|loaded| loaded.model == model)
    }

    fn loads(&self, host: HostId) -> BTreeSet<ModelId> {
        let there = self.running.values().filter(|attempt| attempt.host == host && attempt.loads);
        there.map(|attempt| attempt.model).collect()
    }

    fn outstanding(&self, host: HostId) -> usize {
        self.loads(host).iter().filter(|model| !self.answered.contains(&(host, **model))).count()
    }

    /// Whether one more request for a model would be one load too many.
    fn is_held_back(&self, host: HostId, model: ModelId, most: usize) -> bool {
        !self.has_loaded(host, model) && !self.loads(host).contains(&model) && self.outstanding(host) >= most
    }

    fn before(&mut self, input: &Input) {
        match input {
            Input::Arrive(arrive) => {
                self.models.insert(arrive.request, arrive.model);
                if arrive.whole {
                    self.whole.insert(arrive.request);
                }
                self.waiting.insert(arrive.request);
            }
            Input::FirstByte { request, .. } | Input::Finished { request, .. } => {
                if let Some(attempt) = self.running.get(request)
                    && self.loads(attempt.host).contains(&attempt.model)
                {
                    self.answered.insert((attempt.host, attempt.model));
                }
            }
            Input::Observed { host, observation } => {
                self.hosts.insert(*host, (observation.clone(), true));
                for model in self.loads(*host) {
                    let mut waiting = self.running.iter().filter(|(_, attempt)| {
                        (attempt.host, attempt.model, attempt.loads) == (*host, model, true)
                    });
                    if self.has_loaded(*host, model)
                        && waiting.all(|(request, _)| self.whole.contains(request))
                    {
                        self.answered.insert((*host, model));
                    }
                }
            }
            Input::Silent { host } => {
                if let Some(known) = self.hosts.get_mut(host) {
                    known.1 = false;
                }
            }
            _ => {}
        }
        if let Input::Finished { request, .. } | Input::Failed { request, .. } | Input::Gone { request } =
            input
        {
            self.waiting.remove(request);
            if let Some(ended) = self.running.remove(request)
                && !self.loads(ended.host).contains(&ended.model)
            {
                self.answered.remove(&(ended.host, ended.model));
            }
        }
        if let Input::Failed { request, .. } = input {
            self.waiting.insert(*request);
        }
    }

    fn after(&mut self, outputs: &[Output], most: usize) {
        for output in outputs {
            match output {
                Output::Dispatch(sent) => {
                    let (host, model) = (sent.host, self.models[&sent.request]);
                    assert!(!self.is_held_back(host, model, most), "{sent:?} is one load too many: {self:?}");
                    let outstanding =
                        self.loads(host).contains(&model) && !self.answered.contains(&(host, model));
                    let loads = outstanding || !self.has_loaded(host, model);
                    self.waiting.remove(&sent.request);
                    self.tried.entry(sent.request).or_default().insert(host);
                    self.running.insert(sent.request, Attempt { host, model, attempt: sent.attempt, loads });
                }
                Output::Reject { request, .. } | Output::Fail { request, .. } => {
                    self.waiting.remove(request);
                }
                _ => {}
            }
        }
    }

    /// Nobody waits who could go somewhere.
    fn wait_for_reasons(&self, slots: usize, most: usize) {
        for request in &self.waiting {
            let model = self.models[request];
            for (host, (observation, up)) in &self.hosts {
                let stored = observation.stored.iter().any(|stored| stored.model == model);
                let room = self.running.values().filter(|attempt| attempt.host == *host).count() < slots;
                let tried = self.tried.get(request).is_some_and(|tried| tried.contains(host));
                let goes = *up && stored && room && !tried && !self.is_held_back(*host, model, most);
                assert!(!goes, "{request:?} waits, though {host:?} could take it: {self:?}");
            }
        }
    }
}

fn run(most: u32, hosts: u32, slots: u32, scheduler: &str, seed: u64) -> u64 {
    let file = |implementation| ControlFile {
        scheduler: scheduler.into(),
        balancer: "least-connections".into(),
        cold_models_max: most,
        slow_start: false,
        queue_timeout_millis: 86_400_000,
        retry_budget_percent: 100,
        implementation: Implementations::from(implementation),
        ..ControlFile::default()
    };
    let build = |implementation| Control::new(file(implementation).check().expect("a valid file"));
    let mut twins = [build(Implementation::Baseline), build(Implementation::Optimised)];
    let most = if most == 0 { usize::MAX } else { most as usize };
    let (mut seen, mut world) = (Seen::default(), World::default());
    let mut draw = Draw::new(seed, Component::Network, 0, 0);
    let mut now = Instant::ZERO;
    let named = |model| Input::ModelNamed { model: ModelId(model), name: format!("m{model}") };
    let mut first: Vec<Input> = (0..MODELS).map(named).collect();
    first.extend((0..3).map(|tenant| Input::TenantNamed {
        tenant: control::ids::TenantId(tenant),
        name: format!("t{tenant}"),
    }));
    for host in (0..hosts).map(HostId) {
        first
            .push(Input::HostDeclared { host, declaration: Declaration { slots, ..Declaration::default() } });
        first.push(Input::Observed { host, observation: observation(&mut draw) });
    }
    let mut first = first.into_iter();
    let mut held_back = 0;
    for step in 0.. {
        now = now.saturating_add(Nanos(u64::from(draw.below(20_000_000))));
        let input = if let Some(input) = first.next() {
            input
        } else if step < 400 {
            match world.next(hosts, now, &mut draw) {
                Input::Arrive(arrive) => Input::Arrive(control::request::Arrive { deadline: None, ..arrive }),
                input => input,
            }
        } else if let Some((request, attempt)) = seen.running.iter().next() {
            // What runs ends, one after the other.
            Input::Finished { request: *request, attempt: attempt.attempt, usage: Usage::default() }
        } else if let Some((host, (observation, _))) = seen.hosts.iter().find(|(_, (_, up))| !up) {
            Input::Observed { host: *host, observation: observation.clone() }
        } else {
            break;
        };
        seen.before(&input);
        let outputs = twins.each_mut().map(|twin| {
            let mut out = Outputs::new();
            twin.step(now, input.clone(), &mut out, &mut Env { seed: 4, meter: &mut NoMeter });
            twin.recount().unwrap_or_else(|wrong| panic!("{wrong}, step {step}: {input:?}"));
            out.drain().collect::<Vec<_>>()
        });
        assert_eq!(outputs[0], outputs[1], "baseline and optimised, step {step}: {input:?}");
        seen.after(&outputs[1], most);
        seen.wait_for_reasons(slots as usize, most);
        world.note(&input, &outputs[1]);
        let waits =
            |host: &HostId| seen.waiting.iter().any(|id| seen.is_held_back(*host, seen.models[id], most));
        held_back += u64::from(seen.hosts.keys().any(waits));
        if step % 37 == 36 {
            twins = twins.map(|twin| {
                let bytes = postcard::to_allocvec(&twin.snapshot()).expect("facts can be encoded");
                Control::restore(postcard::from_bytes(&bytes).expect("what was encoded can be read"))
            });
        }
    }
    let stored = |model| {
        move |(observation, _): &(Observation, bool)| {
            observation.stored.iter().any(|stored| stored.model == model)
        }
    };
    for request in &seen.waiting {
        let tried = seen.tried.get(request).map_or(0, BTreeSet::len);
        let could = seen.hosts.values().filter(|host| stored(seen.models[request])(host)).count();
        assert!(could <= tried, "{request:?} waits for ever");
    }
    held_back
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn no_host_is_asked_for_too_many_cold_models_and_nobody_waits_without_need(
        most in 0u32..4,
        hosts in 1u32..5,
        slots in 1u32..6,
        scheduler in prop::sample::select(vec!["fifo", "shortest-job", "token-counter", "model-batching"]),
        seed: u64,
    ) {
        run(most, hosts, slots, scheduler, seed);
    }
}

#[test]
fn the_bound_holds_requests_back_in_these_runs() {
    let steps: u64 = (0..20).map(|seed| run(1, 3, 4, "fifo", seed)).sum();
    assert!(steps > 500, "{steps}");
}
