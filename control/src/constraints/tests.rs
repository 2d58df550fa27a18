use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::index::Implementation;
use crate::index::host_set::HostSet;
use crate::units::Bytes;

/// More than two words of bits.
const HOSTS: u32 = 150;
const MODELS: u32 = 70;

fn names(prefix: &'static str, kinds: u32, most: usize) -> impl Strategy<Value = Option<Vec<String>>> {
    let name = (0..kinds).prop_map(move |kind| format!("{prefix}{kind}"));
    prop::collection::vec(name, 1..=most).prop_map(Some)
}

/// `m0` and so on; `m70` and higher are known to nobody.
fn models(name: &str) -> Option<ModelId> {
    name.strip_prefix('m')?.parse().ok().filter(|id| *id < MODELS).map(ModelId)
}

/// Demands of one kind: each kind is as likely, and most leave some hosts and not others.
fn one_demand() -> impl Strategy<Value = DemandsFile> {
    let none = DemandsFile::default;
    prop_oneof![
        names("c", 70, 2).prop_map(move |list| DemandsFile { require_capabilities: list, ..none() }),
        names("c", 4, 2).prop_map(move |list| DemandsFile { require_capabilities: list, ..none() }),
        names("c", 70, 3).prop_map(move |list| DemandsFile { exclude_capabilities: list, ..none() }),
        names("h", HOSTS, 40).prop_map(move |list| DemandsFile { require_hosts: list, ..none() }),
        names("h", HOSTS, 9).prop_map(move |list| DemandsFile { exclude_hosts: list, ..none() }),
        names("h", HOSTS, 9).prop_map(move |list| DemandsFile { prefer_hosts: list, ..none() }),
        names("z", 5, 3).prop_map(move |list| DemandsFile { require_zones: list, ..none() }),
        names("z", 5, 3).prop_map(move |list| DemandsFile { exclude_zones: list, ..none() }),
        names("z", 5, 3).prop_map(move |list| DemandsFile { prefer_zones: list, ..none() }),
        names("m", 3, 1).prop_map(move |list| DemandsFile { with_model_loaded: list, ..none() }),
        names("m", MODELS + 2, 2).prop_map(move |list| DemandsFile { with_model_loaded: list, ..none() }),
        names("m", MODELS + 2, 3).prop_map(move |list| DemandsFile { without_model_loaded: list, ..none() }),
        names("g", 5, 3).prop_map(move |list| DemandsFile { gpus: list, ..none() }),
        (1u32..4).prop_map(move |gib| DemandsFile { vram_gib_min: Some(gib), ..none() }),
        (1u32..4).prop_map(move |gib| DemandsFile { ram_gib_min: Some(gib), ..none() }),
        (1u32..4).prop_map(move |tokens| DemandsFile { context_tokens_min: Some(tokens), ..none() }),
        (1u32..4).prop_map(move |cents| DemandsFile { cost_cents_per_hour_max: Some(cents), ..none() }),
        (1u64..4).prop_map(move |millis| DemandsFile { ttft_millis_max: Some(millis), ..none() }),
        (97u8..=100)
            .prop_map(move |percent| DemandsFile { reliability_percent_min: Some(percent), ..none() }),
        (1u64..4).prop_map(move |millis| DemandsFile { start_after_millis: Some(millis), ..none() }),
        (1u64..4).prop_map(move |millis| DemandsFile { deadline_millis: Some(millis), ..none() }),
    ]
}

fn demands() -> impl Strategy<Value = Demands> {
    let one =
        one_demand().prop_map(|file| file.check("demands").expect("one key does not contradict itself"));
    // Not folded from nothing: what is lost together with nothing must show.
    let together = |demands: Vec<Demands>| demands.into_iter().reduce(|all, one| all.and(&one));
    prop::collection::vec(one, 0..4).prop_map(move |demands| together(demands).unwrap_or_default())
}

fn declaration() -> impl Strategy<Value = Declaration> {
    let numbers = (0u64..4, 0u64..4, 0u32..4, 0u32..4);
    // The last of each is not declared; names may be taken by another host for a while.
    let words = (0..HOSTS, 0u32..4, 0u32..4, prop::collection::vec(0u32..70, 0..6), 0u32..16);
    (numbers, words).prop_map(|((memory, ram, context_tokens, cost_cents_per_hour), words)| {
        let (name, zone, gpu, mut capabilities, common) = words;
        // Some capabilities are common, others rare.
        capabilities.extend((0..4).filter(|bit| common >> bit & 1 == 1));
        let word = |prefix: &str, kind| if kind == 3 { String::new() } else { format!("{prefix}{kind}") };
        Declaration {
            name: format!("h{name}"),
            memory: Bytes::from_gib(memory),
            ram: Bytes::from_gib(ram),
            context_tokens,
            cost_cents_per_hour,
            zone: word("z", zone),
            gpu: word("g", gpu),
            capabilities: capabilities.iter().map(|kind| format!("c{kind}")).collect(),
            ..Declaration::default()
        }
    })
}

