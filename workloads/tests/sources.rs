//! Sources as a driver sees them: what they promise of order, feedback, chance and memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use control::request::{KeepAlive, Outcome, Reject};
use control::units::{Instant, Nanos};
use traces::job::Job;
use workloads::config::WorkloadFile;
use workloads::source::Source;

fn source(toml: &str, seed: u64) -> Box<dyn Source> {
    let file: WorkloadFile = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"));
    let workload = file.check(Path::new("")).unwrap_or_else(|error| panic!("{toml}: {error}"));
    workload.source(seed).expect("no trace is to be opened")
}

/// Plays a source against servers that answer each job after `serve` says, and returns the jobs.
fn play(toml: &str, seed: u64, serve: impl Fn(&Job) -> (Nanos, Outcome)) -> Vec<Job> {
    let mut source = source(toml, seed);
    let mut ends: BTreeSet<(Instant, u64)> = BTreeSet::new();
    let mut outcomes = BTreeMap::new();
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let next = source.next_arrival().expect("nothing is read");
        match (next, ends.first().copied()) {
            (Some(at), end) if end.is_none_or(|(end, _)| at <= end) => {
                let job = source.take().expect("nothing is read").expect("a job was announced");
                assert_eq!(job.arrival, at, "a job arrives when it was announced");
                assert_eq!(job.id, jobs.len() as u64, "ids rise by one");
                assert!(jobs.last().is_none_or(|last| last.arrival <= at), "jobs come in order");
                let (time, outcome) = serve(&job);
                ends.insert((at + time, job.id));
                outcomes.insert(job.id, outcome);
                jobs.push(job);
            }
            (_, Some((at, id))) => {
                ends.pop_first();
                source.ended(id, at, outcomes[&id]);
            }
            (None, None) => break,
            (Some(_), None) => unreachable!("the first arm takes a job where nothing is under way"),
        }
    }
    assert_eq!(source.take().expect("nothing is read"), None, "nothing follows the end");
    if let Some(len) = source.len_hint() {
        assert_eq!(jobs.len() as u64, len, "as many as announced");
    }
    jobs
}

fn at_once(_: &Job) -> (Nanos, Outcome) {
    (Nanos::ZERO, Outcome::Finished)
}

/// A server whose time depends on the job, so that users drift apart.
fn slowly(job: &Job) -> (Nanos, Outcome) {
    (Nanos::from_millis(u64::from(job.output_tokens) * 40), Outcome::Finished)
}

const KINDS: [&str; 6] = [
    "requests = 500",
    "requests = 500\narrivals.gamma = {}",
    "requests = 500\nsessions = {}",
    "requests = 500\narrivals.closed_loop.users = 9",
    "requests = 500\narrivals.closed_loop.users = 9\nsessions = {}",
    "requests = 500\narrivals.daily = {}\nmodels.zipf.names = ['a', 'b', 'c']",
];

#[test]
fn same_seed_gives_same_jobs_and_another_seed_others() {
    for toml in KINDS {
        assert_eq!(play(toml, 3, slowly), play(toml, 3, slowly), "{toml}");
        assert_ne!(play(toml, 3, slowly), play(toml, 4, slowly), "{toml}");
    }
}

#[test]
fn requests_are_counted_whatever_becomes_of_them() {
    for toml in KINDS {
        let jobs = play(toml, 3, |job| {
            let outcome = if job.id.is_multiple_of(3) {
                Outcome::Rejected(Reject::QueueFull)
            } else {
                Outcome::Finished
            };
            (Nanos::from_millis(700), outcome)
        });
        assert_eq!(jobs.len(), 500, "{toml}");
    }
}

#[test]
fn only_users_and_sessions_want_feedback() {
    let wants = KINDS.map(|toml| source(toml, 1).wants_feedback());
    assert_eq!(wants, [false, false, true, true, true, false]);
}

