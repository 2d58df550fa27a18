//! Whether a plan keeps to everything that was asked: written apart from what makes plans, over the plan alone.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::draft::Draft;
use super::ground::{Ground, Pair};
use super::problem::{Demand, Plan, Problem, Standing};

/// Checks a plan: capacity, most models and replicas, exclusions, models apart, replicas that are too young to go, and that
/// pins, least numbers and the spread over zones are met wherever the plan leaves room for it.
///
/// # Errors
/// What is wrong first.
pub fn check(problem: &Problem, plan: &Plan) -> Result<(), String> {
    if plan.standing == Standing::HandsOff {
        let empty = plan.replicas.is_empty() && plan.unmet.is_empty();
        return if empty { Ok(()) } else { Err("a plan that keeps its hands off names nothing".into()) };
    }
    let ordered = plan.replicas.is_sorted_by(|a, b| (a.host, a.model) < (b.host, b.model));
    if !ordered {
        return Err("replicas do not stand in order of host and model, each once".into());
    }
    let ground = Ground::new(problem);
    let planned = Planned::new(&ground, plan)?;
    for host in 0..ground.hosts_len() {
        planned.check_host(host)?;
    }
    for model in 0..ground.models_len() {
        planned.check_limits(model)?;
        planned.check_pins(model)?;
        planned.check_minimum(model)?;
        planned.check_zones(model)?;
    }
    Ok(())
}

/// A plan by positions.
struct Planned<'a> {
    ground: &'a Ground<'a>,
    plan: &'a Plan,
    pairs: BTreeSet<Pair>,
    /// Replicas that are too young to go.
    young: BTreeSet<Pair>,
}

impl<'a> Planned<'a> {
    fn new(ground: &'a Ground<'a>, plan: &'a Plan) -> Result<Self, String> {
        let mut pairs = BTreeSet::new();
        for replica in &plan.replicas {
            let Some(pair) = ground.pair(replica) else {
                return Err(format!("{replica:?} names a host or a model that is not there"));
            };
            pairs.insert(pair);
        }
        let kept = Draft::of_the_young(ground);
        let young: BTreeSet<Pair> =
            ground.residents.iter().map(|(_, pair)| *pair).filter(|pair| kept.has(*pair)).collect();
        let planned = Self { ground, plan, pairs, young };
        match planned.young.difference(&planned.pairs).next() {
            Some(gone) => Err(format!("{} is too young to go", planned.named(*gone))),
            None => Ok(planned),
        }
    }

    fn named(&self, pair: Pair) -> String {
        let Problem { hosts, models, .. } = self.ground.problem;
        format!("model {} on host {}", models[pair.model].id.0, hosts[pair.host].id.0)
    }

    fn on_host(&self, host: usize) -> impl Iterator<Item = Pair> {
        (0..self.ground.models_len())
            .map(move |model| Pair { model, host })
            .filter(|pair| self.pairs.contains(pair))
    }

    fn of_model(&self, model: usize) -> impl Iterator<Item = Pair> {
        let all = Pair { model, host: 0 }..=Pair { model, host: usize::MAX };
        self.pairs.range(all).copied()
    }

    fn check_host(&self, host: usize) -> Result<(), String> {
        let pairs: Vec<Pair> = self.on_host(host).collect();
        let id = self.ground.problem.hosts[host].id.0;
        if let Some(pair) = pairs.iter().find(|pair| !self.ground.is_allowed(**pair)) {
            return Err(format!("{}: the host is closed or excluded", self.named(*pair)));
        }
        if !self.has_memory(host, &pairs) {
            return Err(format!("host {id} has less memory than its replicas take"));
        }
        if self.ground.problem.hosts[host].models_max.is_some_and(|most| pairs.len() > most as usize) {
            return Err(format!("host {id} has more models than it may"));
        }
        for pair in &pairs {
            let apart = &self.ground.apart[pair.model];
            if let Some(other) = pairs.iter().find(|other| apart.contains(&other.model)) {
                return Err(format!("{} is not apart from {}", self.named(*pair), self.named(*other)));
            }
        }
        Ok(())
    }

