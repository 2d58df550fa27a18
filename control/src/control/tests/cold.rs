//! Models that hosts must load first.

use super::*;

fn of(model: u32) -> Arrive {
    Arrive { model: ModelId(model), ..Arrive::default() }
}

/// Hosts with models 0 to 3 on disk and those of `loaded` in memory.
fn hosts(file: &ControlFile, hosts: u32, slots: u32, loaded: &[u32]) -> Bench {
    let mut bench = Bench::new(file, hosts, slots);
    for model in [2, 3] {
        bench.feed(Input::ModelNamed { model: ModelId(model), name: format!("{model}:latest") });
    }
    (0..hosts).for_each(|host| drop(bench.observe_with(host, &[0, 1, 2, 3], loaded)));
    bench
}

/// Where a request for a model goes; nowhere while it waits.
fn to(bench: &mut Bench, model: u32) -> Option<u32> {
    sent(&bench.arrive_with(of(model))).first().map(|sent| sent.1)
}

fn timeouts(outputs: &[Output]) -> Vec<Nanos> {
    let timeout = |output: &Output| match output {
        Output::Dispatch(dispatch) => Some(dispatch.first_byte_timeout),
        _ => None,
    };
    outputs.iter().filter_map(timeout).collect()
}

#[test]
fn a_host_that_loads_a_model_gets_its_requests_and_those_for_loaded_models_but_no_other() {
    let mut bench = hosts(&file(), 1, 4, &[0]);
    assert_eq!(to(&mut bench, 1), Some(0));
    assert_eq!(to(&mut bench, 2), None, "another would wait behind the load");
    assert_eq!(to(&mut bench, 1), Some(0), "the load is its own");
    assert_eq!(to(&mut bench, 0), Some(0), "what is loaded is answered meanwhile");
    assert_eq!(sent(&bench.first_byte(3, 0)), [], "the other model still loads");
    assert_eq!(sent(&bench.first_byte(0, 0)), [(1, 0)]);
    assert_eq!(to(&mut bench, 3), None, "now the second one loads");
}

#[test]
fn a_second_cold_model_goes_to_a_host_that_loads_nothing() {
    // Of these two hosts the first is always taken where it can be.
    let mut bench =
        hosts(&ControlFile { balancer: "least-load".into(), ..ControlFile::default() }, 2, 9, &[]);
    let declaration = Declaration { name: "h1".into(), slots: 9, tier: 1, ..Declaration::default() };
    bench.feed(Input::HostDeclared { host: HostId(1), declaration });
    assert_eq!(
        [0, 0, 1, 1, 2].map(|model| to(&mut bench, model)),
        [Some(0), Some(0), Some(1), Some(1), None]
    );
    assert_eq!(sent(&bench.first_byte(2, 0)), [(4, 1)]);
    assert_eq!(
        [0, 1].map(|model| to(&mut bench, model)),
        [Some(0), Some(1)],
        "it answered, if no poll says so yet"
    );
}

#[test]
fn whatever_ends_a_load_opens_its_host() {
    type End = fn(&mut Bench) -> Vec<Output>;
    let ends: [(&str, End); 6] = [
        ("first byte", |bench| bench.first_byte(0, 0)),
        ("an answer whose first byte nobody told", |bench| bench.finish(0, 0)),
        ("failure", |bench| bench.fail(0, 0, Failure::OutOfMemory)),
        ("time-out", |bench| bench.fail(0, 0, Failure::FirstByteTimeout)),
        ("client gone", |bench| bench.gone(0)),
        ("the other model is there after all", |bench| bench.observe_with(0, &[0, 1, 2, 3], &[1])),
    ];
    for (what, end) in ends {
        let mut bench = hosts(&file(), 1, 4, &[]);
        assert_eq!([0, 1].map(|model| to(&mut bench, model)), [Some(0), None]);
        let mut restored = bench.restored();
        for bench in [&mut bench, &mut restored] {
            assert_eq!(sent(&end(bench)), [(1, 0)], "{what}");
        }
    }
}

#[test]
fn a_load_goes_on_while_one_of_its_requests_waits_for_it() {
    let mut bench = hosts(&file(), 1, 4, &[]);
    assert_eq!([0, 0, 1].map(|model| to(&mut bench, model)), [Some(0), Some(0), None]);
    assert_eq!(sent(&bench.gone(0)), []);
    assert_eq!(sent(&bench.gone(1)), [(2, 0)]);
}