/// What a change of one setting must leave as it was.
fn times_and_lengths(jobs: &[Job]) -> Vec<(Instant, u32, u32)> {
    jobs.iter().map(|job| (job.arrival, job.prompt_tokens, job.output_tokens)).collect()
}

#[test]
fn more_tenants_or_models_change_neither_times_nor_lengths() {
    for base in
        ["requests = 300", "requests = 300\nsessions = {}", "requests = 300\narrivals.closed_loop = {}"]
    {
        let plain = play(base, 8, slowly);
        for more in [
            "tenants = [{ name = 'a', share = 3 }, { name = 'b', priority = 5, deadline_seconds = 9 }]",
            "models.zipf.names = ['a', 'b', 'c', 'd']",
            "models.weighted = [{ name = 'a', weight = 1 }, { name = 'b', weight = 7 }]",
            "options = { num_ctx = 4096, keep_alive = 'forever' }",
        ] {
            let changed = play(&format!("{base}\n{more}"), 8, slowly);
            assert_eq!(times_and_lengths(&changed), times_and_lengths(&plain), "{base}\n{more}");
            assert_ne!(changed, plain, "the change shows somewhere: {more}");
        }
    }
}

#[test]
fn other_lengths_change_neither_arrivals_nor_models_nor_tenants() {
    let base =
        "requests = 300\nmodels.zipf.names = ['a', 'b', 'c']\ntenants = [{ name = 'a' }, { name = 'b' }]\n";
    let rest = |more: &str| {
        let jobs = play(&format!("{base}{more}"), 8, slowly);
        jobs.iter().map(|job| (job.arrival, job.model, job.tenant)).collect::<Vec<_>>()
    };
    assert_eq!(rest(""), rest("prompt.empirical.tokens = [1, 2, 3]\noutput.fixed.tokens = 1"));
}

#[test]
fn small_new_model_moves_few_jobs() {
    let models = |weight: u32| {
        let toml = format!(
            "requests = 10000\nmodels.weighted = [{{ name = 'a', weight = 60 }}, {{ name = 'b', weight = 40 }}, \
             {{ name = 'c', weight = {weight} }}]"
        );
        play(&toml, 8, at_once).iter().map(|job| job.model).collect::<Vec<_>>()
    };
    let moved = models(0).iter().zip(models(1)).filter(|(before, after)| **before != *after).count();
    // 1 % goes to the new one, and 0.6 % from the first to the second.
    assert!((50..300).contains(&moved), "{moved} of 10,000");
}

/// How long after the end of their request before, and with which lengths, users ask: by (user's tenant, k).
fn asked(jobs: &[Job], serve: impl Fn(&Job) -> (Nanos, Outcome)) -> BTreeMap<(u32, usize), (u64, u32, u32)> {
    let mut last: BTreeMap<u32, (Instant, usize)> = BTreeMap::new();
    let mut asked = BTreeMap::new();
    for job in jobs {
        let (end, turn) = last.get(&job.tenant.0).copied().unwrap_or_default();
        let thought = job.arrival.since(end).0;
        asked.insert((job.tenant.0, turn), (thought, job.prompt_tokens, job.output_tokens));
        last.insert(job.tenant.0, (job.arrival + serve(job).0, turn + 1));
    }
    asked
}

#[test]
fn users_think_and_ask_the_same_however_fast_they_are_served() {
    // One user: all jobs are hers, in order.
    for sessions in ["", "\nsessions = { turns_mean = 4 }"] {
        let toml = format!("requests = 200\narrivals.closed_loop = {{ users = 1 }}{sessions}");
        let (fast, slow) = (play(&toml, 2, at_once), play(&toml, 2, slowly));
        assert_eq!(asked(&fast, at_once), asked(&slow, slowly), "{toml}");
        assert_ne!(fast, slow, "the feedback shows in the arrivals");
    }
}

