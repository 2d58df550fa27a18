use std::fs;

use super::*;

/// What is wrong with a `[workload]` section, as its user reads it.
fn wrong(toml: &str) -> String {
    let file: WorkloadFile = toml::from_str(toml).expect("the test's text fits");
    let error = file.check(Path::new("")).expect_err("the test's text is wrong");
    assert!(error.key().starts_with("workload"), "{}", error.key());
    error.to_string()
}

#[test]
fn default_of_every_choice_is_right() {
    for toml in [
        "",
        "requests = 1",
        "arrivals.poisson = {}",
        "arrivals.gamma = {}",
        "arrivals.on_off = {}",
        "arrivals.daily = {}",
        "arrivals.closed_loop = {}",
        "arrivals.trace.file = 'x.csv'",
        "sessions = {}",
        "models.zipf.names = ['a', 'b']",
        "tenants = [{}]",
        "options = {}",
    ] {
        let file: WorkloadFile = toml::from_str(toml).expect(toml);
        file.check(Path::new("")).expect(toml);
    }
}

#[test]
fn resolved_file_means_the_same_and_says_all() {
    for toml in ["", "sessions = {}", "pairs.tokens = [[1, 2]]", "arrivals.trace.file = 'x.csv'"] {
        let file: WorkloadFile = toml::from_str(toml).expect(toml);
        let text = toml::to_string(&file.resolved()).expect("a workload is TOML");
        let again: WorkloadFile = toml::from_str(&text).expect(&text);
        assert_eq!(again, file.resolved());
        assert_eq!(again.resolved(), again, "nothing is left to resolve");
        let checked = |file: &WorkloadFile| format!("{:?}", file.check(Path::new("")).expect(toml));
        assert_eq!(checked(&again), checked(&file), "{text}");
    }
    let text = toml::to_string(&WorkloadFile::default().resolved()).expect("a workload is TOML");
    for key in ["requests = 10000", "rate_per_second = 2.0", "median_tokens = 500.0", "share = 1.0"] {
        assert!(text.contains(key), "{key}: {text}");
    }
}

#[test]
fn trace_takes_the_place_of_arrivals_lengths_and_sessions() {
    let file: WorkloadFile = toml::from_str(
        "requests = 5
         sessions = {}
         prompt.fixed.tokens = 1
         tenants = [{ name = 'a' }]
         models.zipf.names = ['m']",
    )
    .expect("the test's text fits");
    let trace = TraceFile { file: "t.csv".into(), ..TraceFile::default() };
    let checked = file.with_trace(trace).check(Path::new("/base")).expect("what contradicts a trace is gone");
    let (path, options) = checked.trace().expect("jobs come from the trace");
    assert_eq!(path, Path::new("/base/t.csv"));
    assert_eq!(options.models.names, ["m"]);
}

