//! Tasks: work that takes a share of a node for a time, and is no request to a language model.
//!
//! What a task demands has a name, its [`TaskClass`]: `task/6000m-12288Mi-1x460@G2|P100` wants 6 cores, 12 GiB, 460 thousandths of one GPU, of
//! the kinds G2 or P100 alone. Where requests name a model, tasks name their class. So whoever places them sees names, as with models, and
//! a class never tells how long a task of it runs.

use std::fmt;
use std::str::FromStr;

/// What the name of a class opens with.
const PREFIX: &str = "task/";
/// Thousandths of a whole GPU.
pub const GPU_MILLI: u32 = 1_000;
/// Most GPUs that a task may demand.
pub const GPUS_MAX: u32 = 64;
/// Most thousandths of a core, and most MiB of memory, that a task may demand.
pub const AMOUNT_MAX: u64 = 1 << 40;

/// What tasks of a class demand of a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskClass {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// GPUs: whole ones where more than one.
    pub gpus: u32,
    /// Thousandths of each: [`GPU_MILLI`] where whole, 0 where no GPU is wanted.
    pub gpu_milli: u32,
    /// Kinds of GPU of which a node must have one, sorted, each once; any node where empty.
    pub kinds: Vec<String>,
}

impl TaskClass {
    /// Whether a node whose GPUs are of this kind may run it (empty: it has none).
    #[must_use]
    pub fn accepts(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind)
    }

    /// Whether GPUs and their thousandths go together: none of none, a share of one, or whole ones.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let share = match self.gpus {
            0 => self.gpu_milli == 0,
            1 => self.gpu_milli > 0 && self.gpu_milli <= GPU_MILLI,
            _ => self.gpu_milli == GPU_MILLI && self.gpus <= GPUS_MAX,
        };
        share && self.cpu_milli <= AMOUNT_MAX && self.memory_mib <= AMOUNT_MAX
    }
}

/// Whether text may name a kind of GPU: letters, digits, `-`, `_` and `.`.
#[must_use]
pub fn is_kind(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl fmt::Display for TaskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}m-{}Mi", self.cpu_milli, self.memory_mib)?;
        if self.gpus > 0 {
            write!(f, "-{}x{}", self.gpus, self.gpu_milli)?;
        }
        if !self.kinds.is_empty() {
            write!(f, "@{}", self.kinds.join("|"))?;
        }
        Ok(())
    }
}

/// A name that is not that of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected the name of a class of tasks, such as task/6000m-12288Mi-1x460@G2|P100")]
pub struct NoTaskClass;

impl FromStr for TaskClass {
    type Err = NoTaskClass;

    fn from_str(name: &str) -> Result<Self, NoTaskClass> {
        let parse = || {
            let rest = name.strip_prefix(PREFIX)?;
            let (amounts, kinds) = match rest.split_once('@') {
                Some((amounts, kinds)) => (amounts, kinds.split('|').map(str::to_owned).collect()),
                None => (rest, Vec::new()),
            };
            let mut parts = amounts.split('-');
            let cpu_milli = parts.next()?.strip_suffix('m')?.parse().ok()?;
            let memory_mib = parts.next()?.strip_suffix("Mi")?.parse().ok()?;
            let (gpus, gpu_milli) = match parts.next() {
                Some(part) => part.split_once('x')?,
                None => ("0", "0"),
            };
            let (gpus, gpu_milli) = (gpus.parse().ok()?, gpu_milli.parse().ok()?);
            Some(Self { cpu_milli, memory_mib, gpus, gpu_milli, kinds })
        };
        // Each class has one name: what is not written as that is none.
        let one = |class: &Self| class.is_sound() && class.kinds.iter().all(|kind| is_kind(kind));
        parse().filter(|class| one(class) && class.to_string() == name).ok_or(NoTaskClass)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_class_says_which_kinds_may_run_it() {
        let class: TaskClass = "task/6000m-12288Mi-1x460@G2|P100".parse().expect("a class");
        assert_eq!((class.gpus, class.gpu_milli, class.cpu_milli, class.memory_mib), (1, 460, 6_000, 12_288));
        assert!(class.accepts("G2") && class.accepts("P100") && !class.accepts("T4") && !class.accepts(""));
        let class: TaskClass = "task/1000m-1024Mi".parse().expect("a class");
        assert!(class.accepts("") && class.accepts("T4"));
    }

    #[test]
    fn other_names_are_of_no_class() {
        for name in [
            "llama3.1:8b",
            "task/",
            "task/1m-1Mi-2x500",
            "task/1m-1Mi-0x0",
            "task/1m-1Mi-1x1001",
            "task/1m-1Mi-65x1000",
            "task/1m-1Mi-1x1@",
            "task/1m-1Mi-1x1@a b",
            "task/01m-1Mi",
            "task/+1m-1Mi",
            "task/1m-1Mi-1x1-2",
        ] {
            assert_eq!(name.parse::<TaskClass>(), Err(NoTaskClass), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_gives_its_class_back(
            cpu_milli in 0u64..200_000, memory_mib in 0u64..2_000_000, gpus in 0u32..9, share in 1u32..=1_000,
            kinds in proptest::collection::btree_set("[A-Z][A-Z0-9]{0,6}", 0..4),
        ) {
            let gpu_milli = match gpus { 0 => 0, 1 => share, _ => GPU_MILLI };
            let class = TaskClass { cpu_milli, memory_mib, gpus, gpu_milli, kinds: kinds.into_iter().collect() };
            prop_assert_eq!(class.to_string().parse(), Ok(class));
        }

        #[test]
        fn any_text_gives_an_answer(name in "task/.{0,20}") {
            let _ = name.parse::<TaskClass>();
        }
    }
}
