//! What must hold of a host at any time.

use super::flight::Stage;
use super::runner::State;
use super::{Host, Serving, Wait};
use control::units::Bytes;

impl Host {
    /// Weights and caches stay within each GPU's and the host's memory, requests within slots, models within what may be
    /// loaded, the pending queue within its bound; and what is counted is there.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.check_memory()?;
        self.check_runners()?;
        self.check_scheduler()?;
        self.tiers.check()
    }

    fn check_memory(&self) -> Result<(), String> {
        for (gpu, spec) in self.spec.gpus.iter().enumerate() {
            let used: Bytes = self.runners.iter().map(|runner| runner.on_gpu(gpu)).sum();
            if used.0 > spec.memory_bytes {
                return Err(format!("GPU {gpu}: {} of {} bytes used", used.0, spec.memory_bytes));
            }
        }
        let used: Bytes = self.runners.iter().map(|runner| runner.placement.cpu).sum();
        if used > self.spec.ram {
            return Err(format!("host memory: {} of {} bytes used", used.0, self.spec.ram.0));
        }
        Ok(())
    }

    fn check_runners(&self) -> Result<(), String> {
        let ollama = self.spec.serving == Serving::Ollama;
        for runner in &self.runners {
            let model = &self.profile(runner.model).model;
            let (most, _) = super::rules::slots(&self.spec, model);
            if ollama && runner.slots > most {
                return Err(format!("{}: {} slots, allowed {most}", model.name, runner.slots));
            }
            if ollama && runner.num_ctx > model.context_max.max(4) {
                return Err(format!("{}: context of {} tokens", model.name, runner.num_ctx));
            }
            let busy = runner.refs > 0 || runner.admitted > 0;
            if busy && runner.state != State::Ready {
                return Err(format!(
                    "{}: {} requests on it while {:?}",
                    model.name, runner.refs, runner.state
                ));
            }
            if runner.refs < runner.admitted {
                return Err(format!(
                    "{}: {} hold it, {} are in it",
                    model.name, runner.refs, runner.admitted
                ));
            }
            if runner.due.is_some() != (runner.admitted > 0) {
                return Err(format!(
                    "{}: {} requests, next step {:?}",
                    model.name, runner.admitted, runner.due
                ));
            }
            if runner.due != runner.batch.next() {
                return Err(format!("{}: the batch loop's next event was not taken over", model.name));
            }
        }
        let listed = self.runners.iter().filter(|runner| runner.listed).count();
        if ollama && listed > self.loaded_max {
            return Err(format!("{listed} models loaded, allowed {}", self.loaded_max));
        }
        let mut blobs: Vec<u16> =
            self.runners.iter().filter(|runner| runner.listed).map(|runner| runner.blob).collect();
        blobs.sort_unstable();
        if blobs.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two runners for one blob".to_owned());
        }
        Ok(())
    }

    fn check_scheduler(&self) -> Result<(), String> {
        let most = self.spec.max_queue as usize;
        if self.queue.len() > most {
            return Err(format!("{} requests pending, allowed {most}", self.queue.len()));
        }
        if self.hand.is_none() && !self.queue.is_empty() {
            return Err(format!("{} requests pending, none in hand", self.queue.len()));
        }
        if let Some((_, Wait::Load(id))) = self.hand
            && self.runner_index(id).is_none()
        {
            return Err("the pending loop waits for a load that is not under way".to_owned());
        }
        if matches!(self.hand, Some((_, Wait::Unload))) && self.unloading.is_none() {
            // A request that carries a keep-alive without end can hold up the loop without end; nothing else can.
            let held = |runner: &super::Runner| runner.refs > 0 || runner.expires.is_some() || runner.stays();
            if !self.runners.iter().any(held) {
                return Err("the pending loop waits for an unload, and no runner will go".to_owned());
            }
        }
        if self.locked != self.runners.iter().any(|runner| runner.state == State::Ending) {
            return Err(format!("locked: {}, without cause", self.locked));
        }
        let loads = self.runners.iter().filter(|runner| runner.loading()).count();
        if loads > 1 {
            return Err(format!("{loads} loads at a time"));
        }
        let count =
            |stage: fn(&Stage) -> bool| self.flights.iter().filter(|flight| stage(&flight.stage)).count();
        let running = count(|stage| matches!(stage, Stage::Running(_)));
        let admitted: u32 = self.runners.iter().map(|runner| runner.admitted).sum();
        let pending = count(|stage| matches!(stage, Stage::Pending));
        let in_hand = usize::from(self.hand.is_some_and(|(_, wait)| !matches!(wait, Wait::Load(_))));
        let locked = count(|stage| matches!(stage, Stage::Locked));
        let waiting: usize = self.runners.iter().map(|runner| runner.waiting.len()).sum();
        let counts = [
            ("running", running, admitted as usize),
            ("pending", pending, self.queue.len() + in_hand),
            ("waiting for a lock", locked, self.gate.len() + waiting),
            ("being prepared", count(|stage| matches!(stage, Stage::Preparing)), self.preparing.len()),
        ];
        for (what, flights, places) in counts {
            if flights != places {
                return Err(format!("{what}: {flights} requests in {places} places"));
            }
        }
        Ok(())
    }
}
