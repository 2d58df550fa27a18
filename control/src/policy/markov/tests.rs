use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Nanos::from_millis(millis)
}

fn config() -> PredictorConfig {
    PredictorFile { half_life_millis: 1_000, ..PredictorFile::default() }.check().expect("valid")
}

fn models(predictions: &[Prediction]) -> Vec<u32> {
    predictions.iter().map(|prediction| prediction.model.0).collect()
}

#[test]
fn a_cycle_is_learned_and_the_next_model_comes_first() {
    let (config, mut predictor) = (config(), Predictor::default());
    for turn in 0..30 {
        predictor.note(7, ModelId(turn % 3), at(turn.into()), &config);
    }
    let predictions = predictor.predict(at(30), 3, &config);
    assert_eq!(models(&predictions), [0, 1, 2]);
    // Nine of ten by the chain, and a third of the tenth by frequency; rounded down.
    assert_eq!(predictions[0].score, ONE * 28 / 30);
}

#[test]
fn without_a_chain_the_most_frequent_of_late_comes_first() {
    let (config, mut predictor) = (config(), Predictor::default());
    (0..3).for_each(|stream| predictor.note(stream, ModelId(1), at(0), &config));
    (3..5).for_each(|stream| predictor.note(stream, ModelId(2), at(900), &config));
    assert_eq!(models(&predictor.predict(at(950), 2, &config)), [1, 2]);
    predictor.note(5, ModelId(2), at(1_000), &config);
    assert_eq!(models(&predictor.predict(at(1_000), 2, &config)), [2, 1], "1.5 to 2");
}

#[test]
fn streams_that_are_silent_count_less() {
    let (config, mut predictor) = (config(), Predictor::default());
    for stream in [1, 2] {
        for turn in 0..20 {
            let model = if turn % 2 == 0 { 0 } else { stream as u32 };
            predictor.note(stream, ModelId(model), at(0), &config);
        }
        predictor.note(stream, ModelId(0), at(if stream == 1 { 0 } else { 3_000 }), &config);
    }
    let predictions = predictor.predict(at(3_000), 2, &config);
    assert_eq!(models(&predictions), [2, 1]);
    assert!(predictions[0].score > 5 * predictions[1].score, "{predictions:?}");
}

#[test]
fn nothing_is_predicted_of_nothing_and_scores_sum_to_at_most_one() {
    let (config, mut predictor) = (config(), Predictor::default());
    assert_eq!(predictor.predict(at(0), 3, &config), []);
    for turn in 0..100u32 {
        predictor.note(u64::from(turn % 7), ModelId(turn * turn % 11), at(turn.into()), &config);
    }
    let sum: u32 = predictor.predict(at(100), 100, &config).iter().map(|prediction| prediction.score).sum();
    assert!((ONE - 20..=ONE).contains(&sum), "{sum}");
    assert_eq!(predictor.predict(Instant::MAX, 3, &config), [], "all is forgotten");
}

#[test]
fn a_predictor_comes_back_from_its_bytes() {
    let (config, mut predictor) = (config(), Predictor::default());
    (0..50).for_each(|turn| predictor.note(turn % 5, ModelId(turn as u32 % 3), at(turn), &config));
    let bytes = postcard::to_allocvec(&predictor).expect("a predictor can be written");
    assert_eq!(postcard::from_bytes::<Predictor>(&bytes), Ok(predictor));
}

#[test]
fn files_are_checked_and_name_the_key() {
    assert!(PredictorFile::default().check().is_ok());
    assert!(BudgetFile::default().check().is_ok());
    let none = PredictorFile { streams_max: 0, ..PredictorFile::default() }.check();
    assert_eq!(
        none.unwrap_err().to_string(),
        "control.prefetch.predictor.streams_max: found 0, expected 1 to 65536"
    );
    let none = BudgetFile { loads_burst_max: 0, ..BudgetFile::default() }.check();
    assert_eq!(
        none.unwrap_err().to_string(),
        "control.prefetch.budget.loads_burst_max: found 0, expected 1 to 100000"
    );
}

/// The plain twin: all that was noted, from which everything is counted anew.
struct Note {
    stream: u64,
    model: ModelId,
    now: Instant,
}

/// The requests of each stream that is still followed, with the time of its last.
fn followed(notes: &[Note], config: &PredictorConfig) -> Vec<(u64, Instant, Vec<ModelId>)> {
    let mut streams: Vec<(u64, Instant, Vec<ModelId>)> = Vec::new();
    for note in notes {
        match streams.iter_mut().find(|stream| stream.0 == note.stream) {
            Some(stream) => {
                stream.1 = note.now;
                stream.2.push(note.model);
            }
            None => {
                if streams.len() == config.streams_max as usize {
                    let oldest = streams.iter().map(|stream| (stream.1, stream.0)).min().expect("not empty");
                    streams.retain(|stream| stream.0 != oldest.1);
                }
                streams.push((note.stream, note.now, vec![note.model]));
            }
        }
    }
    streams
}

/// The count of a model: each of these requests is worth half after each half-life.
fn count(times: &[(ModelId, u64)], model: ModelId, period: u64) -> u128 {
    let worth = |(of, noted): &(ModelId, u64)| {
        let halvings = period - noted;
        if *of == model && halvings < 100 { 1u128 << (116 - halvings) } else { 0 }
    };
    times.iter().map(worth).sum::<u128>() >> 100
}

