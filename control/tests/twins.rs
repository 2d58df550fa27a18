//! The twins of every data structure decide alike: for each pair of scheduler and balancer, control with the baseline and
//! control with the optimised structures give the same outputs on the same inputs, step by step.

#[path = "twins/policies.rs"]
mod policies;
#[path = "twins/world.rs"]
mod world;

use control::config::{ControlFile, DispatchLimit, Implementations};
use control::door::{Declaration, Env, Input, NoMeter, Outputs};
use control::draw::{Component, Draw};
use control::ids::{HostId, ModelId, TenantId};
use control::index::Implementation;
use control::units::{Bytes, Instant, Nanos};
use control::{Control, balance, schedule};
use world::{MODELS, World, observation};

const STEPS: u64 = 600;

/// A fleet: hosts, slots of each, limit.
const FLEETS: [(u32, u32, DispatchLimit); 3] =
    [(3, 1, DispatchLimit::Slots), (70, 2, DispatchLimit::Slots), (9, 4, DispatchLimit::Unlimited)];

#[test]
fn baseline_and_optimised_decide_alike_for_every_scheduler_and_balancer() {
    let mut dispatched = 0;
    for (case, (_, balancer)) in balance::ALL.iter().enumerate() {
        for (_, scheduler) in schedule::ALL {
            let (hosts, slots, dispatch) = FLEETS[case % FLEETS.len()];
            let pair = format!("{} and {}", scheduler.name, balancer.name);
            let file = |implementation| ControlFile {
                scheduler: scheduler.name.into(),
                balancer: balancer.name.into(),
                aging_millis: Some(400),
                queue_timeout_millis: 900,
                queue_requests_max: 40,
                dispatch,
                implementation: Implementations::from(implementation),
                tenant_weights: [("t1".to_owned(), 250)].into(),
                ..ControlFile::default()
            };
            let build = |implementation| Control::new(file(implementation).check().expect("a valid file"));
            let mut twins = [build(Implementation::Baseline), build(Implementation::Optimised)];
            let mut world = World::default();
            let mut inputs: Vec<Input> = Vec::new();
            for model in 0..MODELS {
                inputs.push(Input::ModelNamed { model: ModelId(model), name: format!("m{model}") });
            }
            for tenant in 0..3 {
                inputs.push(Input::TenantNamed { tenant: TenantId(tenant), name: format!("t{tenant}") });
            }
            let mut draw = Draw::new(9, Component::Network, case as u64, 0);
            for host in 0..hosts {
                let weight = 50 + draw.below(100);
                let declaration = Declaration {
                    slots,
                    weight,
                    tier: draw.below(2) as u8,
                    zone: ["", "east", "west"][draw.below(3) as usize].into(),
                    memory: Bytes(u64::from(draw.below(3))),
                    cost_cents_per_hour: draw.below(2),
                    ..Declaration::default()
                };
                inputs.push(Input::HostDeclared { host: HostId(host), declaration });
                inputs.push(Input::Observed { host: HostId(host), observation: observation(&mut draw) });
            }
            let mut now = Instant::ZERO;
            let (mut inputs, mut step) = (inputs.into_iter(), 0);
            while step < STEPS {
                let input = inputs.next().unwrap_or_else(|| {
                    step += 1;
                    now = now.saturating_add(Nanos(u64::from(draw.below(20_000_000))));
                    world.next(hosts, now, &mut draw)
                });
                let outputs = twins.each_mut().map(|twin| {
                    let mut out = Outputs::new();
                    twin.step(now, input.clone(), &mut out, &mut Env { seed: 4, meter: &mut NoMeter });
                    let facts = twin.facts();
                    assert!(facts.counters.conserve());
                    assert!(facts.predictions.conserve(facts.counters.finished));
                    out.drain().collect::<Vec<_>>()
                });
                assert_eq!(outputs[0], outputs[1], "{pair}, step {step}: {input:?}");
                assert_eq!(twins[0].next_wake(), twins[1].next_wake(), "{pair}, step {step}");
                assert_eq!(twins[0].facts().predictions, twins[1].facts().predictions, "{pair}, step {step}");
                world.note(&input, &outputs[1]);
                dispatched += world.sent.len();
                if step % 150 == 149 {
                    // Built anew from its facts on the way, each goes on as it was.
                    twins = twins.map(|twin| Control::restore(twin.snapshot()));
                }
            }
        }
    }
    assert!(dispatched > 100_000, "the inputs keep hosts busy: {dispatched}");
}

/// Control that is taken down and built again from its encoded snapshot predicts as one that was never stopped.
#[test]
fn predictions_survive_a_snapshot() {
    let config =
        ControlFile { balancer: "round-robin".into(), ..ControlFile::default() }.check().expect("valid");
    let mut twins = [Control::new(config.clone()), Control::new(config)];
    let mut world = World::default();
    let mut draw = Draw::new(11, Component::Network, 0, 0);
    let mut inputs: Vec<Input> = (0..MODELS)
        .map(|model| Input::ModelNamed { model: ModelId(model), name: format!("m{model}") })
        .collect();
    for host in 0..3 {
        let declaration = Declaration { slots: 2, ..Declaration::default() };
        inputs.push(Input::HostDeclared { host: HostId(host), declaration });
        inputs.push(Input::Observed { host: HostId(host), observation: observation(&mut draw) });
    }
    let (mut inputs, mut now) = (inputs.into_iter(), Instant::ZERO);
    for step in 0..6_000 {
        let input = inputs.next().unwrap_or_else(|| {
            now = now.saturating_add(Nanos(u64::from(draw.below(20_000_000))));
            world.next(3, now, &mut draw)
        });
        let outputs = twins.each_mut().map(|twin| {
            let mut out = Outputs::new();
            twin.step(now, input.clone(), &mut out, &mut Env { seed: 4, meter: &mut NoMeter });
            out.drain().collect::<Vec<_>>()
        });
        assert_eq!(outputs[0], outputs[1], "step {step}");
        world.note(&input, &outputs[1]);
        if step % 97 == 0 {
            let bytes = postcard::to_allocvec(&twins[1].snapshot()).expect("facts can be encoded");
            twins[1] = Control::restore(postcard::from_bytes(&bytes).expect("what was encoded can be read"));
        }
        let [never_stopped, restored] = twins.each_ref().map(Control::facts);
        assert_eq!(never_stopped.predictor, restored.predictor, "step {step}");
        assert_eq!(never_stopped.predictions, restored.predictions, "step {step}");
    }
    let scores = twins[1].facts().predictions;
    assert!(scores.output_tokens.scored > 1_000 && scores.service_micros.scored > 1_000, "{scores:?}");
}