#[test]
fn what_a_host_lists_ends_no_load() {
    let mut bench = hosts(&file(), 1, 4, &[]);
    assert_eq!([0, 1].map(|model| to(&mut bench, model)), [Some(0), None]);
    assert_eq!(sent(&bench.observe_with(0, &[0, 1, 2, 3], &[0])), [], "it may be listed while it loads");
    let outputs = bench.arrive_with(of(0));
    assert_eq!(timeouts(&outputs), [Nanos::from_secs(900)], "who joins then waits for the load as well");
    assert_eq!(bench.fail(2, 0, Failure::FirstByteTimeout).len(), 1, "and starts no other");
    assert_eq!(sent(&bench.first_byte(0, 0)), [(1, 0)]);
}

#[test]
fn the_bound_is_as_configured_and_a_new_config_counts_at_once() {
    let bound = |most| ControlFile { cold_models_max: most, ..file() };
    let mut bench = hosts(&bound(2), 1, 9, &[]);
    assert_eq!([0, 1, 2, 3].map(|model| to(&mut bench, model)), [Some(0), Some(0), None, None]);
    assert_eq!(sent(&bench.install(&bound(3))), [(2, 0)]);
    assert_eq!(sent(&bench.install(&bound(1))), []);
    assert_eq!(sent(&bench.first_byte(0, 0)), [], "two still load");
    assert_eq!(sent(&bench.install(&bound(0))), [(3, 0)]);
}

#[test]
fn a_retry_waits_for_the_load_that_holds_back_the_only_other_host() {
    let mut bench = hosts(&file(), 2, 4, &[]);
    assert_eq!([0, 1].map(|model| to(&mut bench, model)), [Some(0), Some(1)]);
    assert_eq!(bench.fail(0, 0, Failure::ServerError), [], "as it would for a host without room");
    assert_eq!(sent(&bench.first_byte(1, 0)), [(0, 1)]);
}

#[test]
fn cold_models_take_their_turns_however_often_the_one_that_loads_is_asked_for() {
    let mut bench = hosts(&file(), 1, 2, &[]);
    assert_eq!([0, 1, 2, 0, 0].map(|model| to(&mut bench, model)), [Some(0), None, None, Some(0), None]);
    assert_eq!(sent(&bench.first_byte(0, 0)), [], "both slots are taken");
    assert_eq!(sent(&bench.finish(0, 0)), [(1, 0)], "the first that waits, though its model is not there");
    assert_eq!(sent(&bench.finish(3, 0)), [], "a second load would be too many");
    assert_eq!(sent(&bench.observe_with(0, &[0, 1, 2, 3], &[0])), [(4, 0)], "what is there goes on");
    assert_eq!(sent(&bench.finish(1, 0)), [(2, 0)]);
}

#[test]
fn a_cold_timeout_is_three_loads_of_the_model_there_or_anywhere_but_never_less_than_configured() {
    let seconds = Nanos::from_secs;
    let floor = ControlFile { first_byte_timeout_cold_millis: 60_000, ..file() };
    let mut bench = hosts(&floor, 2, 4, &[]);
    assert_eq!(timeouts(&bench.arrive_with(of(0))), [seconds(60)], "nothing is known");
    bench.at(30_000).first_byte(0, 0);
    assert_eq!(timeouts(&bench.arrive_with(of(0))), [seconds(90)], "another host took 30 s");
    bench.at(130_000).first_byte(1, 0);
    let warm = bench.arrive_with(of(0));
    assert_eq!(timeouts(&warm), [seconds(300)], "it has just answered there");
    bench.finish(0, 0);
    bench.finish(1, 0);
    bench.finish(2, 0);
    let mut restored = bench.restored();
    for bench in [&mut bench, &mut restored] {
        let times = [3, 4].map(|_| timeouts(&bench.arrive_with(of(0)))[0]);
        assert_eq!(times, [seconds(300), seconds(90)], "each host by its own: 100 s and 30 s");
    }
}

