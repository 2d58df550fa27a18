//! Demands at work: the lane of a request by what rules demand for it, and who will do for a lane.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::Control;
use super::lanes::LaneId;
use crate::constraints::{Demands, HostView, Matching, Record, RequestView, Rules};
use crate::door::Part;
use crate::ids::{HostId, ModelId, TenantId};
use crate::index::Implementation;
use crate::request::{Arrive, Kind};
use crate::units::{Instant, Nanos};

/// What rules look at in a request.
type Looks = (ModelId, TenantId, Kind, i8);
/// Looks whose lane is remembered at most; beyond that all are forgotten, and found again by the rules.
const LOOKS_MAX: usize = 1 << 16;

/// Rules, and the hosts as they see them; nothing is kept where there is no rule, and no request demands something by itself.
#[derive(Debug)]
pub(super) struct Demanding {
    rules: Rules,
    pub(super) matching: Matching,
    lanes: BTreeMap<(ModelId, Demands), LaneId>,
    looks: BTreeMap<Looks, LaneId>,
    /// Whether some demands depend on what hosts are doing.
    dynamic: bool,
}

impl Demanding {
    fn new(implementation: Implementation) -> Self {
        Self {
            rules: Rules::new(implementation),
            matching: Matching::new(implementation),
            lanes: BTreeMap::new(),
            looks: BTreeMap::new(),
            dynamic: false,
        }
    }
}

impl Control {
    /// Takes in the rules of the config.
    pub(super) fn index_rules(&mut self) {
        self.indexes.demanding = None;
        if self.config.rules.is_empty() && !self.facts.demands_dynamic {
            return;
        }
        let mut demanding = Demanding::new(self.implementation(Part::Constraints));
        demanding.dynamic = self.facts.demands_dynamic;
        for rule in &self.config.rules {
            // From the rules and not from lanes, so that nothing is missed before the first lane that depends on it.
            demanding.dynamic |= rule.demands().is_dynamic();
            demanding.rules.add(rule.clone());
        }
        if demanding.dynamic {
            self.prepare_trials();
        }
        self.indexes.demanding = Some(Box::new(demanding));
    }

    /// The lane of a request that arrives.
    pub(super) fn lane_of_arrival(&mut self, arrive: &Arrive) -> LaneId {
        let model = &self.indexes.models[arrive.model.index()];
        if model.stored.is_empty() && arrive.demands().is_some() {
            // It goes nowhere, whatever it demands: no lane is made for it.
            return model.lanes[0];
        }
        let lane = self.lane_of(arrive);
        self.fill_lanes();
        lane
    }

    /// The lane of a request, made where it is the first of its kind: [`Control::fill_lanes`] then finds its hosts.
    pub(super) fn lane_of(&mut self, arrive: &Arrive) -> LaneId {
        if let Some(own) = arrive.demands() {
            return self.lane_of_own(arrive, own);
        }
        let plain = self.indexes.models[arrive.model.index()].lanes[0];
        let Some(demanding) = &mut self.indexes.demanding else { return plain };
        let looks = (arrive.model, arrive.tenant, arrive.kind, arrive.priority);
        if let Some(lane) = demanding.looks.get(&looks) {
            return *lane;
        }
        let demands = self.demands_by_rules(arrive);
        let lane = self.lane_with(arrive.model, demands);
        if let Some(demanding) = &mut self.indexes.demanding {
            if demanding.looks.len() >= LOOKS_MAX {
                demanding.looks.clear();
            }
            demanding.looks.insert(looks, lane);
        }
        lane
    }

    /// The lane of a request that demands something by itself: found anew for each, since no two need demand the same.
    fn lane_of_own(&mut self, arrive: &Arrive, own: &Demands) -> LaneId {
        self.heed(own);
        let demands = self.demands_by_rules(arrive).and(own);
        self.lane_with(arrive.model, demands)
    }

    fn demands_by_rules(&self, arrive: &Arrive) -> Demands {
        let request = RequestView {
            tenant: self.facts.tenants.get(arrive.tenant.index()).map_or("", |name| name.as_str()),
            model: &self.facts.models[arrive.model.index()].name,
            kind: arrive.kind,
            priority: arrive.priority,
        };
        let demanding = self.indexes.demanding.as_ref();
        demanding.map_or_else(Demands::default, |demanding| demanding.rules.demands_for(&request))
    }

