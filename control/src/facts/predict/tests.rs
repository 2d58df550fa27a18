use super::*;

fn arrive(model: u32, tenant: u32) -> Arrive {
    Arrive { model: ModelId(model), tenant: TenantId(tenant), ..Arrive::default() }
}

fn usage(output_tokens: u32) -> Usage {
    Usage { output_tokens, ..Usage::default() }
}

/// The predictor after answers of lengths to a model and tenant.
fn teach(predictor: &mut Predictor, (model, tenant): (u32, u32), tokens: u32, answers: u32) {
    (0..answers).for_each(|_| predictor.learn(&arrive(model, tenant), &usage(tokens), Nanos::from_millis(5)));
}

fn medians(predictor: &Predictor, pairs: [(u32, u32); 3]) -> [Option<u32>; 3] {
    pairs.map(|(model, tenant)| predictor.output_tokens(&arrive(model, tenant)).map(|output| output.p50))
}

#[test]
fn a_pair_speaks_for_itself_once_it_has_answers_before_that_its_model_does() {
    let mut predictor = Predictor::default();
    assert_eq!(medians(&predictor, [(0, 0), (0, 1), (1, 0)]), [None, None, None]);
    teach(&mut predictor, (0, 0), 10, 200);
    teach(&mut predictor, (0, 1), 15, PAIR_ANSWERS_MIN - 1);
    assert_eq!(medians(&predictor, [(0, 0), (0, 1), (0, 2)]), [Some(10), Some(10), Some(10)]);
    teach(&mut predictor, (0, 1), 15, 1);
    assert_eq!(medians(&predictor, [(0, 0), (0, 1), (0, 2)]), [Some(10), Some(15), Some(10)]);
    assert_eq!(medians(&predictor, [(1, 0), (1, 1), (9, 9)]), [None, None, None]);
}

#[test]
fn caps_are_respected_by_what_is_learned_and_by_what_is_assumed() {
    let mut predictor = Predictor::default();
    let capped = |most| Arrive { num_predict: Some(most), ..arrive(0, 0) };
    let assumed = predictor.expected_output_tokens(&arrive(0, 0));
    assert_eq!((assumed.p50, assumed.p90), (129, 424));
    assert_eq!(predictor.expected_output_tokens(&capped(200)), Quantiles { p50: 129, p90: 200 });
    teach(&mut predictor, (0, 0), 4, 50);
    teach(&mut predictor, (0, 0), 12, 50);
    assert_eq!(predictor.output_tokens(&capped(7)), Some(Quantiles { p50: 4, p90: 7 }));
    assert_eq!(predictor.output_tokens(&capped(1)), Some(Quantiles { p50: 1, p90: 1 }));
}

#[test]
fn embeddings_and_requests_that_only_load_teach_nothing() {
    let mut predictor = Predictor::default();
    let embedding = Arrive { kind: Kind::Embedding, ..arrive(0, 0) };
    predictor.learn(&embedding, &usage(0), Nanos(1));
    let load = Usage { done: crate::request::DoneReason::Load, ..usage(0) };
    predictor.learn(&arrive(0, 0), &load, Nanos(1));
    assert_eq!(predictor, Predictor::default());
    assert_eq!(predictor.expected_output_tokens(&embedding), Quantiles::default());
}

#[test]
fn pairs_are_bounded_and_those_in_use_stay() {
    let mut predictor = Predictor::default();
    teach(&mut predictor, (0, 0), 15, 100);
    for tenant in 1..3 * PAIRS_MAX as u32 {
        teach(&mut predictor, (0, tenant), 3, 1);
        teach(&mut predictor, (0, 0), 15, 1);
        assert!(predictor.pairs.len() <= PAIRS_MAX && predictor.pairs.len() == predictor.places.len());
    }
    assert!(predictor.places.is_sorted());
    for (model, tenant, at) in &predictor.places {
        let pair = &predictor.pairs[*at as usize];
        assert_eq!((pair.model, pair.tenant), (*model, *tenant));
    }
    assert!(predictor.place(ModelId(0), TenantId(1)).is_err(), "what was not used was replaced");
    assert_eq!(predictor.output_tokens(&arrive(0, 0)).unwrap().p50, 15);
}

#[test]
fn service_is_the_first_token_and_the_quantile_of_the_length_at_the_pace_of_the_host() {
    let mut predictor = Predictor::default();
    let speed = Speed { load_nanos: 0, prompt_token_picos: 1_000_000, output_token_nanos: 20_000 };
    let busy = Busy { load: crate::facts::hosts::HostLoad::default(), slots: 4 };
    assert_eq!(predictor.predict(&arrive(0, 0), 100, Some((speed, busy))), Prediction::Nothing);
    teach(&mut predictor, (0, 0), 4, 50);
    teach(&mut predictor, (0, 0), 12, 50);
    let output_tokens = Quantiles { p50: 4, p90: 12 };
    assert_eq!(predictor.predict(&arrive(0, 0), 100, None), Prediction::Output(output_tokens));
    assert_eq!(
        predictor.predict(&arrive(0, 0), 100, Some((speed, busy))),
        Prediction::OutputAndService {
            output_tokens,
            service_micros: Quantiles { p50: 100 + 3 * 20, p90: 100 + 11 * 20 },
            mean_service_micros: 5_000,
        }
    );
    assert_eq!(size_of::<Prediction>(), 24);
}
