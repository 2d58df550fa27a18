//! A whole fleet on this machine: three emulated hosts, a gateway in front of them, and a trickle of load.
//!
//! For whoever wants to see the gateway at work and has neither GPU nor models. All of it listens on loopback and ends
//! together: first the load, then the gateway once running answers are done, then the hosts.

mod load;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use control::facts::Counters;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

pub use load::{REQUESTS_PER_SECOND_MAX, Tally};

use crate::emulated::{EmulatedHost, EmulatedOptions, HostSetupError};
use crate::gateway::{Gateway, ServeConfig, ServeConfigError, ServeError, ServeSummary};

/// Slots of each model on each host.
const SLOTS: u32 = 4;

/// How the gateway decides.
pub const CONTROL: &str = "\
[control]
scheduler = \"deficit-round-robin\"
balancer = \"model-affinity\"
dispatch = \"slots\"
queue_requests_max = 200
queue_timeout_millis = 60_000
";

/// A host of the demonstration.
struct Machine {
    name: &'static str,
    gpu: &'static str,
    memory_gib: u32,
    models: &'static [&'static str],
}

/// Different machines, so that it matters who is asked; no model is on all of them.
const MACHINES: [Machine; 3] = [
    Machine {
        name: "tower",
        gpu: "rtx-4090",
        memory_gib: 24,
        models: &["llama3.2:3b", "qwen3:8b", "gemma3:4b"],
    },
    Machine { name: "old-tower", gpu: "rtx-3090", memory_gib: 24, models: &["llama3.2:3b", "llama3.1:8b"] },
    Machine {
        name: "studio",
        gpu: "m2-ultra",
        memory_gib: 192,
        models: &["gemma3:12b", "llama3.1:8b", "gemma3:4b"],
    },
];

/// Options of a demonstration.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DemoOptions {
    /// Where the gateway listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Load, in requests per second; 0 to [`REQUESTS_PER_SECOND_MAX`].
    pub requests_per_second: f64,
    /// Of the load.
    pub seed: u64,
}

/// Why a demonstration cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A host cannot start.
    #[error("{0}")]
    Host(#[from] HostSetupError),
    /// The gateway's address cannot be taken.
    #[error("{0}")]
    Config(#[from] ServeConfigError),
    /// The gateway cannot start.
    #[error("{0}")]
    Serve(#[from] ServeError),
    /// More load than there may be, or none that is a number.
    #[error("load: found {0} requests per second, expected 0 to {REQUESTS_PER_SECOND_MAX}")]
    Load(f64),
}

/// A host as it is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DemoHost {
    /// Its name in the gateway's config.
    pub name: &'static str,
    /// Its GPU.
    pub gpu: &'static str,
    /// Models on its disk.
    pub models: &'static [&'static str],
    /// Where it listens.
    pub address: SocketAddr,
}

/// A demonstration that listens, and answers once it runs.
#[derive(Debug)]
pub struct Demo {
    gateway: Gateway,
    hosts: Vec<EmulatedHost>,
    told: Vec<DemoHost>,
    options: DemoOptions,
    tally: Arc<Tally>,
}

impl Demo {
    /// Listens on all addresses.
    ///
    /// # Errors
    /// Where one of them is taken, or the load is out of its range.
    pub async fn bind(options: DemoOptions) -> Result<Self, DemoError> {
        if !(0.0..=REQUESTS_PER_SECOND_MAX).contains(&options.requests_per_second) {
            return Err(DemoError::Load(options.requests_per_second));
        }
        let mut text = format!(
            "[serve]\nlisten = \"{}\"\npoll_millis = 500\ndrain_seconds = 10\nseed = {}\n",
            options.listen, options.seed
        );
        let (mut hosts, mut told) = (Vec::new(), Vec::new());
        for machine in &MACHINES {
            let host = EmulatedHost::bind(&EmulatedOptions {
                profile: machine.gpu.into(),
                models: machine.models.iter().map(|&model| model.to_owned()).collect(),
                num_parallel: Some(SLOTS),
                num_ctx_default: Some(8_192),
                ..EmulatedOptions::default()
            })
            .await?;
            text += &format!(
                "[[serve.hosts]]\nname = \"{}\"\nurl = \"http://{}\"\nslots = {SLOTS}\ngpu = \"{}\"\nmemory_gib = {}\n",
                machine.name,
                host.address(),
                machine.gpu,
                machine.memory_gib
            );
            let Machine { name, gpu, models, .. } = *machine;
            told.push(DemoHost { name, gpu, models, address: host.address() });
            hosts.push(host);
        }
        text += "[serve.admin]\nlisten = \"127.0.0.1:0\"\n";
        let config = ServeConfig::parse(&(text + CONTROL), Path::new("demo"))?;
        let gateway = Gateway::bind(config).await?;
        Ok(Self { gateway, hosts, told, options, tally: Arc::default() })
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Where its operator's side listens.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.gateway.admin_address()
    }

    /// The hosts behind it.
    #[must_use]
    pub fn hosts(&self) -> &[DemoHost] {
        &self.told
    }

    /// What has passed control's door, while it runs.
    #[must_use]
    pub fn counters(&self) -> watch::Receiver<Counters> {
        self.gateway.counters()
    }

    /// What the clients that make up the load have seen, while it runs.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Runs until `shutdown` ends.
    ///
    /// # Errors
    /// Where the gateway fails.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<ServeSummary, ServeError> {
        let mut hosts = JoinSet::new();
        for host in self.hosts {
            // They end when the set is dropped, after the gateway.
            hosts.spawn(host.run(std::future::pending()));
        }
        let load = load::run(self.gateway.address(), self.options, self.tally);
        let (stop, stopped) = oneshot::channel();
        let mut gateway = pin!(self.gateway.run(async { drop(stopped.await) }));
        tokio::select! {
            failed = &mut gateway => return failed,
            () = shutdown => {}
            () = load => {}
        }
        // The load's own requests were given up with it; the gateway lets those of others finish.
        let _ = stop.send(());
        gateway.await
    }
}