#[test]
fn more_users_leave_the_first_ones_as_they_were() {
    // Nobody is answered: one request of each user.
    let first = |users: usize| {
        let toml = format!("requests = {users}\narrivals.closed_loop.users = {users}");
        let never = |_: &Job| (Nanos::from_secs(1_000_000), Outcome::Finished);
        times_and_lengths(&play(&toml, 2, never)).into_iter().collect::<BTreeSet<_>>()
    };
    let (few, many) = (first(20), first(40));
    assert_eq!((few.len(), many.len()), (20, 40));
    assert!(few.is_subset(&many), "{few:?} {many:?}");
}

#[test]
fn sessions_hold_the_same_turns_under_other_feedback() {
    for start in ["arrivals.poisson.rate_per_second = 2", "arrivals.closed_loop.users = 15"] {
        let toml = format!("requests = 2000\n{start}\nsessions = {{}}\nmodels.zipf.names = ['a', 'b', 'c']");
        // What a turn is, and how long after the end of the one before it comes.
        let turns = |serve: fn(&Job) -> (Nanos, Outcome)| {
            let mut turns = BTreeMap::new();
            for (number, session) in by_session(play(&toml, 5, serve)) {
                let mut end = session[0].arrival;
                for (turn, job) in session.iter().enumerate() {
                    let what = (job.prompt_tokens, job.output_tokens, job.model, job.answer_block);
                    turns.insert((number, turn), (what, job.arrival.since(end)));
                    end = job.arrival + serve(job).0;
                }
            }
            turns
        };
        let (fast, slow) = (turns(at_once), turns(slowly));
        let both: Vec<_> = fast.keys().filter(|key| slow.contains_key(key)).collect();
        assert!(both.len() > 1_000, "{} turns in both runs", both.len());
        assert!(both.iter().all(|key| fast[key] == slow[key]), "{start}");
    }
}

#[test]
fn closed_loop_never_has_more_under_way_than_users() {
    let jobs =
        play("requests = 2000\narrivals.closed_loop = { users = 5, think_time_mean_seconds = 1 }", 1, slowly);
    let ends: Vec<Instant> = jobs.iter().map(|job| job.arrival + slowly(job).0).collect();
    let mut most = 0;
    for (at, job) in jobs.iter().enumerate() {
        let under_way = ends[..at].iter().filter(|end| **end > job.arrival).count() + 1;
        most = most.max(under_way);
    }
    assert_eq!(most, 5, "and at times all wait");
}

#[test]
fn think_times_have_their_mean() {
    let toml = "requests = 20000\narrivals.closed_loop = { users = 1, think_time_mean_seconds = 3 }";
    let jobs = play(toml, 1, at_once);
    let mean = jobs.last().expect("20,000 jobs").arrival.0 as f64 / 20_000.0 / 1e9;
    // 99 % of the mean of 20,000 exponential times.
    assert!((mean / 3.0 - 1.0).abs() < 2.576 / 141.4, "{mean}");
}

/// The jobs of each session, in order.
fn by_session(jobs: Vec<Job>) -> BTreeMap<u64, Vec<Job>> {
    let mut sessions: BTreeMap<u64, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        sessions.entry(job.session.expect("every job has its session").0).or_default().push(job);
    }
    sessions
}

