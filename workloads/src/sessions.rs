//! Conversations of several turns. The prompt of a turn is a chain of blocks: the system prompt, and every message
//! and answer so far; so it opens with all of the turn before it.
//!
//! A session starts when its arrival process says so, or when a user of a closed loop opens one; its later turns come
//! a think time after the answer before them ended. It ends after its last turn, before a prompt that would be too
//! long, and where a turn was not answered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use control::ids::SessionId;
use control::request::{Block, Outcome};
use control::units::Instant;
use traces::job::Job;

use crate::arrivals::{Arrivals, Clock};
use crate::check;
use crate::recipe::{Plan, Sender, think};
use crate::sample::{Component, geometric, mix, uniform};
use crate::source::{Source, SourceError};

/// A user's sessions are numbered user × 2⁴⁰ + how-many-eth, those of an open loop from 0. So a session's number, and
/// with it all that is drawn for it, depends on nothing that happened before.
const USER_SHIFT: u32 = 40;

/// What a block holds; part of its id.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Holds {
    SystemPrompt = 1,
    Message = 2,
    Answer = 3,
}

/// The source of sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    plan: Plan,
    settings: check::Sessions,
    starts: Starts,
    /// Sessions with a turn to come, or one under way, by number.
    live: BTreeMap<u64, Session>,
    /// When which session's next turn comes; ties by number. Its first turn, where it is not yet live.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Which session waits for which job.
    waiting: BTreeMap<u64, u64>,
}

/// What starts sessions.
#[derive(Debug)]
enum Starts {
    Open { clock: Box<Clock>, next: Instant, started: u64 },
    Users { think_seconds: f64 },
}

#[derive(Debug)]
struct Session {
    sender: Sender,
    /// Turns taken.
    turn: u64,
    /// Turns in all.
    turns: u64,
    /// The prompt of the last turn.
    chain: Vec<Block>,
    /// Its tokens.
    tokens: u32,
    /// What the answer under way will add.
    answer: Block,
}

impl Sessions {
    /// Sessions that start by themselves.
    pub(crate) fn open(plan: Plan, settings: check::Sessions, arrivals: &Arrivals, seed: u64) -> Self {
        let mut clock = Box::new(Clock::new(arrivals, seed));
        let next = clock.tick();
        Self::new(plan, settings, Starts::Open { clock, next, started: 0 })
    }

    /// Sessions that users open one after the other.
    pub(crate) fn of_users(plan: Plan, settings: check::Sessions, users: u32, think_seconds: f64) -> Self {
        let mut sessions = Self::new(plan, settings, Starts::Users { think_seconds });
        for user in 0..u64::from(users) {
            sessions.open_by_user(user << USER_SHIFT, Instant::ZERO, think_seconds);
        }
        sessions
    }

    fn new(plan: Plan, settings: check::Sessions, starts: Starts) -> Self {
        let (live, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, settings, starts, live, due: BinaryHeap::new(), waiting }
    }

    fn open_by_user(&mut self, session: u64, now: Instant, think_seconds: f64) {
        let pause = think(self.plan.recipe.draws.at(session, 0), Component::Pause, think_seconds);
        self.due.push(Reverse((now.saturating_add(pause), session)));
    }

    /// The next turn and whose it is. A session that starts goes after a turn at the same time.
    fn next(&self) -> Option<(Instant, Option<u64>)> {
        let due = self.due.peek().map(|Reverse((at, session))| (*at, Some(*session)));
        match (&self.starts, due) {
            (Starts::Open { next, .. }, Some((at, session))) if at <= *next => Some((at, session)),
            (Starts::Open { next, .. }, _) => Some((*next, None)),
            (Starts::Users { .. }, due) => due,
        }
    }

