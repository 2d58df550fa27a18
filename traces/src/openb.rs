//! Pods of Alibaba's GPU cluster traces (openb, `cluster-trace-gpu-v2023` of alibaba/clusterdata):
//! `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time`, times in seconds.
//!
//! A pod is a task: it comes at `creation_time` and runs for `deletion_time` - `scheduled_time`, however it ended (a pod that failed held its
//! share of a node until then). What it demands is its class ([`crate::task`]), `qos` is its tenant. A pod that was never scheduled has no
//! duration that anybody knows: its row tells so, and nothing is made of it. `name` and `pod_phase` are not read. Of the kinds of request that
//! control knows, the one of which nothing is generated (an embedding) is what a task looks like.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use control::ids::TenantId;
use control::request::{HostOptions, Kind};

use crate::columns::{Columns, Field};
use crate::decimal;
use crate::error::Fault;
use crate::limits::{MODEL_NAMES_MAX, NAME_BYTES_MAX, RUN_SECONDS_MAX};
use crate::row::{Asked, Lasts, RawRow};
use crate::task::{AMOUNT_MAX, GPU_MILLI, GPUS_MAX, TaskClass, is_kind};

const NAMES: [&str; 9] = [
    "creation_time",
    "scheduled_time",
    "deletion_time",
    "cpu_milli",
    "memory_mib",
    "num_gpu",
    "gpu_milli",
    "gpu_spec",
    "qos",
];

/// Reads rows.
pub(crate) struct Parser {
    columns: Columns<9>,
    /// Names of classes, in order of appearance, and the place of each.
    classes: Vec<Arc<str>>,
    places: BTreeMap<TaskClass, usize>,
    tenants: Vec<String>,
}

impl Parser {
    pub(crate) fn new(header: &[u8]) -> Result<Self, Fault> {
        let columns = Columns::find(header, NAMES, NAMES.len())?;
        Ok(Self { columns, classes: Vec::new(), places: BTreeMap::new(), tenants: Vec::new() })
    }

    /// Names of the classes and of the tenants of all rows so far that tell how long they ran.
    pub(crate) fn names(self) -> (Vec<Arc<str>>, Vec<String>) {
        (self.classes, self.tenants)
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        let fields = self.columns.fields(line)?.map(|field| field.expect("the header has these columns"));
        let [created, scheduled, deleted, cpu, memory, gpus, milli, spec, qos] = fields;
        let class = class([cpu, memory, gpus, milli, spec])?;
        let at = created.seconds()?;
        let (model, tenant, lasts) = if scheduled.text.trim_ascii().is_empty() {
            (None, TenantId(0), Lasts::Unknown)
        } else {
            let ran = deleted.seconds()? - scheduled.seconds()?;
            let ran = u64::try_from(ran).ok().filter(|ran| *ran <= RUN_SECONDS_MAX * 1_000_000_000);
            let nanos = ran.and_then(NonZeroU64::new).ok_or_else(|| {
                deleted.fault(&format!("a time after scheduled_time, by at most {RUN_SECONDS_MAX} s"))
            })?;
            (Some(self.model(class, cpu)?), self.tenant(qos)?, Lasts::Nanos(nanos))
        };
        Ok(RawRow {
            at,
            column: created.column,
            shape: None,
            model,
            session: None,
            prompt_tokens: 0,
            output_tokens: 0,
            blocks: None,
            asked: Some(Box::new(Asked {
                tenant,
                kind: Kind::Embedding,
                priority: 0,
                deadline: None,
                patience: None,
                num_predict: None,
                options: HostOptions::default(),
                task: Some(lasts),
            })),
        })
    }

    fn model(&mut self, class: TaskClass, at: Field<'_>) -> Result<Arc<str>, Fault> {
        if let Some(place) = self.places.get(&class) {
            return Ok(Arc::clone(&self.classes[*place]));
        }
        if self.classes.len() == MODEL_NAMES_MAX {
            let expected =
                format!("one of the {MODEL_NAMES_MAX} sets of demands before it, the most allowed");
            return Err(Fault::new(at.column, format!("another one ({class})"), expected));
        }
        let name: Arc<str> = class.to_string().into();
        self.places.insert(class, self.classes.len());
        self.classes.push(Arc::clone(&name));
        Ok(name)
    }

    fn tenant(&mut self, qos: Field<'_>) -> Result<TenantId, Fault> {
        let name = std::str::from_utf8(qos.text.trim_ascii()).ok().filter(|name| is_kind(name));
        let name = name.filter(|name| name.len() <= NAME_BYTES_MAX);
        let name = name.ok_or_else(|| qos.fault("a name of letters, digits, - _ and ."))?;
        let known = self.tenants.iter().position(|tenant| tenant == name);
        if known.is_none() && self.tenants.len() == MODEL_NAMES_MAX {
            return Err(qos.fault("one of the names before it"));
        }
        let place = known.unwrap_or_else(|| {
            self.tenants.push(name.to_owned());
            self.tenants.len() - 1
        });
        Ok(TenantId(place as u32))
    }
}