#[test]
fn each_turn_opens_with_the_turn_before_and_its_answer() {
    for start in ["arrivals.poisson.rate_per_second = 5", "arrivals.closed_loop.users = 20"] {
        let toml = format!(
            "requests = 3000\n{start}\nsessions = {{ turns_mean = 6, system_prompts = 3 }}\n\
             models.zipf.names = ['a', 'b']\ntenants = [{{ name = 'a' }}, {{ name = 'b' }}]"
        );
        let sessions = by_session(play(&toml, 5, slowly));
        let mut ids = BTreeSet::new();
        let (mut turns, mut systems) = (0, BTreeSet::new());
        for session in sessions.values() {
            for job in session {
                let blocks = job.blocks.as_deref().expect("prompts of sessions are chains");
                assert_eq!(blocks.iter().map(|block| block.tokens).sum::<u32>(), job.prompt_tokens);
                assert!(ids.insert(blocks.last().expect("a message").id), "a message is new");
                assert!(ids.insert(job.answer_block), "an answer is new");
                assert_eq!(blocks[0].tokens, 200, "the system prompt opens");
                systems.insert(blocks[0].id);
                let first = &session[0];
                assert_eq!((job.model, job.tenant), (first.model, first.tenant), "a session keeps both");
            }
            for pair in session.windows(2) {
                let [before, after] = pair else { unreachable!() };
                let (old, new) = (before.blocks.as_deref().unwrap(), after.blocks.as_deref().unwrap());
                assert_eq!(&new[..old.len()], old);
                let answer = new[old.len()];
                assert_eq!((answer.id, answer.tokens), (before.answer_block, before.output_tokens));
                assert_eq!(new.len(), old.len() + 2, "an answer and a message are added");
                assert!(after.arrival >= before.arrival + slowly(before).0, "after the answer ended");
                turns += 1;
            }
        }
        assert!(turns > 1_000, "{turns} later turns were seen");
        assert_eq!(systems.len(), 3);
    }
}

#[test]
fn sessions_have_their_mean_number_of_turns() {
    let toml = "requests = 60000\narrivals.poisson.rate_per_second = 1\n\
                prompt.fixed.tokens = 1\noutput.fixed.tokens = 1\n\
                sessions = { turns_mean = 4, think_time_mean_seconds = 0, system_prompt_tokens = 0 }";
    let sessions = by_session(play(toml, 5, at_once));
    let mean = 60_000.0 / sessions.len() as f64;
    // Deviation of a geometric number with mean 4: √12.
    let interval = 2.576 * (12.0 / sessions.len() as f64).sqrt();
    assert!((mean - 4.0).abs() < interval, "{mean}");
}

#[test]
fn sessions_end_where_a_turn_fails_or_the_prompt_would_be_too_long() {
    let base = "requests = 2000\nprompt.fixed.tokens = 100\noutput.fixed.tokens = 100\n\
                sessions = { turns_mean = 50, prompt_tokens_max = 1000, system_prompt_tokens = 0 }";
    let sessions = by_session(play(base, 5, at_once));
    let longest = sessions.values().flatten().map(|job| job.prompt_tokens).max();
    // Prompts grow by 200: 100, 300, … 900.
    assert_eq!(longest, Some(900));
    let failed = |_: &Job| (Nanos::from_secs(1), Outcome::Cancelled);
    assert!(by_session(play(base, 5, failed)).values().all(|session| session.len() == 1));
}

#[test]
fn answers_cut_by_num_predict_are_short_in_the_next_prompt_too() {
    let toml = "requests = 200\nprompt.fixed.tokens = 10\noutput.fixed.tokens = 100\noptions.num_predict = 30\n\
                sessions.system_prompt_tokens = 0";
    let sessions = by_session(play(toml, 5, at_once));
    for session in sessions.values() {
        for (turn, job) in session.iter().enumerate() {
            assert_eq!((job.output_tokens, job.num_predict), (100, Some(30)));
            assert_eq!(job.prompt_tokens, 10 + 40 * turn as u32);
        }
    }
    assert!(sessions.values().any(|session| session.len() > 2));
}