    fn begin(&self, number: u64, at: Instant) -> Session {
        let recipe = &self.plan.recipe;
        let entity = recipe.draws.at(number, 0);
        // A closed loop's user keeps her tenant.
        let owner = match self.starts {
            Starts::Open { .. } => entity,
            Starts::Users { .. } => recipe.draws.at(number >> USER_SHIFT << USER_SHIFT, 0),
        };
        let sender = Sender { model: recipe.model(entity, at), tenant: recipe.tenant(owner) };
        let turns = geometric(&mut entity.of(Component::Turns), self.settings.turns_mean);
        let mut chain = Vec::new();
        if self.settings.system_tokens > 0 {
            let which = uniform(&mut entity.of(Component::SystemPrompt), u64::from(self.settings.systems));
            chain.push(Block {
                id: block_id(Holds::SystemPrompt, which, 0),
                tokens: self.settings.system_tokens,
            });
        }
        let answer = Block { id: 0, tokens: 0 };
        Session { sender, turn: 0, turns, chain, tokens: self.settings.system_tokens, answer }
    }

    /// Whether the session has another turn; its prompt so far, the last answer included, has `tokens`.
    fn goes_on(&self, number: u64, session: &Session) -> bool {
        if session.turn >= session.turns {
            return false;
        }
        let (message, _) = self.plan.lengths.draw(self.plan.recipe.draws.at(number, session.turn));
        u64::from(session.tokens) + u64::from(message) <= u64::from(self.settings.prompt_tokens_max)
    }
}

/// A block's id: never 0. Two of 10⁸ blocks share one with a chance of 1 in 4,000.
fn block_id(holds: Holds, owner: u64, turn: u64) -> u64 {
    let owner = mix(owner.wrapping_add((holds as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    mix(owner ^ turn.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)).max(1)
}

impl Source for Sessions {
    fn models(&self) -> &[String] {
        &self.plan.recipe.models
    }

    fn tenants(&self) -> &[String] {
        &self.plan.recipe.tenants
    }

    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError> {
        if self.plan.made == self.plan.requests {
            return Ok(None);
        }
        Ok(self.next().map(|(at, _)| at))
    }

    fn take(&mut self) -> Result<Option<Job>, SourceError> {
        if self.plan.made == self.plan.requests {
            return Ok(None);
        }
        let Some((at, due)) = self.next() else { return Ok(None) };
        let number = match (due, &mut self.starts) {
            (Some(number), _) => {
                self.due.pop();
                number
            }
            (None, Starts::Open { clock, next, started }) => {
                *next = clock.tick();
                *started += 1;
                *started - 1
            }
            (None, Starts::Users { .. }) => unreachable!("a closed loop's sessions are all due at a time"),
        };
        let mut session = self.live.remove(&number).unwrap_or_else(|| self.begin(number, at));
        let Plan { recipe, lengths, made, .. } = &mut self.plan;
        let (message, output) = lengths.draw(recipe.draws.at(number, session.turn));
        session.chain.push(Block { id: block_id(Holds::Message, number, session.turn), tokens: message });
        session.tokens += message;
        let mut job = recipe.job(*made, at, session.sender, (session.tokens, output));
        session.answer = Block {
            id: block_id(Holds::Answer, number, session.turn),
            tokens: job.num_predict.map_or(output, |cap| output.min(cap)),
        };
        job.session = Some(SessionId(number));
        job.blocks = Some(session.chain.as_slice().into());
        job.answer_block = session.answer.id;
        session.turn += 1;
        self.live.insert(number, session);
        self.waiting.insert(*made, number);
        *made += 1;
        Ok(Some(job))
    }

    fn ended(&mut self, job: u64, at: Instant, outcome: Outcome) {
        let Some(number) = self.waiting.remove(&job) else { return };
        let mut session = self.live.remove(&number).expect("a session lives while it waits for an answer");
        session.chain.push(session.answer);
        session.tokens += session.answer.tokens;
        if outcome == Outcome::Finished && self.goes_on(number, &session) {
            let entity = self.plan.recipe.draws.at(number, session.turn);
            let pause = think(entity, Component::Think, self.settings.think_seconds);
            self.due.push(Reverse((at.saturating_add(pause), number)));
            self.live.insert(number, session);
        } else if let Starts::Users { think_seconds } = self.starts {
            self.open_by_user(number + 1, at, think_seconds);
        }
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.plan.requests)
    }
}