    /// What is loaded alone fits where it is.
    fn has_memory(&self, host: usize, pairs: &[Pair]) -> bool {
        let Problem { hosts, models, .. } = self.ground.problem;
        let bytes: u128 = pairs.iter().map(|pair| u128::from(models[pair.model].memory.0)).sum();
        bytes <= u128::from(hosts[host].memory.0) || pairs.len() == 1 && self.ground.is_resident(pairs[0])
    }

    fn check_limits(&self, model: usize) -> Result<(), String> {
        let of = &self.ground.problem.models[model];
        if self.of_model(model).count() > of.limits.max as usize {
            return Err(format!("model {} has more replicas than it may", of.id.0));
        }
        Ok(())
    }

    /// Whether another replica could be added, whatever the zone and the most replicas.
    fn has_room(&self, pair: Pair) -> bool {
        let mut pairs: Vec<Pair> = self.on_host(pair.host).collect();
        let most = self.ground.problem.hosts[pair.host].models_max;
        let apart = pairs.iter().all(|other| !self.ground.apart[pair.model].contains(&other.model));
        let fewer = most.is_none_or(|most| pairs.len() < most as usize);
        let new = !pairs.contains(&pair);
        pairs.push(pair);
        self.ground.is_allowed(pair) && new && apart && fewer && self.has_memory(pair.host, &pairs)
    }

    fn has_most(&self, model: usize) -> bool {
        self.of_model(model).count() >= self.ground.problem.models[model].limits.max as usize
    }

    fn is_told(&self, model: usize, demand: Demand) -> bool {
        let id = self.ground.problem.models[model].id;
        self.plan.unmet.iter().any(|unmet| unmet.model == id && unmet.demand == demand)
    }

    fn check_pins(&self, model: usize) -> Result<(), String> {
        let problem = self.ground.problem;
        for id in &problem.models[model].pinned {
            let host = problem.hosts.binary_search_by_key(id, |host| host.id).ok();
            let pair = host.map(|host| Pair { model, host });
            let met = pair.is_some_and(|pair| self.pairs.contains(&pair));
            if met == self.is_told(model, Demand::Pinned(*id)) {
                return Err(format!(
                    "model {}: its pin to host {} is told wrongly",
                    problem.models[model].id.0, id.0
                ));
            }
            if let Some(pair) = pair.filter(|pair| !met && !self.has_most(model) && self.has_room(*pair)) {
                return Err(format!("{} is pinned and has room", self.named(pair)));
            }
        }
        Ok(())
    }

    fn check_minimum(&self, model: usize) -> Result<(), String> {
        let of = &self.ground.problem.models[model];
        let missing = of.limits.min.saturating_sub(self.of_model(model).count() as u32);
        if missing == 0 {
            return Ok(());
        }
        if !self.is_told(model, Demand::Minimum(missing)) {
            return Err(format!("model {} lacks {missing} replicas, which is not told", of.id.0));
        }
        let mut hosts = (0..self.ground.hosts_len()).map(|host| Pair { model, host });
        match hosts.find(|pair| !self.has_most(model) && self.has_room(*pair)) {
            Some(pair) => Err(format!("{} would have room and is missing", self.named(pair))),
            None => Ok(()),
        }
    }

    /// No replica that could have been put elsewhere shares a zone while another zone has room and is demanded.
    fn check_zones(&self, model: usize) -> Result<(), String> {
        let zone = |pair: Pair| self.ground.zone[pair.host];
        let zones: BTreeSet<usize> = self.of_model(model).map(zone).collect();
        if zones.len() >= self.ground.problem.models[model].zones_min as usize {
            return Ok(());
        }
        let shares =
            |pair: &Pair| self.of_model(model).filter(|other| zone(*other) == zone(*pair)).count() > 1;
        let free = |pair: &Pair| !self.young.contains(pair) && !self.ground.is_pinned(*pair);
        let Some(pair) = self.of_model(model).find(|pair| free(pair) && shares(pair)) else { return Ok(()) };
        let mut hosts = (0..self.ground.hosts_len()).map(|host| Pair { model, host });
        match hosts.find(|other| !zones.contains(&zone(*other)) && self.has_room(*other)) {
            Some(other) => {
                Err(format!("{} shares a zone and could be {}", self.named(pair), self.named(other)))
            }
            None => Ok(()),
        }
    }
}
