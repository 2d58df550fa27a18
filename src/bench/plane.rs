//! Control with a fleet and no hosts behind it: what is let out runs until it is said to have ended.

use std::collections::VecDeque;

use control::Control;
use control::config::{Config, ControlFile};
use control::door::{
    Declaration, Env, Input, LoadedModel, NoMeter, Observation, Output, Outputs, StoredModel,
};
use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::request::{Arrive, Usage};
use control::units::{Bytes, Instant};

/// A fleet.
pub(super) struct Fleet {
    pub(super) hosts: u32,
    /// Slots of each.
    pub(super) slots: u32,
    /// Models that each has on disk; one of them, in turns, is in memory.
    pub(super) models: u32,
    pub(super) tenants: u32,
}

/// Control, and what it has let out.
pub(super) struct Plane {
    control: Control,
    out: Outputs,
    now: Instant,
    arrived: u64,
    seed: u64,
    running: VecDeque<(RequestId, u8)>,
    /// The wrapping sum over all that was let out: which request, in what order, to which host.
    sum: u64,
    let_out: u64,
}

impl Plane {
    pub(super) fn new(file: &ControlFile, fleet: &Fleet, seed: u64) -> Self {
        let mut plane = Self {
            control: Control::new(config(file)),
            out: Outputs::new(),
            now: Instant::ZERO,
            arrived: 0,
            seed,
            running: VecDeque::new(),
            sum: 0,
            let_out: 0,
        };
        for model in 0..fleet.models {
            plane.step(Input::ModelNamed { model: ModelId(model), name: format!("model-{model}") });
        }
        for tenant in 0..fleet.tenants {
            plane.step(Input::TenantNamed { tenant: TenantId(tenant), name: format!("tenant-{tenant}") });
        }
        let stored: Vec<StoredModel> =
            (0..fleet.models).map(|model| StoredModel::of_size(ModelId(model), Bytes(1))).collect();
        for host in 0..fleet.hosts {
            let declaration = Declaration { slots: fleet.slots, ..Declaration::default() };
            plane.step(Input::HostDeclared { host: HostId(host), declaration });
            let model = ModelId(host % fleet.models);
            let loaded = vec![LoadedModel { model, bytes: Bytes(1), vram: Bytes(1) }];
            let observation = Observation { loaded, stored: stored.clone(), ..Observation::default() };
            plane.step(Input::Observed { host: HostId(host), observation });
        }
        plane
    }

    /// From now on this decides.
    pub(super) fn install(&mut self, file: &ControlFile) {
        self.step(Input::Policy(Box::new(config(file))));
    }

    /// A request comes, a microsecond after the one before.
    pub(super) fn arrive(&mut self, arrive: Arrive) {
        let request = RequestId(self.arrived);
        self.arrived += 1;
        self.now = Instant(self.arrived * 1_000);
        self.step(Input::Arrive(Arrive { request, ..arrive }));
    }

    /// The request that was let out longest ago brings its first byte and ends.
    pub(super) fn finish(&mut self) {
        let (request, attempt) = self.running.pop_front().expect("some are under way");
        let usage = Usage { prompt_tokens: 800, output_tokens: 200, ..Usage::default() };
        self.step(Input::FirstByte { request, attempt });
        self.step(Input::Finished { request, attempt, usage });
    }

    /// Requests under way.
    pub(super) fn running_len(&self) -> usize {
        self.running.len()
    }

    /// When it is.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// The sum over what was let out so far.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    fn step(&mut self, input: Input) {
        let mut env = Env { seed: self.seed, meter: &mut NoMeter };
        self.control.step(self.now, input, &mut self.out, &mut env);
        for output in self.out.drain() {
            let Output::Dispatch(dispatch) = output else {
                panic!("there is room in every queue, and time enough: {output:?}")
            };
            self.let_out += 1;
            let what = dispatch.request.0 << 20 ^ u64::from(dispatch.host.0);
            self.sum = self.sum.wrapping_add(what.wrapping_mul(self.let_out));
            self.running.push_back((dispatch.request, dispatch.attempt));
        }
    }
}

/// The config of a file. Here requests end in the order in which they were let out, whatever loads: none waits for a load.
fn config(file: &ControlFile) -> Config {
    ControlFile { cold_models_max: 0, ..file.clone() }.check().expect("a valid file")
}
