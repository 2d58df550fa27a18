//! Versions of names: in their true order, kept as contents are heard, and a newer one is told.

use alloc::string::{String, ToString};

use super::syncing::{digest, publish, sync, with};
use super::*;
use crate::sync::config::SyncFile;

/// Control with these models from id 2 on, each of a content of its own.
fn named(file: &ControlFile, names: &[&str]) -> Bench {
    let mut bench = Bench::new(file, 1, 1);
    for (model, name) in (2..).zip(names) {
        bench.feed(Input::ModelNamed { model: ModelId(model), name: name.to_string() });
    }
    let models: Vec<u32> = (2..2 + names.len() as u32).collect();
    stored(&mut bench, &models);
    bench
}

fn stored(bench: &mut Bench, models: &[u32]) {
    let of = |model: &u32| {
        let plain = StoredModel::of_size(ModelId(*model), Bytes(1));
        StoredModel { digest: digest(*model as u8), ..plain }
    };
    let observation = Observation { stored: models.iter().map(of).collect(), ..Observation::default() };
    bench.feed(Input::Observed { host: HostId(0), observation });
}

fn versions(bench: &Bench, model: u32) -> Vec<String> {
    bench.control.versions(ModelId(model)).into_iter().map(|(version, _)| version.to_string()).collect()
}

fn newer(bench: &Bench, model: u32) -> Option<String> {
    bench.control.newer_version(ModelId(model)).map(ToString::to_string)
}

#[test]
fn versions_are_in_their_true_order_and_the_newest_is_told_to_those_before() {
    let names = ["a:1.9.0", "a:1.10.0", "a:2.0.0-rc.1", "a:latest", "b:v2", "r.example:5000/a", "a:1.2.0"];
    let bench = named(&with(sync()), &names);
    assert_eq!(versions(&bench, 2), ["latest", "1.2.0", "1.9.0", "1.10.0", "2.0.0-rc.1"]);
    assert_eq!(versions(&bench, 6), ["v2"]);
    assert_eq!(versions(&bench, 7), [""], "a registry's port is no tag");
    assert_eq!(newer(&bench, 2).as_deref(), Some("1.10.0"), "a prerelease is not for all");
    assert_eq!(newer(&bench, 3), None);
    assert_eq!(newer(&bench, 5), None, "a tag without order is before and after nothing");
    assert_eq!(bench.control.versions(ModelId(2))[3].1, digest(3), "with its content");
    assert_eq!(versions(&bench.restored(), 2), versions(&bench, 2));
}

#[test]
fn a_version_comes_and_goes_with_those_that_have_it_and_with_the_config() {
    let mut bench = named(&with(sync()), &["a:v1", "a:v2"]);
    assert_eq!(newer(&bench, 2).as_deref(), Some("v2"));
    stored(&mut bench, &[2]);
    assert_eq!((versions(&bench, 2), newer(&bench, 2)), (vec!["v1".to_string()], None));
    publish(&mut bench, 9);
    stored(&mut bench, &[2, 3]);
    let only_first = SyncFile { manage: vec!["a:v1".into()], ..sync() };
    bench.install(&with(only_first));
    assert_eq!(versions(&bench, 2), ["v1"], "the other is not managed");
    bench.install(&file());
    assert!(versions(&bench, 2).is_empty());
}
