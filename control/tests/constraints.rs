//! `golden/constraints.txt`: hosts, demands and rules, and who is allowed. Each answer must come from the index, from the walk
//! and host by host.

use std::collections::BTreeMap;

use control::constraints::{
    Demands, DemandsFile, HostView, Matching, Record, RequestView, Rule, RuleFile, Rules,
};
use control::door::{Declaration, LoadedModel};
use control::ids::{HostId, ModelId};
use control::index::Implementation;
use control::index::host_set::HostSet;
use control::request::Kind;
use control::units::{Bytes, Nanos};
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};

const TWINS: [Implementation; 2] = [Implementation::Optimised, Implementation::Baseline];

/// A value as it stands after `key=`: what it is depends on the field that reads it.
#[derive(Clone, Copy)]
struct Word<'a>(&'a str);

impl<'de> IntoDeserializer<'de> for Word<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Word<'de> {
    type Error = Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.parse::<i64>() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => visitor.visit_borrowed_str(self.0),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let names = self.0.split(',').filter(|_| !self.0.is_empty()).map(Word);
        visitor.visit_seq(SeqDeserializer::new(names))
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace().map(|pair| pair.split_once('=').unwrap_or_else(|| panic!("{pair}: no key=value")))
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    T::deserialize(MapDeserializer::new(pairs(text).map(|(key, value)| (key, Word(value)))))
}

fn demands(text: &str) -> Result<Demands, String> {
    let file: DemandsFile = read(text).map_err(|error| error.to_string())?;
    file.check("demands")
        .map_err(|error| format!("{}: found {}, expected {}", error.key, error.found, error.expected))
}

/// `"name" tests : demands`; the demands are a table of their own in a file.
fn rule(text: &str) -> Rule {
    let (name, rest) = text.trim_start_matches('"').split_once('"').expect("a name in quotes");
    let (tests, demands) = rest.split_once(" : ").expect("tests : demands");
    let mut file = RuleFile { name: name.to_owned(), ..RuleFile::default() };
    for (key, value) in pairs(tests) {
        match key {
            "tenants" => file.tenants = Deserialize::deserialize(Word(value)).expect("names"),
            "models" => file.models = Deserialize::deserialize(Word(value)).expect("names"),
            "kinds" => file.kinds = Deserialize::deserialize(Word(value)).expect("kinds"),
            "priority_min" => file.priority_min = Deserialize::deserialize(Word(value)).expect("a number"),
            _ => panic!("{key}: not a test of a rule"),
        }
    }
    file.demands = read(demands).expect("demands");
    file.check("rule").expect("a rule that can be taken")
}

struct Fleet {
    names: Vec<String>,
    models: BTreeMap<String, ModelId>,
    matching: [Matching; 2],
    rules: [Rules; 2],
}

impl Fleet {
    fn new() -> Self {
        Self {
            names: Vec::new(),
            models: BTreeMap::new(),
            matching: TWINS.map(Matching::new),
            rules: TWINS.map(Rules::new),
        }
    }

    fn declare(&mut self, text: &str) {
        let (name, facts) = text.split_once(' ').unwrap_or((text, ""));
        let mut declaration = Declaration { name: name.to_owned(), ..Declaration::default() };
        let (mut loaded, mut record) = (Vec::new(), Record::default());
        for (key, value) in pairs(facts) {
            let number = || value.parse::<u32>().expect("a number");
            let list = || value.split(',').map(str::to_owned);
            match key {
                "gpu" => declaration.gpu = value.to_owned(),
                "vram" => declaration.memory = Bytes::from_gib(number().into()),
                "ram" => declaration.ram = Bytes::from_gib(number().into()),
                "context" => declaration.context_tokens = number(),
                "zone" => declaration.zone = value.to_owned(),
                "cost" => declaration.cost_cents_per_hour = number(),
                "capabilities" => declaration.capabilities = list().collect(),
                "loaded" => loaded = list().map(|name| self.model(name)).collect(),
                "ttft" => record.ttft = Some(Nanos::from_millis(number().into())),
                "answered" => record.answered_permille = Some(number() as u16),
                _ => panic!("{key}: not known of a host"),
            }
        }
        loaded.sort_unstable();
        let at = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        let view = HostView { host: HostId(at as u32), declaration: &declaration, loaded: &loaded, record };
        self.matching.iter_mut().for_each(|twin| twin.update(&view));
    }

