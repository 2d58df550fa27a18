//! What requests demand of hosts: the hosts that will do, for one request and for a burst, and the rules that demand.

use control::constraints::{
    Constraint, Demands, DemandsFile, HostView, Matching, Record, RequestView, RuleFile, Rules,
};
use control::door::Declaration;
use control::draw::{Draw, mix};
use control::ids::HostId;
use control::request::Kind;
use control::units::Bytes;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Capabilities that there are; a host has each with an even chance.
const CAPABILITIES: u32 = 8;
const ZONES: u32 = 4;

/// Different demands that requests have.
const DEMANDS: usize = 64;

/// Requests in a burst, and different demands among them.
const BURST: usize = 64;
const BURST_DEMANDS: usize = 6;

/// Rules for each tenant, and for each model, on average.
const RULES_EACH: usize = 4;

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "constraints/allowed".into(),
            forms: ["each host asked for each demand", "sets of hosts, 64 at a time"],
            operation: "find the hosts with two capabilities, in a zone, with so much memory",
            scale: "hosts",
            claimed: [Complexity::Linear; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Matched::new(case, DEMANDS, 1))),
        },
        Component {
            name: "constraints/batch".into(),
            forms: ["each request for itself", "equal demands asked once"],
            operation: "find the hosts for a burst of 64 requests with six different demands",
            scale: "hosts",
            claimed: [Complexity::Linear; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Matched::new(case, BURST_DEMANDS, BURST))),
        },
        Component {
            name: "constraints/rules".into(),
            forms: ["a list of rules, walked through", "rules by tenant and by model"],
            operation: "find what the rules demand for a request",
            scale: "rules",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Ruled::new(case))),
        },
    ]
}

struct Matched {
    matching: Matching,
    demands: Vec<Demands>,
    /// Requests at once.
    burst: usize,
    draw: Draw,
}

impl Matched {
    fn new(case: Case, demands: usize, burst: usize) -> Self {
        let (mut draw, mut matching) = (case.draw(), Matching::new(case.implementation));
        for host in 0..case.scale as u32 {
            let declaration = declaration(&mut draw, host);
            let (host, record) = (HostId(host), Record::default());
            matching.update(&HostView { host, declaration: &declaration, loaded: &[], record });
        }
        let demands = (0..demands).map(|_| demanded(&mut draw)).collect();
        Self { matching, demands, burst, draw }
    }

    fn any(&mut self) -> usize {
        self.draw.below(self.demands.len() as u32) as usize
    }
}

fn declaration(draw: &mut Draw, host: u32) -> Declaration {
    Declaration {
        name: format!("host-{host}"),
        zone: zone(draw),
        memory: Bytes(u64::from(8 * (1 + draw.below(10))) << 30),
        capabilities: (0..CAPABILITIES).filter(|_| draw.below(2) == 0).map(capability).collect(),
        ..Declaration::default()
    }
}

fn zone(draw: &mut Draw) -> String {
    format!("zone-{}", draw.below(ZONES))
}

fn capability(number: u32) -> String {
    format!("capability-{number}")
}

fn demanded(draw: &mut Draw) -> Demands {
    let one = draw.below(CAPABILITIES);
    let other = (one + 1 + draw.below(CAPABILITIES - 1)) % CAPABILITIES;
    let file = DemandsFile {
        require_capabilities: Some([one, other].map(capability).into()),
        require_zones: Some(vec![zone(draw)]),
        vram_gib_min: Some(8 * (1 + draw.below(8))),
        ..DemandsFile::default()
    };
    file.check("demands").expect("valid demands")
}

impl Subject for Matched {
    fn operate(&mut self, operations: u64) -> u64 {
        let add = |answer: u64, host: HostId| answer.wrapping_mul(31).wrapping_add(u64::from(host.0) + 1);
        let mut sum = 0_u64;
        for _ in 0..operations {
            if self.burst == 1 {
                let at = self.any();
                let allowed = self.matching.allowed(&self.demands[at], &|_| None);
                sum = sum.wrapping_add(mix(allowed.iter().fold(0, add)));
                continue;
            }
            let asked: Vec<usize> = (0..self.burst).map(|_| self.any()).collect();
            let asked: Vec<&Demands> = asked.into_iter().map(|at| &self.demands[at]).collect();
            let batch = self.matching.allowed_many(&asked, &|_| None);
            // What a balancer would begin with: going through all of every set would hide what finding them costs.
            let first = (0..batch.len()).filter_map(|at| batch.get(at).iter().next());
            sum = sum.wrapping_add(mix(first.fold(0, add)));
        }
        sum
    }
}

struct Ruled {
    rules: Rules,
    tenants: Vec<String>,
    models: Vec<String>,
    draw: Draw,
}

impl Ruled {
    fn new(case: Case) -> Self {
        let each = case.scale.div_ceil(2 * RULES_EACH);
        let list = |of: &str| (0..each).map(|at| format!("{of}-{at}")).collect::<Vec<_>>();
        let (tenants, models, mut draw) = (list("tenant"), list("model"), case.draw());
        let mut rules = Rules::new(case.implementation);
        for number in 0..case.scale {
            let among = |names: &[String], draw: &mut Draw| {
                Some(vec![names[draw.below(names.len() as u32) as usize].clone()])
            };
            let by_tenant = number % 2 == 0;
            let file = RuleFile {
                name: format!("rule-{number}"),
                tenants: if by_tenant { among(&tenants, &mut draw) } else { None },
                models: if by_tenant { None } else { among(&models, &mut draw) },
                kinds: None,
                priority_min: Some(draw.below(3) as i8 - 1),
                demands: DemandsFile {
                    vram_gib_min: Some(1 + draw.below(80)),
                    exclude_zones: Some(vec![zone(&mut draw)]),
                    ..DemandsFile::default()
                },
            };
            rules.add(file.check("rule").expect("a valid rule"));
        }
        Self { rules, tenants, models, draw }
    }
}

impl Subject for Ruled {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let each = self.tenants.len() as u32;
            let request = RequestView {
                tenant: &self.tenants[self.draw.below(each) as usize],
                model: &self.models[self.draw.below(each) as usize],
                kind: Kind::Completion,
                priority: self.draw.below(3) as i8 - 1,
            };
            let mut answer = 0_u64;
            for constraint in self.rules.demands_for(&request).constraints() {
                let demanded = match constraint {
                    Constraint::VramMin(least) => least.0,
                    Constraint::ExcludeZones(zones) => zones.len() as u64,
                    other => unreachable!("no rule demands {other:?}"),
                };
                answer = answer.wrapping_mul(31).wrapping_add(demanded);
            }
            sum = sum.wrapping_add(mix(answer));
        }
        sum
    }
}