    /// Keeps what these demands look at up to date from now on.
    fn heed(&mut self, demands: &Demands) {
        let constraints = self.implementation(Part::Constraints);
        let is_new = self.indexes.demanding.is_none();
        let demanding = self.indexes.demanding.get_or_insert_with(|| Box::new(Demanding::new(constraints)));
        let turns_dynamic = demands.is_dynamic() && !demanding.dynamic;
        demanding.dynamic |= turns_dynamic;
        self.facts.demands_dynamic |= demands.is_dynamic();
        if turns_dynamic {
            self.prepare_trials();
        }
        if is_new || turns_dynamic {
            for host in 0..self.facts.hosts.len() {
                self.match_declared(HostId(host as u32));
            }
        }
    }

    /// The lane of requests for a model with these demands.
    fn lane_with(&mut self, model: ModelId, demands: Demands) -> LaneId {
        let demanding = self.indexes.demanding.as_ref();
        let known = demanding.and_then(|demanding| demanding.lanes.get(&(model, demands.clone())).copied());
        match known {
            Some(lane) => lane,
            None if demands.is_empty() => self.indexes.models[model.index()].lanes[0],
            None => self.make_lane(model, demands),
        }
    }

    /// A lane without hosts.
    fn make_lane(&mut self, model: ModelId, demands: Demands) -> LaneId {
        let lane = self.add_lane(model);
        if let Some(demanding) = &mut self.indexes.demanding {
            demanding.lanes.insert((model, demands.clone()), lane);
        }
        self.indexes.lanes[lane.index()].demands = Some(Box::new(demands));
        self.indexes.unfilled.push(lane);
        self.prefer(lane);
        lane
    }

    /// Finds the hosts that a lane prefers.
    fn prefer(&mut self, lane: LaneId) {
        let Some(demanding) = &self.indexes.demanding else { return };
        let lane = &mut self.indexes.lanes[lane.index()];
        if let Some(demands) = &lane.demands {
            lane.preferred = demanding.matching.preferred(demands);
        }
    }

    /// What the operator says of a host changed.
    pub(super) fn match_declared(&mut self, host: HostId) {
        let record = self.record(host);
        let Some(demanding) = &mut self.indexes.demanding else { return };
        let facts = &self.facts.hosts[host.index()];
        let (declaration, loaded) = (&facts.declaration, facts.observation.loaded.as_slice());
        demanding.matching.update(&HostView { host, declaration, loaded, record });
        for lane in 0..self.indexes.lanes.len() {
            self.prefer(LaneId::new(lane));
        }
    }

    /// What a host has in memory changed. Whether that may have opened a host to someone.
    pub(super) fn match_loaded(&mut self, host: HostId) -> bool {
        let Some(demanding) = &mut self.indexes.demanding else { return false };
        demanding.matching.update_loaded(host, &self.facts.hosts[host.index()].observation.loaded);
        if !demanding.dynamic {
            return false;
        }
        self.place_host(host);
        true
    }

    /// What a host's answers taught changed. Whether that may have opened a host to someone.
    pub(super) fn match_record(&mut self, now: Instant, host: HostId) -> bool {
        if self.indexes.demanding.as_ref().is_some_and(|demanding| demanding.dynamic) {
            self.postpone_trial(now, host);
        }
        self.show_record(host)
    }

    /// Lets demands see what is known of a host. Whether that may have opened it to someone.
    pub(super) fn show_record(&mut self, host: HostId) -> bool {
        let record = self.record(host);
        let Some(demanding) = &mut self.indexes.demanding else { return false };
        if !demanding.dynamic {
            return false;
        }
        demanding.matching.update_record(host, record);
        self.place_host(host);
        true
    }

    /// How long after its arrival a request of a lane may start.
    pub(super) fn start_after(&self, lane: LaneId) -> Nanos {
        let demands = self.indexes.lanes[lane.index()].demands.as_deref();
        demands.and_then(Demands::start_after).unwrap_or(Nanos::ZERO)
    }

    /// When the answer to a request of a lane, which arrives now, loses its worth.
    pub(super) fn deadline(&self, lane: LaneId, now: Instant) -> Option<Instant> {
        let demands = self.indexes.lanes[lane.index()].demands.as_deref()?;
        Some(now.saturating_add(demands.deadline()?))
    }

    /// What demands see of a host's answers: nothing while it is on trial.
    pub(super) fn record(&self, host: HostId) -> Record {
        if self.facts.trials.is_open(host) {
            return Record::default();
        }
        let history = &self.facts.history[host.index()];
        Record {
            ttft: history.ttft.get().map(Nanos),
            answered_permille: Some(history.health_permille() as u16),
        }
    }
}