/// What a pod demands.
fn class([cpu, memory, gpus, milli, spec]: [Field<'_>; 5]) -> Result<TaskClass, Fault> {
    let mut kinds = Vec::new();
    for kind in spec.text.trim_ascii().split(|byte| *byte == b'|').filter(|_| !spec.text.is_empty()) {
        let kind =
            std::str::from_utf8(kind).ok().filter(|kind| is_kind(kind) && kind.len() <= NAME_BYTES_MAX);
        kinds.push(kind.ok_or_else(|| spec.fault("kinds of GPU with | between them (G2|P100)"))?.to_owned());
    }
    kinds.sort_unstable();
    kinds.dedup();
    let class = TaskClass {
        cpu_milli: whole(cpu, AMOUNT_MAX)?,
        memory_mib: whole(memory, AMOUNT_MAX)?,
        gpus: whole(gpus, GPUS_MAX.into())? as u32,
        gpu_milli: whole(milli, GPU_MILLI.into())? as u32,
        kinds,
    };
    if class.is_sound() {
        Ok(class)
    } else {
        Err(milli.fault(match class.gpus {
            0 => "0, as num_gpu is 0",
            1 => "1 to 1000",
            _ => "1000, as num_gpu is above 1: whole GPUs",
        }))
    }
}

fn whole(field: Field<'_>, most: u64) -> Result<u64, Fault> {
    let value = decimal::whole(field.text.trim_ascii()).ok().and_then(|value| u64::try_from(value).ok());
    value
        .filter(|value| *value <= most)
        .ok_or_else(|| field.fault(&format!("a whole number, at most {most}")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use control::units::Nanos;

    use crate::format::Format;
    use crate::input::Input;
    use crate::inspect::inspect;
    use crate::job::Job;
    use crate::jobs::Jobs;
    use crate::options::{ModelMix, TraceOptions, Window};
    use crate::reader::ReadOptions;

    const PODS: &str = "\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,12000,16384,1,1000,,LS,Running,10,110,10
p1,6000,12288,1,460,G2|P100,BE,Failed,20,25,21
p2,6000,12288,1,460,P100|G2|P100,LS,Succeeded,20,1020.5,520
p3,9000,12288,8,1000,,LS,Pending,30,900,
p4,4000,4096,0,0,,Burstable,Running,40,100,41
p5,12000,16384,1,1000,,BE,Running,50,60,55
";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("it is written");
        file
    }

    fn options() -> TraceOptions {
        let models = ModelMix { names: vec!["llama3.1:8b".to_owned()], zipf_exponent: 0.0 };
        TraceOptions { models, ..TraceOptions::default() }
    }

    #[test]
    fn pods_become_tasks_of_their_class_and_tenant() {
        let file = file(PODS);
        let mut jobs = Jobs::open(file.path(), &options()).expect("it opens");
        let (models, tenants) = (jobs.models().to_vec(), jobs.tenants().to_vec());
        assert_eq!(jobs.reader().format(), Format::Openb);
        assert_eq!(
            models,
            ["task/12000m-16384Mi-1x1000", "task/6000m-12288Mi-1x460@G2|P100", "task/4000m-4096Mi"]
        );
        assert_eq!(tenants, ["LS", "BE", "Burstable"]);
        let all: Vec<Job> = jobs.by_ref().collect::<Result<_, _>>().expect("good");
        let figures = |job: &Job| {
            let millis = |nanos: u64| nanos / 1_000_000;
            let run = job.run_nanos.expect("a task").get();
            (
                millis(job.arrival.0),
                job.model,
                job.tenant.0,
                millis(run),
                job.prompt_tokens + job.output_tokens,
            )
        };
        let expected = [
            (0, 0, 0, 100_000, 0),
            (10_000, 1, 1, 4_000, 0),
            (10_000, 1, 0, 500_500, 0),
            (30_000, 2, 2, 59_000, 0),
            (40_000, 0, 1, 5_000, 0),
        ];
        assert_eq!(all.iter().map(figures).collect::<Vec<_>>(), expected);
        let counts = jobs.counts();
        assert_eq!((counts.read, counts.never_run, counts.without_tokens, counts.jobs), (6, 1, 0, 5));
    }

    #[test]
    fn a_window_keeps_the_names_of_the_whole_file() {
        let file = file(PODS);
        let window = Window { start: Nanos::from_secs(30), end: None };
        let mut jobs = Jobs::open(file.path(), &TraceOptions { window, ..options() }).expect("it opens");
        assert_eq!(jobs.models().len(), 3);
        let all: Vec<Job> = jobs.by_ref().collect::<Result<_, _>>().expect("good");
        assert_eq!(all.iter().map(|job| job.model).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn an_inspection_tells_how_long_tasks_ran_and_nothing_of_tokens() {
        let file = file(PODS);
        let found = inspect(file.path(), ReadOptions::default()).expect("it is good");
        let tasks = found.tasks.expect("tasks");
        assert_eq!((tasks.ran, tasks.never_run, found.rows_without_tokens), (5, 1, 0));
        assert_eq!(tasks.run_seconds.map(|seconds| (seconds.p50, seconds.max)), Some((59, 501)));
        assert!(found.prompt_tokens.is_none() && found.output_tokens.is_none());
        let text = found.to_string();
        assert!(text.contains("run_s") && !text.contains("prompt"), "{text}");
        assert!(text.contains("1 tasks never ran; they are dropped"), "{text}");
    }

    #[test]
    fn what_is_read_once_has_no_names_for_tasks() {
        let input = Input::new(Path::new("t"), Box::new(std::io::Cursor::new(PODS.as_bytes().to_vec())));
        let error = Jobs::new(input.expect("it opens"), &options()).err().expect("it is refused").to_string();
        assert!(error.contains("expected a file with at least one task that ran"), "{error}");
    }
}