fn frequencies(notes: &[Note], config: &PredictorConfig) -> Vec<(ModelId, u64)> {
    let mut times: Vec<(ModelId, u64)> = Vec::new();
    let known = |times: &[(ModelId, u64)], period| {
        let mut known: Vec<ModelId> = times.iter().map(|time| time.0).collect();
        known.sort_unstable();
        known.dedup();
        known.retain(|model| count(times, *model, period) > 0);
        known
    };
    for note in notes {
        let period = config.period(note.now);
        let models = known(&times, period);
        times.retain(|time| models.contains(&time.0));
        if !models.contains(&note.model) && models.len() == config.models_max as usize {
            let rarest = models.into_iter().min_by_key(|model| (count(&times, *model, period), *model));
            times.retain(|time| Some(time.0) != rarest);
        }
        times.push((note.model, period));
    }
    times
}

fn predicted(notes: &[Note], now: Instant, wanted: usize, config: &PredictorConfig) -> Vec<Prediction> {
    let period = config.period(now);
    let times = frequencies(notes, config);
    let all: u128 = (0..8).map(|model| count(&times, ModelId(model), period)).sum();
    let streams = followed(notes, config);
    let weight =
        |seen_at: Instant| u128::from(ONE) << 16 >> (period - config.period(seen_at)).min(100) >> 16 << 16;
    let mut whole: u128 = streams.iter().map(|stream| weight(stream.1)).sum();
    let mut passed = whole;
    let mut parts = [0u128; 8];
    for (_, seen_at, requests) in &streams {
        let recent = &requests[requests.len().saturating_sub(config.history_requests_max as usize)..];
        let last = requests[requests.len() - 1];
        let from_last: Vec<ModelId> =
            recent.windows(2).filter(|pair| pair[0] == last).map(|pair| pair[1]).collect();
        for model in 0..8 {
            let times = from_last.iter().filter(|follower| follower.0 == model).count() as u128;
            let part = weight(*seen_at) * times / (from_last.len() as u128 + 1);
            parts[model as usize] += part;
            passed -= part;
        }
    }
    if whole == 0 {
        (whole, passed) = (1 << 32, 1 << 32);
    }
    let mut predictions: Vec<Prediction> = (0..8)
        .map(|model| {
            let frequent = passed * count(&times, ModelId(model), period);
            let part = parts[model as usize] + frequent.checked_div(all).unwrap_or(0);
            Prediction { model: ModelId(model), score: (part * u128::from(ONE) / whole) as u32 }
        })
        .filter(|prediction| prediction.score > 0)
        .collect();
    predictions.sort_by_key(|prediction| (core::cmp::Reverse(prediction.score), prediction.model));
    predictions.truncate(wanted);
    predictions
}

proptest! {
    #[test]
    fn predictor_counts_what_its_plain_twin_counts(
        steps in prop::collection::vec((0u64..6, 0u32..8, 0u8..5, 0u64..20_000), 1..120),
        (streams_max, history_requests_max, models_max) in (1u32..6, 2u32..8, 1u32..8),
        wanted in 0usize..9,
    ) {
        let config = PredictorConfig { streams_max, history_requests_max, models_max, ..config() };
        let (mut predictor, mut notes, mut now) = (Predictor::default(), Vec::new(), Instant::ZERO);
        for (stream, model, kind, millis) in steps {
            // One pause of five is long.
            now += Nanos::from_millis(if kind == 0 { millis } else { millis % 300 });
            predictor.note(stream, ModelId(model), now, &config);
            notes.push(Note { stream, model: ModelId(model), now });
            for later in [now, now + Nanos::from_millis(1_500)] {
                prop_assert_eq!(predictor.predict(later, wanted, &config), predicted(&notes, later, wanted, &config));
            }
            prop_assert!(predictor.streams.len() <= streams_max as usize);
            prop_assert_eq!(predictor.streams.len(), predictor.by_age.len());
        }
    }

    #[test]
    fn a_budget_is_a_bucket_of_tokens(
        steps in prop::collection::vec((0u64..2_000, any::<bool>()), 1..200),
        start in prop::sample::select(&[0, u64::MAX / 2][..]),
        (loads_per_hour, loads_burst_max, loads_under_way_max) in (1u32..30, 1u32..4, 1u32..4),
    ) {
        let config = BudgetFile { loads_per_hour, loads_burst_max, loads_under_way_max }.check().expect("valid");
        let price = 3_600_000_000_000 / u64::from(loads_per_hour);
        let full = u64::from(loads_burst_max) * price;
        let (mut budget, mut level, mut under_way) = (Budget::default(), full, 0);
        let mut now = Instant(start);
        for (seconds, ends) in steps {
            let then = now;
            now = now.saturating_add(Nanos::from_secs(seconds));
            level = level.saturating_add(now.since(then).0).min(full);
            if ends && under_way > 0 {
                under_way -= 1;
                budget.on_ended();
            }
            let allowed = under_way < loads_under_way_max && level >= price;
            prop_assert_eq!(budget.take(now, &config), allowed);
            if allowed {
                level -= price;
                under_way += 1;
            }
            prop_assert_eq!(budget.under_way(), under_way);
        }
    }
}

#[test]
fn no_loads_an_hour_are_none() {
    let config = BudgetFile { loads_per_hour: 0, ..BudgetFile::default() }.check().expect("valid");
    assert!(!Budget::default().take(Instant::MAX, &config));
}
