use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::config::ControlFile;

fn managed(models: &[(&str, ModelPlacementFile)]) -> PlacementFile {
    let models = models.iter().map(|(name, file)| ((*name).to_string(), file.clone()));
    PlacementFile { manage: vec!["m*".into()], models: models.collect(), ..PlacementFile::default() }
}

/// What a scenario would be told.
fn told(file: PlacementFile) -> String {
    ControlFile { placement: Some(file), ..ControlFile::default() }.check().unwrap_err().to_string()
}

#[test]
fn by_default_it_plans_and_touches_nothing() {
    let config = PlacementFile::default().check().unwrap();
    assert_eq!((config.act, config.allow_pull, config.allow_delete), (false, false, false));
    assert_eq!(config.of("m:latest"), None, "nothing is managed");
    assert_eq!(config.strategy.kind, PlacementKind::Greedy);
    assert_eq!((config.interval, config.residency_min), (Nanos::from_secs(30), Nanos::from_secs(60)));
    let absent = ControlFile::default().check().unwrap();
    assert_eq!(absent.placement, None);
}

#[test]
fn a_single_model_takes_what_it_does_not_say_from_all() {
    let one =
        ModelPlacementFile { replicas_max: Some(4), pin: vec!["a".into()], ..ModelPlacementFile::default() };
    let config =
        PlacementFile { replicas_min: 2, copies_min: 3, ..managed(&[("m:one", one)]) }.check().unwrap();
    let (one, other) = (config.of("m:one").unwrap(), config.of("m:other").unwrap());
    assert_eq!(one.limits, Limits { min: 2, target: None, max: 4 });
    assert_eq!((one.copies_min, one.pin.len(), one.zones_min), (3, 1, 1));
    assert_eq!(other.limits, Limits { min: 2, target: None, max: u32::MAX });
    assert_eq!(config.of("n:other"), None);
}

#[test]
fn wrong_values_name_key_and_expectation() {
    let strategy = PlacementFile { strategy: "gready".into(), ..PlacementFile::default() };
    let names = crate::strategy::names(ALL);
    assert_eq!(
        told(strategy),
        format!(
            "control.placement.strategy: found \"gready\", expected one of {names} (did you mean \"greedy\"?)"
        )
    );
    let headroom = PlacementFile { headroom_percent: 100, ..PlacementFile::default() };
    assert_eq!(told(headroom), "control.placement.headroom_percent: found 100, expected 0 to 99");
    let copies = PlacementFile { copies_min: 0, ..PlacementFile::default() };
    assert_eq!(told(copies), "control.placement.copies_min: found 0, expected 1 to 1000000");
    let interval = PlacementFile { interval_seconds: 0, ..PlacementFile::default() };
    assert_eq!(told(interval), "control.placement.interval_seconds: found 0, expected 1 to 604800");
    let least = PlacementFile { replicas_min: 3, replicas_max: Some(2), ..PlacementFile::default() };
    assert_eq!(told(least), "control.placement.replicas_min: found 3, expected 0 to 2");
    let pattern = PlacementFile { manage: vec!["m*".into(), String::new()], ..PlacementFile::default() };
    assert_eq!(
        told(pattern),
        "control.placement.manage[1]: found \"\", expected a model's name, `*` for any text"
    );
    let registry = PlacementFile { pull_from: vec!["https://r".into()], ..PlacementFile::default() };
    assert_eq!(
        told(registry),
        "control.placement.pull_from[0]: found \"https://r\", expected a registry as it stands in a model's name: host or host:port"
    );
}

#[test]
fn wrong_values_of_a_model_name_it() {
    let file = |change: fn(&mut ModelPlacementFile)| {
        let mut file = ModelPlacementFile::default();
        change(&mut file);
        told(managed(&[("m:b", file)]))
    };
    let key = "control.placement.models.\"m:b\"";
    assert_eq!(
        file(|model| (model.replicas_min, model.replicas_target) = (Some(3), Some(2))),
        format!("{key}.replicas_target: found 2, expected 3 to 1000000")
    );
    assert_eq!(
        file(|model| model.zones_min = Some(0)),
        format!("{key}.zones_min: found 0, expected 1 to 1000000")
    );
    assert_eq!(
        file(|model| (model.pin, model.exclude) = (vec!["a".into()], vec!["a".into()])),
        format!("{key}.pin[0]: found \"a\", expected a host that is not excluded")
    );
    assert_eq!(
        file(|model| (model.pin, model.replicas_max) = (vec!["a".into(), "b".into()], Some(1))),
        format!("{key}.pin: found 2 hosts, expected at most 1")
    );
    assert_eq!(
        file(|model| model.exclude = vec!["a".into(), "a".into()]),
        format!("{key}.exclude[1]: found \"a\", expected names, each once")
    );
    assert_eq!(
        file(|model| model.apart_from = vec!["m:b".into()]),
        format!("{key}.apart_from[0]: found \"m:b\", expected another model")
    );
    assert_eq!(
        told(managed(&[("n:b", ModelPlacementFile::default())])),
        "control.placement.models.\"n:b\": found \"n:b\", expected a name that a pattern of placement.manage matches"
    );
}
