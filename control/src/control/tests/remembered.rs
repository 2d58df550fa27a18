//! What answers taught, taken over by a control that begins anew.

use alloc::string::ToString;

use super::*;
use crate::facts::learned::{Learned, NewIds};
use crate::ids::TenantId;

/// Control that has seen two answers of model 0 on each of two hosts, one of them after a load.
fn taught() -> Bench {
    let mut bench = Bench::new(&file(), 2, 4);
    for tenant in 0..2 {
        bench.feed(Input::TenantNamed { tenant: TenantId(tenant), name: format!("t{tenant}") });
    }
    for request in 0..4 {
        let tenant = TenantId((request % 2) as u32);
        bench.arrive_with(Arrive { tenant, prompt_bytes: Bytes(400), ..Arrive::default() });
        bench.now += Nanos::from_secs(30);
        bench.first_byte(request, 0);
        let usage = Usage {
            prompt_tokens: 100,
            output_tokens: 21,
            prompt_eval: Nanos::from_millis(100),
            eval: Nanos::from_secs(1),
            ..Usage::default()
        };
        bench.feed(Input::Finished { request: RequestId(request), attempt: 0, usage });
    }
    bench
}

/// Another fleet: the models change places, the second host is the first, and a new one stands beside it.
fn other() -> Bench {
    let mut bench = Bench { control: Control::new(file().check().unwrap()), arrived: 0, now: Instant::ZERO };
    for (model, name) in ["elsewhere:latest", "m:latest"].iter().enumerate() {
        bench.feed(Input::ModelNamed { model: ModelId(model as u32), name: name.to_string() });
    }
    bench.feed(Input::TenantNamed { tenant: TenantId(0), name: "t1".into() });
    for (host, name) in ["h1", "new"].iter().enumerate() {
        let declaration = Declaration { name: name.to_string(), slots: 4, ..Declaration::default() };
        bench.feed(Input::HostDeclared { host: HostId(host as u32), declaration });
        bench.observe_with(host as u32, &[1], &[]);
    }
    bench
}

fn ids() -> NewIds {
    NewIds {
        models: [(ModelId(0), ModelId(1)), (ModelId(1), ModelId(0))].into(),
        tenants: [(TenantId(1), TenantId(0))].into(),
        hosts: [(HostId(1), HostId(0))].into(),
    }
}

#[test]
fn what_was_learned_is_known_under_new_ids_and_decides() {
    let before = taught();
    let learned = Learned::of(before.control.facts(), &ids());
    assert_eq!((learned.models_len(), learned.hosts_len()), (1, 1));
    let mut bench = other();
    bench.feed(Input::Remembered(Box::new(learned)));
    let (old, new) = (before.control.facts(), bench.control.facts());
    assert_eq!(new.models[1].name, "m:latest");
    assert_eq!((new.models[1].answers, new.models[0].answers), (4, 0));
    let pace = |facts: &crate::facts::Facts, host: usize, model| {
        facts.history[host].pace(ModelId(model)).map(|pace| (pace.output_token, pace.cold_ttft))
    };
    assert_eq!(pace(new, 0, 1), pace(old, 1, 0));
    assert_eq!(new.history[1], Default::default());
    let of = |model, tenant| Arrive { model: ModelId(model), tenant: TenantId(tenant), ..Arrive::default() };
    assert_eq!(new.predictor.output_tokens(&of(1, 0)), old.predictor.output_tokens(&of(0, 1)));
    let outputs = bench.arrive_with(of(1, 0));
    let Some(Output::Dispatch(dispatch)) = outputs.first() else { panic!("{outputs:?}") };
    assert_eq!((dispatch.host, dispatch.first_byte_timeout), (HostId(0), Nanos::from_secs(900)));
    assert!(matches!(
        bench.control.facts().ledger.begun(0).unwrap().prediction,
        crate::facts::predict::Prediction::OutputAndService { .. }
    ));
}

#[test]
fn the_next_answer_moves_what_was_learned_and_does_not_replace_it() {
    let learned = Learned::of(taught().control.facts(), &ids());
    let mut bench = other();
    bench.at(5).feed(Input::Remembered(Box::new(learned)));
    bench.arrive_with(Arrive { model: ModelId(1), ..Arrive::default() });
    bench.at(10).first_byte(0, 0);
    let usage = Usage { output_tokens: 11, eval: Nanos::from_millis(10), ..Usage::default() };
    bench.feed(Input::Finished { request: RequestId(0), attempt: 0, usage });
    let pace = bench.control.facts().history[0].pace(ModelId(1)).unwrap().output_token.get().unwrap();
    assert!((45_000_000..50_000_000).contains(&pace), "50 ms before, 1 ms now: {pace}");
}

#[test]
fn nothing_is_learned_of_what_has_no_id() {
    let learned = Learned::of(taught().control.facts(), &NewIds::default());
    assert!(learned.is_empty());
    let mut bench = other();
    bench.feed(Input::Remembered(Box::new(Learned::of(taught().control.facts(), &ids()))));
    let ids = NewIds {
        models: [(ModelId(0), ModelId(77))].into(),
        hosts: [(HostId(0), HostId(9))].into(),
        ..ids()
    };
    bench.feed(Input::Remembered(Box::new(Learned::of(taught().control.facts(), &ids))));
    assert_eq!(bench.control.facts().models.len(), 2);
}