#[test]
fn wrong_values_are_named_with_what_was_expected() {
    let cases = [
        ("requests = 0", "workload.requests: found 0, expected 1 to 1000000000000"),
        (
            "arrivals.poisson.rate_per_second = 0",
            "workload.arrivals.poisson.rate_per_second: found 0, expected a number above 0, at most 1000000000",
        ),
        (
            "arrivals.poisson.rate_per_second = nan",
            "workload.arrivals.poisson.rate_per_second: found NaN, expected a number above 0, at most 1000000000",
        ),
        (
            "arrivals.gamma.cv = -1",
            "workload.arrivals.gamma.cv: found -1, expected a number from 0.01 to 100",
        ),
        (
            "arrivals.on_off = { on_rate_per_second = 1e-7, off_rate_per_second = 0, on_mean_seconds = 1 }",
            "workload.arrivals.on_off: found 0.0000001 requests in a mean on and off phase, expected at least 0.000001",
        ),
        (
            "arrivals.daily.amplitude_percent = 101",
            "workload.arrivals.daily.amplitude_percent: found 101, expected a number from 0 to 100",
        ),
        (
            "arrivals.daily.peak_seconds = 86401",
            "workload.arrivals.daily.peak_seconds: found 86401, expected a number from 0 to 86400",
        ),
        (
            "arrivals.closed_loop.users = 0",
            "workload.arrivals.closed_loop.users: found 0, expected 1 to 10000000",
        ),
        (
            "requests = 1000000\narrivals.poisson.rate_per_second = 1e-5",
            "workload.arrivals: found 1000000 requests in about 3169 years, expected at most a hundred years",
        ),
        (
            "sessions.turns_mean = 0.5",
            "workload.sessions.turns_mean: found 0.5, expected a number from 1 to 10000",
        ),
        (
            "sessions.system_prompts = 0",
            "workload.sessions.system_prompts: found 0, expected at least 1 (for none, system_prompt_tokens = 0)",
        ),
        ("prompt.fixed.tokens = 0", "workload.prompt.fixed.tokens: found 0, expected 1 to 16777216 tokens"),
        (
            "output.lognormal = { median_tokens = 5, cv = 1 }",
            "workload.output.lognormal: found median_tokens, cv, expected either median_tokens and sigma, or \
             mean_tokens and cv",
        ),
        (
            "output.lognormal = { median_tokens = 5, sigma = 1, min_tokens = 9, max_tokens = 8 }",
            "workload.output.lognormal.min_tokens: found 9, expected at most max_tokens = 8",
        ),
        (
            "prompt.empirical.quantiles = [[0, 1], [50, 9], [50, 10], [100, 20]]",
            "workload.prompt.empirical.quantiles.2: found [50, 10] after [50, 9], expected percents that rise, tokens \
             that never fall",
        ),
        (
            "prompt.empirical.quantiles = [[0, 1], [nan, 9], [100, 20]]",
            "workload.prompt.empirical.quantiles.1: found [NaN, 9] after [0, 1], expected percents that rise, tokens \
             that never fall",
        ),
        (
            "prompt.empirical.quantiles = [[1, 1], [100, 20]]",
            "workload.prompt.empirical.quantiles: found 2 rows from 1 to 100 percent, expected rows of [percent, \
             tokens] from 0 to 100 percent",
        ),
        (
            "pairs.tokens = [[1, 2], [3, 0]]",
            "workload.pairs.tokens.1.1: found 0, expected 1 to 16777216 tokens",
        ),
        (
            "pairs.tokens = [[1, 2]]\nprompt.fixed.tokens = 1",
            "workload.prompt: found a table, expected nothing beside workload.pairs",
        ),
        (
            "models.weighted = [{ name = 'a' }, { name = 'a' }]",
            "workload.models.weighted: found \"a\" twice, expected each name once",
        ),
        (
            "models.weighted = [{ name = 'a', weight = 0 }]",
            "workload.models.weighted: found nothing but zeros, expected at least one weight or share above 0",
        ),
        ("models.zipf.names = []", "workload.models.zipf.names: found 0 names, expected 1 to 100000"),
        (
            "tenants = [{ share = -1 }]",
            "workload.tenants.0.share: found -1, expected a number from 0 to 1000000000000",
        ),
        (
            "tenants = [{ patience_seconds = -2 }]",
            "workload.tenants.0.patience_seconds: found -2, expected a number from 0 to 3156000000",
        ),
        ("options.num_predict = 0", "workload.options.num_predict: found 0, expected 1 to 16777216"),
        (
            "options.keep_alive.seconds = -1",
            "workload.options.keep_alive.seconds: found -1, expected a number from 0 to 3156000000",
        ),
        ("arrivals.trace = {}", "workload.arrivals.trace.file: found no path, expected a trace's path"),
        (
            "arrivals.trace.file = 'x'\nsessions = {}",
            "workload.sessions: found a table, expected nothing: with workload.arrivals.trace, lengths and sessions \
             come from the trace",
        ),
        (
            "arrivals.trace.file = 'x'\nmodels.weighted = [{ name = 'a' }, { name = 'b' }]",
            "workload.models.weighted: found 2 models with weights, expected workload.models.zipf: rows of a trace get \
             their models by rank",
        ),
    ];
    for (toml, expected) in cases {
        assert_eq!(wrong(toml), expected);
    }
}

#[test]
fn unknown_keys_are_errors_everywhere() {
    for toml in [
        "request = 5",
        "arrivals.poisson.rate = 5",
        "arrivals.uniform = {}",
        "sessions.turns = 5",
        "prompt.lognormal = { median = 5 }",
        "tenants = [{ weight = 5 }]",
        "options.num_gpus = 1",
        "arrivals.trace.path = 'x'",
    ] {
        let error = toml::from_str::<WorkloadFile>(toml).expect_err(toml).to_string();
        assert!(error.contains("unknown"), "{toml}: {error}");
    }
}

fn table(text: &str) -> Result<Workload, String> {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::write(folder.path().join("pairs.csv"), text).expect("the test's file is written");
    let file: WorkloadFile = toml::from_str("pairs.file = 'pairs.csv'").expect("the test's text fits");
    file.check(folder.path())
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn file_of_pairs_is_read_with_headings_comments_and_either_separator() {
    let checked =
        table("prompt,output\r\n# measured\r\n10,1\r\n\r\n20 \t 2\r\n30, 3").expect("the file is right");
    let Demand::Generated { lengths: Lengths::Pairs(rows), .. } = checked.demand else { panic!("not pairs") };
    assert_eq!(&rows[..], [(10, 1), (20, 2), (30, 3)]);
}

#[test]
fn faults_of_a_file_of_pairs_are_named_with_line_and_column() {
    let numbers = "2 whole numbers from 1 to 16777216 (workload.pairs.file)";
    let long = "1".repeat(2_000);
    let cases = [
        ("10,1\n20,x\n", format!("DIR/pairs.csv:2:4: found \"x\", expected {numbers}")),
        ("10,1\n20\n", format!("DIR/pairs.csv:2:3: found 1 of 2 numbers, expected {numbers}")),
        ("10,1,7\n", format!("DIR/pairs.csv:1:6: found \"7\", expected {numbers}")),
        ("10,0\n", format!("DIR/pairs.csv:1:4: found \"0\", expected {numbers}")),
        (
            long.as_str(),
            "DIR/pairs.csv:1:1: found a line of more than 1024 bytes, expected 2 numbers (workload.pairs.file)".into(),
        ),
        (
            "prompt,output\n",
            "workload.pairs.file: found DIR/pairs.csv without a row, expected a file with at least one row".into(),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(table(text).expect_err(text), expected);
    }
    let missing: WorkloadFile =
        toml::from_str("output.empirical.file = 'no.txt'").expect("the test's text fits");
    let error = missing.check(Path::new("/nowhere")).expect_err("there is no such file");
    assert!(matches!(error, WorkloadError::Io { .. }), "{error}");
    assert_eq!(error.key(), "workload.output.empirical.file");
}
