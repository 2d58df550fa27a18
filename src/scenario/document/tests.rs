//! Options laid over a file, and places of values.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Outer {
    seed: u64,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    text: String,
    #[serde(default)]
    list: Vec<Inner>,
    choice: Option<Choice>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Inner {
    name: String,
    #[serde(default)]
    count: u8,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Choice {
    Nothing,
    Number(u32),
    Both { from: u32, to: u32 },
}

const TEXT: &str = "seed = 1\n[[list]]\nname = \"a\"\n[[list]]\nname = \"b\"\ncount = 2\n";

fn with(sets: &[&str]) -> Result<Outer, Report> {
    let mut document = Document::parse("x.toml", TEXT)?;
    for set in sets {
        document.set("--set", set)?;
    }
    document.read()
}

#[test]
fn values_take_their_type_from_what_parses() {
    let outer =
        with(&["seed=0x10", "ratio=2", "on=true", "text=two words", "choice={ number = 3 }"]).expect("fits");
    assert_eq!(
        (outer.seed, outer.ratio, outer.on, outer.text.as_str(), outer.choice),
        (16, 2.0, true, "two words", Some(Choice::Number(3)))
    );
    assert_eq!(with(&["text=\"7\""]).expect("fits").text, "7");
    assert_eq!(with(&["ratio=1e3"]).expect("fits").ratio, 1_000.0);
    assert_eq!(with(&["choice=nothing"]).expect("fits").choice, Some(Choice::Nothing));
    let both = Some(Choice::Both { from: 1, to: 2 });
    assert_eq!(with(&["choice.both={ from = 1, to = 2 }"]).expect("fits").choice, both);
    assert_eq!(with(&["choice.both.from=1", "choice.both.to=2"]).expect("fits").choice, both);
}

#[test]
fn elements_of_lists_are_reached_by_number() {
    for path in ["list.1.count=9", "list[1].count=9"] {
        let outer = with(&[path]).expect("fits");
        assert_eq!(outer.list[1], Inner { name: "b".into(), count: 9 });
        assert_eq!(outer.list[0].count, 0);
    }
    assert!(with(&["list[2].count=9"]).expect_err("there are two").to_string().contains("2 elements"));
}

#[test]
fn a_name_in_quotes_keeps_its_points() {
    #[derive(Deserialize)]
    struct Named {
        models: BTreeMap<String, Inner>,
    }
    let mut document = Document::parse("x.toml", "[models]\n\"a.b:c\" = { name = \"x\" }\n").expect("TOML");
    document.set("--set", "models.\"a.b:c\".count=3").expect("fits");
    let named: Named = document.read().expect("fits");
    assert_eq!(named.models["a.b:c"], Inner { name: "x".into(), count: 3 });
    let report = document.report("models.\"a.b:c\".count", "wrong").to_string();
    assert!(report.contains("from --set"), "{report}");
}

#[test]
fn the_last_of_two_options_holds() {
    assert_eq!(with(&["seed=2", "seed=3"]).expect("fits").seed, 3);
}

#[test]
fn a_value_may_contain_the_sign_of_assignment() {
    assert_eq!(with(&["text=a=b"]).expect("fits").text, "a=b");
}

#[test]
fn errors_name_text_line_and_column() {
    let error = with(&["list[1].count=900"]).expect_err("it does not fit");
    assert_eq!(error.place(), (1, 15));
    let text = error.to_string();
    assert!(text.contains("from --set") && text.contains("`list[1].count`"), "{text}");

    let document = Document::parse("x.toml", TEXT).expect("it is TOML");
    let report = document.report("list[1].count", "wrong");
    assert_eq!(report.place(), (6, 9));
    assert!(report.to_string().contains("x.toml:6:9"), "{report}");
    assert_eq!(document.report("list[1].missing", "wrong").place().0, 4, "the table around it");
}

#[test]
fn an_error_inside_an_inline_table_points_into_it() {
    let error = with(&["choice={ both = { from = 1, too = 2 } }"]).expect_err("a misspelt key");
    assert_eq!(error.place(), (1, 29));
    assert!(error.to_string().contains("did you mean `to`?"), "{error}");
}

#[test]
fn a_missing_key_is_named_with_its_table() {
    let document = Document::parse("x.toml", "seed = 1\n\n[[list]]\ncount = 1\n").expect("it is TOML");
    let error = document.read::<Outer>().expect_err("a name is missing");
    assert_eq!(error.place().0, 3);
    assert!(error.message().contains("`name` is missing in `list[0]`"), "{error}");
}

#[test]
fn every_truncation_of_a_text_is_read_or_refused_without_a_panic() {
    for end in 0..TEXT.len() {
        match Document::parse("x.toml", &TEXT[..end]) {
            Ok(document) => drop(document.read::<Outer>().map_err(|error| error.to_string())),
            Err(error) => assert!(error.to_string().contains("x.toml"), "{error}"),
        }
    }
}
