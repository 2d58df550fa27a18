//! The columns of the files of rows: their names as written, what they hold, and what that means. Headers, documentation and Parquet types follow
//! from here.

/// What a column holds. A missing value is an empty field in CSV and a null in Parquet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holds {
    /// A whole number, 0 or more.
    Count,
    /// A whole number.
    Signed,
    /// A number with decimals; `inf` where it has no bound.
    Number,
    /// `true` or `false`.
    Truth,
    /// Text.
    Text,
    /// The value of a scenario's key: whole numbers where all are, else numbers where all are, else text.
    Setting,
}

impl Holds {
    /// Its type in Parquet files, in words of the Arrow format.
    #[must_use]
    pub const fn parquet(self) -> &'static str {
        match self {
            Self::Count => "uint64",
            Self::Signed => "int64",
            Self::Number => "double",
            Self::Truth => "bool",
            Self::Text => "string",
            Self::Setting => "int64, double or string",
        }
    }
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name; one that ends in `_s` is in seconds, in `_ms` in milliseconds, in `_bytes` in bytes.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What that means.
    pub about: &'static str,
}

/// A file of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub file: &'static str,
    /// What a row of it is.
    pub about: &'static str,
    /// Its columns in order.
    pub columns: &'static [Column],
}

impl Table {
    /// The first line of the file, of the columns that `with` wants.
    pub(crate) fn header(&self, with: impl Fn(&str) -> bool) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).filter(|name| with(name)).collect();
        names.join(",")
    }

    /// What a column holds; nothing of one that it does not have.
    #[must_use]
    pub fn holds(&self, name: &str) -> Option<Holds> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.holds)
    }
}

const fn count(name: &'static str, about: &'static str) -> Column {
    Column { name, holds: Holds::Count, about }
}
const fn signed(name: &'static str, about: &'static str) -> Column {
    Column { name, holds: Holds::Signed, about }
}
const fn number(name: &'static str, about: &'static str) -> Column {
    Column { name, holds: Holds::Number, about }
}
const fn truth(name: &'static str, about: &'static str) -> Column {
    Column { name, holds: Holds::Truth, about }
}
const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, holds: Holds::Text, about }
}

/// Files of a run, in the order in which they are described.
pub const RUN: [Table; 8] = [REQUESTS, HOSTS, TIMELINE, EVENTS, RESIDENCY, LINKS, LAYERS, TRANSFERS];

/// Requests.
pub const REQUESTS: Table = Table {
    file: "requests.csv",
    about: "A request, in the order in which they ended. Times are since the start of the run.",
    columns: &[
        count("request", "Its number, in order of arrival."),
        text("model", "The model that it names."),
        count("tenant", "Whose it is."),
        count("session", "The conversation that it continues."),
        signed("priority", "Higher is more urgent; 0 is normal."),
        number("arrival_s", "When it arrived."),
        number("dispatched_s", "When it was last sent to a host."),
        number("first_token_s", "When its first token came."),
        number("ended_s", "When it ended, however it did."),
        text("host", "The host of the last attempt."),
        count("attempts", "How often it was sent to a host."),
        count("prompt_tokens", "Tokens of its prompt."),
        count("cached_tokens", "Tokens of the prompt that were found in the slot's cache."),
        truth("truncated", "Whether the prompt was cut to the context window."),
        count("usage_prompt_tokens", "Tokens of the prompt as the host tells them (`prompt_eval_count`)."),
        count("output_tokens", "Tokens of the answer as the host tells them (`eval_count`)."),
        number("load_s", "Time of loading the model as the host tells it."),
        number("prompt_eval_s", "Time of the prompt as the host tells it."),
        number("eval_s", "Time of the answer as the host tells it."),
        text("done", "Why the answer ended: stop, length, load or unload."),
        text("outcome", "finished, rejected, failed, cancelled or unfinished."),
        text("reason", "Why it was rejected or failed."),
        number("ttft_s", "Arrival to first token, of those that finished."),
        number("tpot_s", "Time of a token after the first, of those that finished with two or more."),
        number("e2e_s", "Arrival to end, of those that finished."),
        text("arm", "The balancer that decided the last attempt; only where there are several."),
    ],
};