#[test]
fn tenants_give_their_jobs_priority_deadline_patience_and_options() {
    let toml = "requests = 4000
        options = { num_ctx = 2048, keep_alive.seconds = 60 }
        tenants = [
            { name = 'batch', share = 3, priority = -5 },
            { name = 'chat', share = 1, priority = 7, deadline_seconds = 10, patience_seconds = 2.5, \
              options = { num_ctx = 8192, num_predict = 64, keep_alive = 'forever' } },
        ]";
    let source = source(toml, 1);
    assert_eq!(source.tenants(), ["batch", "chat"]);
    let mut chats = 0;
    for job in play(toml, 1, at_once) {
        if job.tenant.0 == 0 {
            assert_eq!((job.priority, job.deadline, job.patience, job.num_predict), (-5, None, None, None));
            assert_eq!(job.options.num_ctx, Some(2_048));
            assert_eq!(job.options.keep_alive, Some(KeepAlive::For(Nanos::from_secs(60))));
        } else {
            chats += 1;
            assert_eq!((job.priority, job.num_predict), (7, Some(64)));
            assert_eq!(job.deadline, Some(job.arrival + Nanos::from_secs(10)));
            assert_eq!(job.patience, Some(Nanos::from_millis(2_500)));
            assert_eq!(job.options.num_ctx, Some(8_192));
            assert_eq!(job.options.keep_alive, Some(KeepAlive::Forever));
        }
    }
    // 99.9 % of a binomial with p = 1/4.
    assert!((f64::from(chats) - 1_000.0).abs() < 3.29 * 750_f64.sqrt(), "{chats}");
}

#[test]
fn models_are_named_by_popularity() {
    let toml = "models.weighted = [{ name = 'rare', weight = 1 }, { name = 'often', weight = 9 }]";
    assert_eq!(source(toml, 1).models(), ["often", "rare"]);
    let often =
        play(&format!("requests = 1000\n{toml}"), 1, at_once).iter().filter(|job| job.model == 0).count();
    assert!((850..950).contains(&often), "{often}");
}

const VIDUR: &str = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,10,3\n1.25,20,4\n2.0,30,5\n";

#[test]
fn trace_gives_its_jobs_under_the_workloads_tenants() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("t.csv"), VIDUR).expect("the trace is written");
    let toml = "arrivals.trace = { file = 't.csv', rate.compress_time = 2.0 }\n\
                models.zipf.names = ['m', 'n']\ntenants = [{ name = 't', priority = 4, deadline_seconds = 1 }]";
    let jobs = |text: &str| {
        let file: WorkloadFile = toml::from_str(text).expect("the test's text fits");
        let workload = file.check(folder.path()).expect("the test's workload is right");
        let mut source = workload.trace_source(1).expect("the trace opens").expect("it is a trace");
        assert_eq!((source.models(), source.tenants()), (&["m".into(), "n".into()][..], &["t".into()][..]));
        let mut jobs = Vec::new();
        while let Some(at) = source.next_arrival().expect("the trace is right") {
            let job = source.take().expect("the trace is right").expect("it was announced");
            assert_eq!(job.arrival, at);
            jobs.push(job);
        }
        assert_eq!(source.jobs().counts().jobs, jobs.len() as u64);
        jobs
    };
    let all = jobs(toml);
    let tokens: Vec<_> = all.iter().map(|job| (job.prompt_tokens, job.output_tokens)).collect();
    assert_eq!(tokens, [(10, 3), (20, 4), (30, 5)]);
    let gaps: Vec<_> = all.windows(2).map(|pair| pair[1].arrival.since(pair[0].arrival)).collect();
    assert_eq!(gaps, [Nanos::from_millis(375), Nanos::from_millis(375)]);
    assert!(
        all.iter().all(|job| job.priority == 4 && job.deadline == Some(job.arrival + Nanos::from_secs(1)))
    );
    assert_eq!(jobs(&format!("requests = 2\n{toml}")), all[..2], "as many as asked for");
}

#[test]
fn broken_trace_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("t.csv"), format!("{VIDUR}3.0,x,5\n")).expect("the trace is written");
    let file: WorkloadFile = toml::from_str("arrivals.trace.file = 't.csv'").expect("the test's text fits");
    let mut source =
        file.check(folder.path()).expect("the path is right").source(1).expect("the trace opens");
    let error = loop {
        match source.take() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the broken line was passed over"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("t.csv:5:5: found"), "{error}");
    assert_eq!(source.take().expect("the error was told once"), None);
}