    fn model(&mut self, name: String) -> LoadedModel {
        let next = ModelId(self.models.len() as u32);
        let model = *self.models.entry(name).or_insert(next);
        LoadedModel { model, bytes: Bytes::ZERO, vram: Bytes::ZERO }
    }

    fn demanded_for(&self, text: &str) -> Demands {
        let mut request = RequestView { tenant: "", model: "", kind: Kind::Completion, priority: 0 };
        for (key, value) in pairs(text) {
            match key {
                "tenant" => request.tenant = value,
                "model" => request.model = value,
                "kind" => request.kind = Deserialize::deserialize(Word(value)).expect("a kind"),
                "priority" => request.priority = value.parse().expect("a number"),
                _ => panic!("{key}: not known of a request"),
            }
        }
        let [one, other] = self.rules.each_ref().map(|twin| twin.demands_for(&request));
        assert_eq!(one, other, "{text}");
        one
    }

    /// The lines that follow a demand.
    fn answer(&self, demands: &Demands) -> Vec<String> {
        let models = |name: &str| self.models.get(name).copied();
        let [one, other] = self.matching.each_ref().map(|twin| {
            let allowed = twin.allowed(demands, &models);
            for host in (0..self.names.len()).map(|host| HostId(host as u32)) {
                assert_eq!(twin.allows(demands, host, &models), allowed.contains(host), "{demands:?}");
            }
            let mut lines = vec![self.line("allowed:", &allowed)];
            lines.extend(twin.preferred(demands).map(|preferred| self.line("preferred:", &preferred)));
            lines
        });
        assert_eq!(one, other, "{demands:?}");
        let millis = |span: Nanos| span.0 / 1_000_000;
        let mut lines = one;
        lines.extend(demands.is_dynamic().then(|| "changes by itself".to_owned()));
        lines.extend(demands.start_after().map(|start| format!("starts after {} ms", millis(start))));
        lines.extend(demands.deadline().map(|end| format!("ends within {} ms", millis(end))));
        lines
    }

    fn line(&self, what: &str, hosts: &HostSet) -> String {
        hosts.iter().fold(what.to_owned(), |line, host| line + " " + &self.names[host.index()])
    }
}

#[test]
fn hosts_are_allowed_as_the_golden_file_says() {
    let text = include_str!("golden/constraints.txt");
    let mut fleet = Fleet::new();
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut next = lines.next();
    while let Some((at, line)) = next {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        next = lines.next();
        let found = match word {
            "host" => {
                fleet.declare(rest.trim());
                continue;
            }
            "rule" => {
                fleet.rules.iter_mut().for_each(|twin| {
                    twin.add(rule(rest));
                });
                continue;
            }
            "demand" => demands(rest),
            "request" => Ok(fleet.demanded_for(rest)),
            _ => panic!("line {}: {word} is not known here", at + 1),
        };
        let mut expected = Vec::new();
        while let Some((_, line)) = next.filter(|(_, line)| line.starts_with("  ")) {
            expected.push(line.trim());
            next = lines.next();
        }
        match found {
            Ok(demands) => assert_eq!(fleet.answer(&demands), expected, "line {}: {line}", at + 1),
            Err(error) => {
                let why = expected.first().and_then(|line| line.strip_prefix("refused: "));
                assert!(why.is_some_and(|why| error.starts_with(why)), "line {}: {line}: {error}", at + 1);
            }
        }
    }
}

#[test]
fn what_no_rule_can_test_is_an_error() {
    let refused = |text| read::<RuleFile>(text).unwrap_err().to_string();
    assert!(refused("name=typing tenant=acme").starts_with("unknown field `tenant`"));
    assert!(refused("name=speech kinds=voice").starts_with("unknown variant `voice`"));
    assert!(refused("name=nothing tenants=acme").starts_with("missing field `demands`"));
}