#[test]
fn a_load_that_was_not_waited_for_is_given_three_times_as_long() {
    let mut bench = hosts(&ControlFile { first_byte_timeout_cold_millis: 300, ..file() }, 3, 4, &[]);
    for (request, (at, millis)) in [(0, 300), (300, 900), (1_200, 2_700)].into_iter().enumerate() {
        assert_eq!(timeouts(&bench.at(at).arrive_with(of(0))), [Nanos::from_millis(millis)]);
        if millis < 2_700 {
            bench.at(at + millis).fail(request as u64, 0, Failure::FirstByteTimeout);
        }
    }
    bench.at(2_900).first_byte(2, 0);
    let mut silent = hosts(&ControlFile { first_byte_timeout_cold_millis: 300, ..file() }, 1, 4, &[]);
    for (request, (at, millis)) in
        [(0, 300), (300, 900), (1_200, 2_700), (3_900, 2_700)].into_iter().enumerate()
    {
        let timeout = timeouts(&silent.at(at).arrive_with(of(0)));
        assert_eq!(timeout, [Nanos::from_millis(millis)], "never more than nine times");
        silent.at(at + millis).fail(request as u64, 0, Failure::FirstByteTimeout);
    }
    let mut stalled = hosts(&ControlFile { first_byte_timeout_cold_millis: 300_000, ..file() }, 1, 4, &[]);
    stalled.arrive_with(of(0));
    stalled.at(300_000).fail(0, 0, Failure::FirstByteTimeout);
    assert_eq!(timeouts(&stalled.arrive_with(of(0))), [Nanos::from_secs(300)], "it may have stood still");
}

fn whole(model: u32) -> Arrive {
    Arrive { whole: true, ..of(model) }
}

fn finish_with(bench: &mut Bench, request: u64, usage: Usage) -> Vec<Output> {
    bench.feed(Input::Finished { request: RequestId(request), attempt: 0, usage })
}

#[test]
fn a_whole_answer_holds_other_models_back_until_the_list_has_its_own_not_until_it_is_there() {
    let mut bench = hosts(&file(), 1, 4, &[]);
    bench.arrive_with(whole(0));
    assert_eq!(to(&mut bench, 1), None);
    assert_eq!(sent(&bench.observe_with(0, &[0, 1, 2, 3], &[])), []);
    assert_eq!(sent(&bench.observe_with(0, &[0, 1, 2, 3], &[0])), [(1, 0)]);
    // One that is streamed waits for the load as well: its first byte will tell better than the list.
    bench.arrive_with(whole(1));
    assert_eq!(to(&mut bench, 2), None);
    assert_eq!(sent(&bench.observe_with(0, &[0, 1, 2, 3], &[0, 1])), []);
    assert_eq!(sent(&bench.first_byte(1, 0)), [(3, 0)]);
}

#[test]
fn the_first_token_of_a_whole_answer_is_what_its_generation_leaves() {
    let mut bench = hosts(&file(), 1, 4, &[0, 1]);
    let millis = |millis| Nanos::from_millis(millis);
    let ttft = |bench: &Bench| bench.control.facts().history[0].ttft.get().map(Nanos);
    bench.arrive_with(whole(0));
    bench.at(1_000).first_byte(0, 0);
    assert_eq!(ttft(&bench), None, "its first byte is its last");
    finish_with(&mut bench, 0, Usage { output_tokens: 91, eval: millis(900), ..Usage::default() });
    assert_eq!(ttft(&bench), Some(millis(100)));
    // This host does not tell how long it generated, but a token takes 10 ms there.
    bench.at(10_000).arrive_with(whole(0));
    bench.at(11_000).first_byte(1, 0);
    finish_with(&mut bench, 1, Usage { output_tokens: 70, ..Usage::default() });
    let counts = &bench.control.facts().arms[0].counts;
    assert_eq!((counts.first_bytes, counts.ttft_nanos), (2, millis(400).0));
}

#[test]
fn only_the_request_that_began_a_load_tells_how_long_it_took() {
    let mut bench = hosts(&file(), 1, 4, &[]);
    assert_eq!(to(&mut bench, 0), Some(0));
    for (request, joins_at) in [(1, 20_000), (2, 50_000)] {
        assert_eq!(sent(&bench.at(joins_at).arrive_with(of(0))), [(request, 0)]);
    }
    bench.at(60_000);
    (0..3).for_each(|request| drop(bench.first_byte(request, 0)));
    let facts = bench.control.facts();
    let here = facts.history[0].pace(ModelId(0)).and_then(|pace| pace.cold_ttft.get());
    assert_eq!(here, Some(Nanos::from_secs(60).0));
    assert_eq!(facts.models[0].cold_ttft.get(), here);
}