fn loaded() -> impl Strategy<Value = Vec<LoadedModel>> {
    let models = prop::collection::btree_set(prop_oneof![0u32..3, 0..MODELS], 0..4);
    models.prop_map(|models| {
        let in_memory = |model| LoadedModel { model: ModelId(model), bytes: Bytes::ZERO, vram: Bytes::ZERO };
        models.into_iter().map(in_memory).collect()
    })
}

fn record() -> impl Strategy<Value = Record> {
    let ttft = prop::option::of((0u64..4).prop_map(Nanos::from_millis));
    (ttft, prop::option::of(960u16..=1_000))
        .prop_map(|(ttft, answered_permille)| Record { ttft, answered_permille })
}

#[derive(Clone, Debug)]
enum Change {
    Declared(HostId, Declaration, Vec<LoadedModel>, Record),
    Loaded(HostId, Vec<LoadedModel>),
    Learned(HostId, Record),
}

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let host = || (0..HOSTS).prop_map(HostId);
    let change = prop_oneof![
        4 => (host(), declaration(), loaded(), record()).prop_map(|(a, b, c, d)| Change::Declared(a, b, c, d)),
        1 => (host(), loaded()).prop_map(|(host, loaded)| Change::Loaded(host, loaded)),
        1 => (host(), record()).prop_map(|(host, record)| Change::Learned(host, record)),
    ];
    prop::collection::vec(change, 1..most)
}

/// Both twins, told the same.
struct Twins {
    twins: [Matching; 2],
    declared: HostSet,
}

impl Twins {
    fn new() -> Self {
        let twins = [Implementation::Optimised, Implementation::Baseline].map(Matching::new);
        Self { twins, declared: HostSet::default() }
    }