/// Hosts.
pub const HOSTS: Table = Table {
    file: "hosts.csv",
    about: "A host, as of the end of the run.",
    columns: &[
        text("host", "Its name."),
        count("requests", "Requests that were last sent to it."),
        count("finished", "Those that finished."),
        count("failed", "Those that failed."),
        number("ttft_ms_mean", "Mean time to first token of those that finished."),
        number("ttft_ms_max", "The longest."),
        number("busy_s", "Time in which a batch loop ran."),
        number("gpu_busy_share", "The same as a share of the run, 0 to 1."),
        count("output_tokens", "Tokens that it generated."),
        count("prompt_tokens", "Tokens of prompts that it was given."),
        count("cached_tokens", "Those that it had in its caches."),
        count("model_loads", "Models that it loaded."),
        count("evictions", "Models that had to go for another."),
        count("hits_vram", "Requests that found their model in GPU memory."),
        count("hits_page_cache", "Loads whose weights were in the page cache."),
        count("hits_local_disk", "Loads whose weights were on the disk only."),
        count("hits_registry", "Loads whose weights had to be pulled."),
        number("energy_kwh", "Energy, in kilowatt-hours, where the power of its GPU is known."),
    ],
};

/// The fleet over time.
pub const TIMELINE: Table = Table {
    file: "timeline.csv",
    about: "A sample of the fleet. What is counted is counted from the start of the run.",
    columns: &[
        number("at_s", "When."),
        count("queued", "Requests that wait in the gateway."),
        count("in_flight", "Requests that are on hosts."),
        count("arrived", "Requests that have arrived."),
        count("finished", "Requests that have finished."),
        count("host_requests", "Requests on all hosts, those that wait there as well."),
        count("host_running", "Requests that hold a slot."),
        number("busy_s", "Host-seconds in which a batch loop ran."),
        count("replicas", "Models that are loaded or being loaded, over all hosts."),
        count("memory_bytes", "What they take of GPU memory."),
        count("output_tokens", "Tokens that were generated."),
        count("prompt_tokens", "Tokens of prompts."),
        count("cached_tokens", "Those that were found in caches."),
        count("model_loads", "Models that were loaded."),
        count("evictions", "Models that had to go for another."),
        count("hits_vram", "Requests that found their model in GPU memory."),
        count("hits_page_cache", "Loads whose weights were in the page cache."),
        count("hits_local_disk", "Loads whose weights were on the disk only."),
        count("hits_registry", "Loads whose weights had to be pulled."),
        count("hosts_on", "Hosts that neither stand by nor are down for it."),
    ],
};

/// What happened beside requests.
pub const EVENTS: Table = Table {
    file: "events.csv",
    about: "An event beside the requests (faults, breakers, actions on models, changes of policy), in order of time.",
    columns: &[
        number("at_s", "When."),
        text("kind", "Of which kind."),
        text("what", "What happened, in words."),
    ],
};

/// Models in memory.
pub const RESIDENCY: Table = Table {
    file: "residency.csv",
    about: "A model on a host whose memory there is another than at the sample before, by time and host; only with placement.",
    columns: &[
        number("at_s", "When it was seen."),
        text("host", "On which host."),
        text("model", "Which model."),
        count("memory_bytes", "What it takes there; 0 where it has gone."),
        count("replicas", "Hosts that have it from then on."),
    ],
};

/// Links.
pub const LINKS: Table = Table {
    file: "links.csv",
    about: "A link over which models were moved; only where some were.",
    columns: &[
        text("class", "registry_out, registry_in, zone_in, host_in or host_out."),
        text("name", "Its name."),
        count("mbit_per_second", "What it can carry, in Mbit/s."),
        count("bytes", "What it carried."),
        number("used_share", "The same as a share of what it could have, 0 to 1."),
    ],
};

/// Models that were moved.
pub const LAYERS: Table = Table {
    file: "layers.csv",
    about: "A model of which something was moved; only where some was.",
    columns: &[
        text("model", "Which."),
        count("transfers", "How often."),
        count("weights_bytes", "Bytes of weights."),
        count("small_bytes", "Bytes of the rest (templates, parameters, manifests)."),
    ],
};

/// Traffic over time.
pub const TRANSFERS: Table = Table {
    file: "transfers.csv",
    about: "A stretch of time with what was moved in it; only where something was.",
    columns: &[
        number("from_s", "From when."),
        number("to_s", "Until when."),
        count("registry_bytes", "Bytes that came from the registry."),
        count("peer_bytes", "Bytes that hosts gave each other."),
        count("pushed_bytes", "Bytes that were pushed to the registry."),
        number("under_way_mean", "Transfers under way, on average."),
        count("under_way_max", "The most at once."),
    ],
};
