//! Pods of Alibaba's GPU cluster traces (openb, `cluster-trace-gpu-v2023` of alibaba/clusterdata):
//! `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time`, times in seconds.
//!
//! A pod is a task: it comes at `creation_time` and runs for `deletion_time` - `scheduled_time`, however it ended (a pod that failed held its
//! share of a node until then). What it demands is its class ([`crate::task`]), `qos` is its tenant. A pod that was never scheduled has no
//! duration that anybody knows: its row tells so, and nothing is made of it. `name` and `pod_phase` are not read.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use control::ids::TenantId;
use control::request::{HostOptions, Kind};

use crate::columns::{Columns, Field};
use crate::decimal;
use crate::error::Fault;
use crate::limits::{MODEL_NAMES_MAX, NAME_BYTES_MAX};
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
            let ran = u64::try_from(ran).ok().and_then(NonZeroU64::new);
            let nanos = ran.ok_or_else(|| deleted.fault("a time after scheduled_time"))?;
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
                kind: Kind::Completion,
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