    fn change(&mut self, change: &Change) {
        for twin in &mut self.twins {
            match change {
                Change::Declared(host, declaration, loaded, record) => {
                    twin.update(&HostView { host: *host, declaration, loaded, record: *record });
                    self.declared.set(*host, true);
                }
                Change::Loaded(host, loaded) if self.declared.contains(*host) => {
                    twin.update_loaded(*host, loaded);
                }
                Change::Learned(host, record) if self.declared.contains(*host) => {
                    twin.update_record(*host, *record);
                }
                Change::Loaded(..) | Change::Learned(..) => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn both_twins_allow_and_prefer_the_same_hosts(
        parts in prop::collection::vec((changes(120), prop::collection::vec(demands(), 1..6)), 1..5),
    ) {
        let mut told = Twins::new();
        for (changes, demands) in parts {
            changes.iter().for_each(|change| told.change(change));
            let [optimised, baseline] = &told.twins;
            for demands in &demands {
                let allowed = optimised.allowed(demands, &models);
                prop_assert_eq!(
                    allowed.iter().collect::<Vec<_>>(),
                    baseline.allowed(demands, &models).iter().collect::<Vec<_>>(),
                    "{:?}", demands
                );
                prop_assert_eq!(optimised.preferred(demands), baseline.preferred(demands));
                for host in (0..HOSTS + 70).map(HostId) {
                    prop_assert_eq!(optimised.allows(demands, host, &models), allowed.contains(host));
                    prop_assert_eq!(baseline.allows(demands, host, &models), allowed.contains(host));
                }
            }
        }
    }

    #[test]
    fn many_at_once_are_answered_as_one_by_one(
        changes in changes(200),
        distinct in prop::collection::vec(demands(), 1..5),
        asked in prop::collection::vec(0usize..5, 0..20),
    ) {
        let mut told = Twins::new();
        changes.iter().for_each(|change| told.change(change));
        let asked: Vec<&Demands> = asked.iter().map(|at| &distinct[at % distinct.len()]).collect();
        for twin in &told.twins {
            let batch = twin.allowed_many(&asked, &models);
            prop_assert_eq!(batch.len(), asked.len());
            prop_assert_eq!(batch.is_empty(), asked.is_empty());
            for (at, demands) in asked.iter().enumerate() {
                prop_assert_eq!(batch.get(at), &twin.allowed(demands, &models));
            }
        }
    }

    #[test]
    fn both_demands_together_allow_what_each_allows_and_prefer_what_either_prefers(
        (one, other) in (demands(), demands()),
        (declaration, loaded, record) in (declaration(), loaded(), record()),
    ) {
        let host = HostView { host: HostId(0), declaration: &declaration, loaded: &loaded, record };
        let both = one.and(&other);
        let allows = |demands: &Demands| interpret::allows(demands, &host, &models);
        let prefers = |demands: &Demands| interpret::prefers(demands, &host);
        prop_assert_eq!(allows(&both), allows(&one) && allows(&other));
        prop_assert_eq!(prefers(&both), prefers(&one) || prefers(&other));
        prop_assert_eq!(both.prefers(), one.prefers() || other.prefers());
        prop_assert_eq!(both.is_dynamic(), one.is_dynamic() || other.is_dynamic());
        prop_assert_eq!(both.start_after(), one.start_after().max(other.start_after()));
        let deadlines = [one.deadline(), other.deadline()];
        prop_assert_eq!(both.deadline(), deadlines.into_iter().flatten().min());
    }

    #[test]
    fn the_order_in_which_demands_come_together_does_not_show(
        one in demands(), other in demands(), third in demands(),
    ) {
        prop_assert_eq!(one.and(&other), other.and(&one));
        prop_assert_eq!(one.and(&other).and(&third), one.and(&other.and(&third)));
        prop_assert_eq!(&one.and(&one), &one);
        prop_assert_eq!(&one.and(&Demands::default()), &one);
        prop_assert!(one.and(&other).constraints().is_sorted());
    }

    #[test]
    fn demands_are_read_back_as_they_were_written(demands in demands()) {
        let bytes = postcard::to_allocvec(&demands).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Demands>(&bytes).unwrap(), demands);
    }

    #[test]
    fn demands_depend_on_more_than_declarations_only_where_they_say_so(
        demands in demands(), declaration in declaration(),
        one in (loaded(), record()), other in (loaded(), record()),
    ) {
        let allows = |(loaded, record): &(Vec<LoadedModel>, Record)| {
            let view = HostView { host: HostId(0), declaration: &declaration, loaded, record: *record };
            interpret::allows(&demands, &view, &models)
        };
        prop_assert!(demands.is_dynamic() || allows(&one) == allows(&other));
    }
}

#[test]
fn hosts_may_swap_their_names_one_after_the_other() {
    let mut told = Twins::new();
    let name_of = |host: u32, name: &str| {
        let declaration = Declaration { name: name.to_string(), ..Declaration::default() };
        Change::Declared(HostId(host), declaration, Vec::new(), Record::default())
    };
    let file = DemandsFile { require_hosts: Some(vec!["a".to_string()]), ..DemandsFile::default() };
    let demands = file.check("demands").unwrap();
    for (change, expected) in [
        (name_of(0, "a"), vec![0]),
        (name_of(1, "b"), vec![0]),
        (name_of(1, "a"), vec![0, 1]),
        (name_of(0, "b"), vec![1]),
    ] {
        told.change(&change);
        for twin in &told.twins {
            let allowed = twin.allowed(&demands, &models);
            assert_eq!(allowed.iter().map(|host| host.0).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn a_model_counts_as_soon_as_its_name_is_known() {
    let mut told = Twins::new();
    let in_memory = LoadedModel { model: ModelId(0), bytes: Bytes::ZERO, vram: Bytes::ZERO };
    told.change(&Change::Declared(HostId(3), Declaration::default(), vec![in_memory], Record::default()));
    let list = Some(vec!["phi4:14b".to_string()]);
    let with = DemandsFile { with_model_loaded: list.clone(), ..DemandsFile::default() }.check("d").unwrap();
    let without = DemandsFile { without_model_loaded: list, ..DemandsFile::default() }.check("d").unwrap();
    for twin in &told.twins {
        assert!(twin.allowed(&with, &|_| None).is_empty());
        assert!(!twin.allowed(&without, &|_| None).is_empty());
        assert!(!twin.allowed(&with, &|_| Some(ModelId(0))).is_empty());
        assert!(twin.allowed(&without, &|_| Some(ModelId(0))).is_empty());
    }
}

#[test]
#[should_panic(expected = "declared before anything else")]
fn nothing_is_learned_of_a_host_that_was_never_declared() {
    Matching::new(Implementation::Optimised).update_record(HostId(0), Record::default());
}
