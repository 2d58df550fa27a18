use control::door::{Declaration, Env, LoadedModel, NoMeter, Observation, Outputs, StoredModel};
use control::request::Arrive;
use control::units::Bytes;
use control::{Control, config::ControlFile};

use super::*;

/// Control with a recorder at its door.
struct Watched {
    control: Control,
    recorder: Recorder,
    out: Outputs,
    now: u64,
    requests: u64,
}

impl Watched {
    /// One host with room for one request, and the model 0.
    fn new() -> Self {
        let config = ControlFile::default().check().expect("the default is valid");
        let recorder = Recorder::new(1_000, ended_requests());
        let mut watched =
            Self { control: Control::new(config), recorder, out: Outputs::new(), now: 0, requests: 0 };
        watched.take(Input::TenantNamed { tenant: TenantId(0), name: "t".into() });
        let declaration = Declaration { name: "h".into(), slots: 1, weight: 100, ..Declaration::default() };
        watched.take(Input::HostDeclared { host: HostId(0), declaration });
        watched.named(0);
        let (model, bytes) = (ModelId(0), Bytes(1));
        let observation = Observation {
            version: "0.24.0".into(),
            loaded: vec![LoadedModel { model, bytes, vram: bytes }],
            stored: vec![StoredModel::of_size(model, bytes)],
        };
        watched.take(Input::Observed { host: HostId(0), observation });
        watched
    }

    /// A millisecond later.
    fn take(&mut self, input: Input) {
        self.now += 1_000_000;
        let now = Instant(self.now);
        self.recorder.input(now, &input, self.control.facts());
        self.out.clear();
        self.control.step(now, input, &mut self.out, &mut Env { seed: 0, meter: &mut NoMeter });
        for output in self.out.as_slice() {
            self.recorder.output(now, output, self.control.facts());
        }
    }

    fn named(&mut self, model: u32) {
        self.take(Input::ModelNamed { model: ModelId(model), name: format!("m{model}") });
    }

    fn arrive(&mut self, model: u32) -> RequestId {
        let request = RequestId(self.requests);
        self.requests += 1;
        self.take(Input::Arrive(Arrive { request, model: ModelId(model), ..Arrive::default() }));
        request
    }

    fn records(&self) -> Vec<Arc<DecisionRecord>> {
        self.recorder.decisions(10, self.control.facts())
    }
}

#[test]
fn a_request_is_followed_from_the_queue_to_its_end() {
    let mut watched = Watched::new();
    let (first, second) = (watched.arrive(0), watched.arrive(0));
    let states: Vec<Progress> = watched.records().iter().map(|record| record.outcome).collect();
    assert_eq!(states, [Progress::Queued, Progress::Running]);
    watched.take(Input::FirstByte { request: first, attempt: 0 });
    let usage = Usage { prompt_tokens: 7, output_tokens: 3, ..Usage::default() };
    watched.take(Input::Finished { request: first, attempt: 0, usage });
    watched.take(Input::Gone { request: second });
    let records = watched.records();
    let (second, first) = (&records[0], &records[1]);
    assert_eq!(
        (first.outcome, first.prompt_tokens, first.output_tokens),
        (Progress::Finished, Some(7), Some(3))
    );
    let times = (first.wait_millis, first.ttft_millis, first.e2e_millis);
    assert_eq!(times, (Some(0.0), Some(2.0), Some(3.0)));
    assert_eq!(
        (second.outcome, second.wait_millis, second.ttft_millis),
        (Progress::Cancelled, Some(2.0), None)
    );
    let metrics = watched.recorder.metrics();
    assert_eq!(metrics.times[&0].tpot.sum(), 0.0005);
    assert_eq!((metrics.queue_wait.count(), metrics.hosts[0].dispatches), (2, 2));
}

#[test]
fn the_first_byte_of_a_whole_answer_is_no_first_token() {
    let mut watched = Watched::new();
    let request = RequestId(0);
    watched.take(Input::Arrive(Arrive { request, whole: true, ..Arrive::default() }));
    watched.take(Input::FirstByte { request, attempt: 0 });
    let usage = Usage { prompt_tokens: 7, output_tokens: 3, ..Usage::default() };
    watched.take(Input::Finished { request, attempt: 0, usage });
    let record = &watched.records()[0];
    assert_eq!((record.outcome, record.ttft_millis), (Progress::Finished, None));
    let times = &watched.recorder.metrics().times[&0];
    assert_eq!((times.ttft.count(), times.tpot.count(), times.e2e.count()), (0, 0, 1));
}

#[test]
fn what_is_said_of_an_attempt_that_is_over_counts_nothing() {
    let mut watched = Watched::new();
    let request = watched.arrive(0);
    watched.take(Input::FirstByte { request, attempt: 1 });
    watched.take(Input::Failed { request, attempt: 1, failure: Failure::Broken });
    assert!(watched.recorder.metrics().hosts[0].failures.is_empty());
    assert_eq!(watched.records()[0].ttft_millis, None);
    watched.take(Input::FirstByte { request, attempt: 0 });
    watched.take(Input::Failed { request, attempt: 0, failure: Failure::Broken });
    assert_eq!(watched.recorder.metrics().hosts[0].failures["broken"], 1);
    assert_eq!(watched.records()[0].outcome, Progress::Failed);
}

#[test]
fn names_that_clients_make_up_take_no_series() {
    let mut watched = Watched::new();
    for model in 1..200 {
        watched.named(model);
        watched.arrive(model);
    }
    let request = watched.arrive(0);
    watched.take(Input::Gone { request });
    let metrics = watched.recorder.metrics();
    let counts: Vec<_> = metrics.requests.iter().map(|(key, count)| (*key, *count)).collect();
    let wanted = [((0, 0, Progress::Cancelled), 1), ((MODELS_MAX, 0, Progress::Rejected), 199)];
    assert_eq!(counts, wanted);
    assert_eq!(metrics.rejects["no_host_has_model"], 199);
    assert_eq!(watched.recorder.decisions.len(), 200);
}
