//! The driver finds a part at fault.

use super::*;
use crate::constraints::{DemandsFile, RuleFile};
use crate::door::Part;
use crate::policy::select::SelectFile;

#[test]
fn the_plain_twin_of_a_part_decides_as_the_other_did() {
    let demands = DemandsFile { prefer_hosts: Some(["h1".into()].into()), ..DemandsFile::default() };
    let rules = [RuleFile { name: "near".into(), demands, ..RuleFile::default() }].into();
    let file = ControlFile {
        balancer: "least-connections".into(),
        scheduler: "shortest-job".into(),
        select: Some(SelectFile {
            arms: ["join-idle-queue".into(), "prefix-affinity".into()].into(),
            ..SelectFile::default()
        }),
        rules,
        aging_millis: Some(50),
        ..ControlFile::default()
    };
    for part in [Part::Queue, Part::Hosts, Part::Constraints, Part::History] {
        let mut bench = Bench::new(&file, 3, 2);
        let arrive =
            |request: u64| Arrive { prompt_bytes: Bytes(request * 977 % 4_000), ..Arrive::default() };
        for request in 0..30 {
            bench.at(request).arrive_with(arrive(request));
        }
        // What is learned now would give the queued another rank, were they queued now.
        let usage = Usage { prompt_tokens: 900, output_tokens: 300, ..Usage::default() };
        bench.feed(Input::Finished { request: RequestId(0), attempt: 0, usage });
        let mut fallen = bench.restored();
        assert_eq!(notes(&fallen.feed(Input::Verdict(part))), [Note::FellBack(part)]);
        assert_eq!(fallen.feed(Input::Verdict(part)), [], "once is enough");
        let mut running: Vec<u64> = (0..3).flat_map(|host| bench.running_on(host)).collect();
        for request in 30..60 {
            let done = running.remove(0);
            let outputs = bench.at(request).finish(done, 0);
            assert_eq!(outputs, fallen.at(request).finish(done, 0), "{part:?}");
            running.extend(sent(&outputs).iter().map(|sent| sent.0));
            let outputs = bench.arrive_with(arrive(request));
            assert_eq!(outputs, fallen.arrive_with(arrive(request)), "{part:?}");
            running.extend(sent(&outputs).iter().map(|sent| sent.0));
        }
    }
}

#[test]
fn fewest_requests_decide_in_place_of_a_broken_balancer() {
    let mut bench = Bench::new(&file(), 2, 9);
    for host in [0, 1, 0, 1] {
        assert_eq!(sent(&bench.arrive())[0].1, host);
    }
    bench.finish(1, 0);
    bench.finish(3, 0);
    let base = bench.arm("base");
    assert_eq!(
        bench.feed(Input::Verdict(Part::Balancer(base))),
        [Output::Note(Note::FellBack(Part::Balancer(base)))]
    );
    for host in [1, 1, 0] {
        assert_eq!(sent(&bench.arrive())[0].1, host);
    }
    assert_eq!(sent(&bench.restored().arrive())[0].1, 1, "it stays so in one that is built again");
    bench.install(&file());
    assert_eq!(sent(&bench.arrive())[0].1, 0, "another config gives it another chance: the turn goes on");
}

#[test]
fn order_of_arrival_decides_in_place_of_a_broken_scheduler() {
    let urgent = ControlFile { scheduler: "priority-deadline".into(), ..file() };
    let mut bench = Bench::new(&urgent, 1, 1);
    for priority in [0, 0, 5, 0, 5] {
        bench.arrive_with(Arrive { priority, ..Arrive::default() });
    }
    assert_eq!(bench.feed(Input::Verdict(Part::Scheduler)), [Output::Note(Note::FellBack(Part::Scheduler))]);
    assert_eq!(sent(&bench.finish(0, 0)), [(1, 0)]);
    bench.install(&urgent);
    assert_eq!(sent(&bench.finish(1, 0)), [(2, 0)], "another config gives it another chance");
}
