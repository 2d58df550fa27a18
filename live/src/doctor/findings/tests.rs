use control::door::Declaration;
use control::units::Bytes;

use super::*;

fn host(name: &str, authority: &str) -> HostEntry {
    let declaration = Declaration {
        name: name.into(),
        memory: Bytes(8 << 30),
        gpu: "a-gpu".into(),
        ..Declaration::default()
    };
    HostEntry { authority: authority.into(), declaration }
}

fn model(name: &str, digest: &str) -> Model {
    Model { name: name.into(), digest: digest.into(), ..Model::default() }
}

fn well() -> Answers {
    Answers {
        version: Ok(("0.24.0".into(), 3)),
        stored: Some(vec![model("m:latest", "a")]),
        loaded: Some(Vec::new()),
        answers_strangers: false,
    }
}

/// Grade and text of each finding, about the first host or the fleet.
fn found(answers: Answers) -> Vec<(Grade, String)> {
    let hosts = [host("first", "10.0.0.1:11434"), host("second", "10.0.0.2:11434")];
    let findings = examine(&hosts, &[answers, well()]);
    let about = |finding: &Finding| finding.host.as_deref() != Some("second");
    findings.into_iter().filter(about).map(|finding| (finding.grade, finding.text)).collect()
}

#[test]
fn a_fleet_that_is_well_is_told_so() {
    let said = found(well());
    assert_eq!(said[0], (Grade::Good, "Ollama 0.24.0 answers in 3 ms".into()));
    assert_eq!(said[1], (Grade::Good, "nothing to complain about".into()));
}

#[test]
fn what_is_wrong_with_a_host_is_said_with_what_to_do() {
    let is = |answers: Answers, grade: Grade, part: &str| {
        let said = found(answers);
        assert!(said.iter().any(|found| found.0 == grade && found.1.contains(part)), "{said:?}");
    };
    let unreachable = Answers::none("connection refused".into());
    is(unreachable, Grade::Problem, "connection refused");
    is(Answers { version: Ok(("0.9.6".into(), 1)), ..well() }, Grade::Warning, "tested with 0.10 to 0.24");
    is(Answers { version: Ok(("0.0.0".into(), 1)), ..well() }, Grade::Warning, "built from source");
    is(Answers { version: Ok(("0.12.1-rc0".into(), 900)), ..well() }, Grade::Warning, "900 ms");
    is(Answers { answers_strangers: true, ..well() }, Grade::Warning, "without herder");
    is(Answers { stored: None, ..well() }, Grade::Problem, "/api/tags");
    is(Answers { stored: Some(Vec::new()), ..well() }, Grade::Warning, "no model on disk");
    is(
        Answers { stored: Some(vec![model("m:latest", "b")]), ..well() },
        Grade::Warning,
        "not the same content",
    );
    is(Answers { stored: Some(vec![model("n:latest", "a")]), ..well() }, Grade::Warning, "n:latest (first)");
    let remote = Model { remote_host: "https://elsewhere".into(), ..model("m:latest", "a") };
    is(Answers { stored: Some(vec![remote]), ..well() }, Grade::Warning, "cloud");
    let large = Model { size: 9 << 30, size_vram: 9 << 30, ..model("m:latest", "a") };
    is(Answers { loaded: Some(vec![large]), ..well() }, Grade::Problem, "9.0 GiB");
    let split = Model { size: 4 << 30, size_vram: 3 << 30, ..model("m:latest", "a") };
    is(Answers { loaded: Some(vec![split]), ..well() }, Grade::Warning, "75 %");
}

#[test]
fn two_hosts_at_one_address_are_a_problem_and_loopback_is_no_bypass() {
    let hosts = [host("first", "127.0.0.1:1"), host("second", "127.0.0.1:1")];
    let open = || Answers { answers_strangers: true, ..well() };
    let findings = examine(&hosts, &[open(), open()]);
    let problems: Vec<_> = findings.iter().filter(|finding| finding.grade > Grade::Good).collect();
    assert!(problems.len() == 1 && problems[0].text.contains("same address as first"), "{problems:?}");
}
