use control::config::ControlFile;
use control::door::{Declaration, NoMeter, Observation, Output, StoredModel};
use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::request::{Arrive, Usage};
use control::units::Bytes;

use super::*;

const POISON: u64 = 666;

/// Control whose balancer cannot take prompts of one size, and whose core cannot take a tenant of one name.
fn step(control: &mut Control, now: Instant, input: Input, out: &mut Outputs, env: &mut Env<'_>) {
    let fallen = |control: &Control, part| control.facts().fallen_back.contains(&part);
    match &input {
        Input::Arrive(arrive) if arrive.prompt_bytes == Bytes(POISON) => {
            let arm = ArmId(0);
            if !fallen(control, Part::Balancer(arm)) {
                control.step(now, input.clone(), out, env);
                env.meter.enter(Stage::Balance);
                env.meter.asks(arm);
                panic!("a balancer breaks");
            }
        }
        Input::TenantNamed { name, .. } if name == "poison" => {
            control.step(now, input.clone(), out, env);
            panic!("the core breaks");
        }
        _ => {}
    }
    control.step(now, input, out, env);
}

fn file() -> Config {
    ControlFile { balancer: "random".into(), ..ControlFile::default() }.check().expect("the config is valid")
}

fn setting() -> Vec<Input> {
    let stored = vec![StoredModel::of_size(ModelId(0), Bytes(1))];
    let mut inputs = vec![
        Input::TenantNamed { tenant: TenantId(0), name: "everyone".into() },
        Input::ModelNamed { model: ModelId(0), name: "m:latest".into() },
    ];
    for host in 0..3 {
        let declaration = Declaration { name: format!("h{host}"), slots: 2, ..Declaration::default() };
        inputs.push(Input::HostDeclared { host: HostId(host), declaration });
        let observation = Observation { stored: stored.clone(), ..Observation::default() };
        inputs.push(Input::Observed { host: HostId(host), observation });
    }
    inputs
}

fn arrive(request: u64, prompt_bytes: u64) -> Input {
    let arrive =
        Arrive { request: RequestId(request), prompt_bytes: Bytes(prompt_bytes), ..Arrive::default() };
    Input::Arrive(arrive)
}

fn guarded() -> Guarded {
    let mut guarded = Guarded::with_step(file(), 7, step);
    let mut out = Outputs::new();
    for input in setting() {
        guarded.step(Instant::ZERO, input, &mut out).expect("nothing breaks");
    }
    guarded
}

#[test]
fn after_a_panic_control_decides_as_one_that_never_met_it() {
    let mut broken = guarded();
    let mut plain = Control::new(file());
    let mut out = Outputs::new();
    let mut plainly = |now, input: Input| {
        let mut out = Outputs::new();
        plain.step(now, input, &mut out, &mut Env { seed: 7, meter: &mut NoMeter });
        out.as_slice().to_vec()
    };
    for input in setting() {
        plainly(Instant::ZERO, input);
    }
    for request in 0..40 {
        let now = Instant(request * 1_000);
        if request % 10 == 5 {
            let poison = Input::TenantNamed { tenant: TenantId(1), name: "poison".into() };
            let told = broken.step(now, poison.clone(), &mut out).expect_err("the core breaks");
            assert_eq!((*told.input, out.as_slice()), (poison, [].as_slice()));
        }
        broken.step(now, arrive(request, 100), &mut out).expect("nothing breaks");
        assert_eq!(out.as_slice(), plainly(now, arrive(request, 100)));
        if request >= 6 {
            let done =
                Input::Finished { request: RequestId(request - 6), attempt: 0, usage: Usage::default() };
            broken.step(now, done.clone(), &mut out).expect("nothing breaks");
            assert_eq!(out.as_slice(), plainly(now, done));
        }
    }
}

#[test]
fn what_broke_is_named_by_the_stage_and_goes_on_as_the_plain_form() {
    let mut guarded = guarded();
    let mut out = Outputs::new();
    let now = Instant(5);
    let broken = guarded.step(now, arrive(0, POISON), &mut out).expect_err("the balancer breaks");
    assert_eq!(broken.parts, [Part::Balancer(ArmId(0)), Part::Hosts, Part::History]);
    for part in broken.parts {
        guarded.step(now, Input::Verdict(part), &mut out).expect("a verdict breaks nothing");
    }
    guarded.step(now, *broken.input, &mut out).expect("the plain form takes it");
    assert!(matches!(out.as_slice(), [Output::Dispatch(lease)] if lease.host == HostId(0)), "{out:?}");
}

#[test]
fn three_breaks_in_ten_minutes_latch_safe_mode() {
    let mut out = Outputs::new();
    let minutes = |at: u64| Instant::ZERO.saturating_add(Nanos::from_secs(at * 60));
    let mut broken = |guarded: &mut Guarded, at| {
        guarded.step(minutes(at), arrive(0, POISON), &mut out).expect_err("the balancer breaks").parts.len()
    };
    let mut seldom = guarded();
    for at in [0, 6, 12, 18] {
        assert_eq!((broken(&mut seldom, at), seldom.is_safe_mode()), (3, false));
    }
    let mut often = guarded();
    for at in [0, 4] {
        assert_eq!((broken(&mut often, at), often.is_safe_mode()), (3, false));
    }
    assert_eq!(broken(&mut often, 9), 6, "five shared parts and the balancer");
    assert!(often.is_safe_mode());
    assert_eq!(broken(&mut often, 90), 6, "it stays so");
}

#[test]
fn a_snapshot_bounds_what_is_done_again() {
    let mut guarded = guarded();
    let mut out = Outputs::new();
    for now in 0..INPUTS_MAX as u64 {
        guarded.step(Instant(now), Input::Wake, &mut out).expect("nothing breaks");
    }
    assert!(guarded.inputs.len() < INPUTS_MAX);
    guarded.step(Instant(INPUTS_MAX as u64), arrive(0, POISON), &mut out).expect_err("the balancer breaks");
    assert_eq!(guarded.facts().hosts.len(), 3);
}
