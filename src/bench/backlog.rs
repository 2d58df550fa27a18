//! Control under a standing backlog, under each scheduler, by number of queued requests: time of a request, and what
//! each queued request takes of memory.

use control::config::ControlFile;
use control::draw::Draw;
use control::ids::{ModelId, SessionId, TenantId};
use control::request::Arrive;
use control::schedule;
use control::units::{Bytes, Instant};

use super::fit::Complexity;
use super::plane::{Fleet, Plane};
use super::{Case, Clock, Component, Subject};

/// Eight hosts of eight slots, all taken.
const FLEET: Fleet = Fleet { hosts: 8, slots: 8, models: 4, tenants: 16 };

/// Deadlines are this far off and up to twice as far: none passes while it is measured.
const DEADLINE_SECONDS: u32 = 250;

pub(super) fn components() -> Vec<Component> {
    let component = |strategy: &control::strategy::Strategy| {
        let name = strategy.name;
        Component {
            name: format!("backlog/{name}"),
            forms: ["control, baseline structures", "control, optimised structures"],
            operation: "end a request, let the next out, queue another",
            scale: "queued requests",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(move |case| Box::new(Backlog::new(name, case))),
        }
    };
    schedule::ALL.iter().map(|(_, strategy)| component(strategy)).collect()
}

struct Backlog {
    plane: Plane,
    draw: Draw,
}

impl Backlog {
    fn new(scheduler: &str, case: Case) -> Self {
        let file = ControlFile {
            scheduler: scheduler.into(),
            implementation: case.implementation.into(),
            queue_requests_max: case.scale as u32 + 1,
            ..ControlFile::default()
        };
        let mut backlog = Self { plane: Plane::new(&file, &FLEET, case.seed), draw: case.draw() };
        for _ in 0..case.scale + (FLEET.hosts * FLEET.slots) as usize {
            backlog.arrive();
        }
        backlog
    }

    fn arrive(&mut self) {
        let deadline = u64::from(DEADLINE_SECONDS + self.draw.below(DEADLINE_SECONDS));
        let arrive = Arrive {
            model: ModelId(self.draw.below(FLEET.models)),
            tenant: TenantId(self.draw.below(FLEET.tenants)),
            session: Some(SessionId(u64::from(self.draw.below(1_000)))),
            priority: self.draw.below(5) as i8 - 2,
            deadline: Some(Instant(self.plane.now().0 + deadline * 1_000_000_000)),
            prompt_bytes: Bytes(u64::from(400 + self.draw.below(8_000))),
            ..Arrive::default()
        };
        self.plane.arrive(arrive);
    }
}

impl Subject for Backlog {
    fn operate(&mut self, operations: u64) -> u64 {
        let before = self.plane.sum();
        for _ in 0..operations {
            self.plane.finish();
            self.arrive();
        }
        self.plane.sum().wrapping_sub(before)
    }
}
