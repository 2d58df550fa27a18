use super::measure::{Budget, at_scale};
use super::*;

#[test]
fn both_forms_of_every_component_answer_alike() {
    let budget = Budget { warm_up: std::time::Duration::from_micros(100), timed: std::time::Duration::ZERO };
    for component in select(&[]).unwrap() {
        for scale in [1, 7, 64] {
            // A difference is a panic.
            let [baseline, optimised] = at_scale(&component, scale, budget);
            assert_eq!(baseline.checked, optimised.checked, "{}", component.name);
            assert!(baseline.checked > 0 && optimised.operations > 0, "{}", component.name);
        }
    }
}

#[test]
fn counted_costs_of_the_priority_queue_grow_as_claimed() {
    let component = select(&["priority-queue".into()]).unwrap().remove(0);
    let mut counted = [Vec::new(), Vec::new()];
    for scale in [16, 128, 1_024] {
        let budget =
            Budget { warm_up: std::time::Duration::from_micros(300), timed: std::time::Duration::ZERO };
        for (form, measured) in at_scale(&component, scale, budget).into_iter().enumerate() {
            counted[form].extend(measured.counted.iter().map(|&y| fit::Point { n: scale as f64, y }));
        }
    }
    assert_eq!(fit::complexity(&counted[1]), Some(Complexity::Logarithmic), "{:?}", counted[1]);
    let exponent = fit::exponent(&counted[0]).unwrap().value;
    assert!(exponent > 0.7, "the baseline compares all of its keys: n^{exponent}");
}

#[test]
fn a_group_stands_for_all_its_components() {
    let names = |asked: &[&str]| -> Vec<String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        select(&asked).unwrap().into_iter().map(|component| component.name).collect()
    };
    assert_eq!(names(&["host-set"]), ["host-set/member", "host-set/common"]);
    assert_eq!(names(&["decision"]).len(), control::balance::ALL.len());
    assert_eq!(names(&["backlog"]).len(), control::schedule::ALL.len());
    assert_eq!(names(&["decision/random", "histogram"]), ["histogram", "decision/random"]);
    assert!(names(&[]).len() > 30);
}

#[test]
fn a_misspelt_component_is_told_what_there_is() {
    let told = |name: &str| select(&[name.into()]).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told("priority-que").contains("did you mean \"priority-queue\"?"), "{}", told("priority-que"));
    assert!(told("decision/ran").contains("decision"), "part of a name is none");
}

#[test]
fn names_are_the_components_own() {
    let all = select(&[]).unwrap();
    let mut names: Vec<&str> = all.iter().map(|component| component.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}
