use super::*;

/// 99.9 % of a normal distribution lie within this many deviations.
const Z: f64 = 3.29;

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let len = values.len() as f64;
    let mean = values.iter().sum::<f64>() / len;
    (mean, values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (len - 1.0))
}

/// Claims that the mean of 100,000 values lies within 99.9 % of `mean`, by their own deviation, and their
/// coefficient of variation within `tolerance` of `cv`.
fn check(name: &str, mean: f64, cv: f64, tolerance: f64, mut draw: impl FnMut(&mut Stream) -> f64) {
    let mut stream = Stream::new(7, name);
    let values: Vec<f64> = (0..100_000).map(|_| draw(&mut stream)).collect();
    let (found, variance) = mean_and_variance(&values);
    let interval = Z * libm::sqrt(variance / values.len() as f64);
    assert!((found - mean).abs() < interval, "{name}: mean {found}, expected {mean} ± {interval}");
    let found = libm::sqrt(variance) / found;
    assert!((found / cv - 1.0).abs() < tolerance, "{name}: cv {found}, expected {cv}");
}

#[test]
fn finaliser_gives_the_published_outputs_of_splitmix64() {
    let mut keyed = Keyed { state: 0 };
    let found = [keyed.bits(), keyed.bits(), keyed.bits()];
    assert_eq!(found, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
}

#[test]
fn streams_are_chacha8_as_published() {
    // ECRYPT's vector for 8 rounds, a 256-bit key of zeros and a nonce of zeros.
    let mut rng = ChaCha8Rng::from_seed([0; 32]);
    let bytes: Vec<u8> = (0..2).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    assert_eq!(
        bytes,
        [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1]
    );
}

#[test]
fn draws_keep_their_golden_values() {
    let mut stream = Stream::new(42, "arrivals/gaps");
    let draws = Draws::new(42);
    let of = |entity, index, component| draws.at(entity, index).of(component).bits();
    let found = [
        stream.bits(),
        stream.bits(),
        Stream::new(42, "arrivals/phases").bits(),
        Stream::new(43, "arrivals/gaps").bits(),
        of(0, 0, Component::Prompt),
        of(1, 0, Component::Prompt),
        of(0, 1, Component::Prompt),
        of(0, 0, Component::Output),
    ];
    let golden = [
        0xae4c_c460_abb4_16bd,
        0x4d48_fddc_8524_c865,
        0xd7a0_7998_fcb7_230e,
        0x6e15_b38d_1eb5_3e4b,
        0xd49a_d181_a03e_b56b,
        0xdadb_51de_3751_af3f,
        0x3387_ddea_3c49_e6fc,
        0x970c_02ec_8657_7883,
    ];
    assert_eq!(found, golden, "{found:#018x?}");
}

#[test]
fn samplers_keep_their_golden_values() {
    let mut stream = Stream::new(42, "samplers");
    let found = [
        open_unit(&mut stream),
        exponential(&mut stream),
        normal(&mut stream),
        lognormal(&mut stream, 5.0, 0.8),
        gamma(&mut stream, 2.5),
        gamma(&mut stream, 0.25),
        geometric(&mut stream, 5.0) as f64,
        uniform(&mut stream, 1_000_000) as f64,
        normal_quantile(1e-12),
    ];
    let bits = found.map(f64::to_bits);
    let golden = [
        0x3fd3_e726_8484_2ef6,
        0x3fe4_31ad_3856_fa1d,
        0x4002_6bbe_409b_6084,
        0x4069_ec6c_d32b_1636,
        0x3ff0_2fcf_710a_425c,
        0x3ee6_d1ac_6b9e_e243,
        0x402e_0000_0000_0000,
        0x4123_1324_0000_0000,
        0xc01c_234f_ba57_a32a,
    ];
    assert_eq!(bits, golden, "{found:?} {bits:#018x?}");
}

#[test]
fn unit_is_never_0_or_1() {
    struct Ends(u64);
    impl Bits for Ends {
        fn bits(&mut self) -> u64 {
            self.0
        }
    }
    let (low, high) = (open_unit(&mut Ends(0)), open_unit(&mut Ends(u64::MAX)));
    assert!(low > 0.0 && high < 1.0, "{low} {high}");
    assert_eq!(low, 1.0 - high, "both ends are equally far");
}

#[test]
fn normal_quantile_inverts_the_distribution() {
    for p in [1e-300, 1e-100, 1e-20, 1e-9, 1e-4, 0.01, 0.074, 0.076, 0.3, 0.5, 0.7, 0.9, 0.925, 0.99, 0.9999]
    {
        let back = 0.5 * libm::erfc(-normal_quantile(p) / core::f64::consts::SQRT_2);
        assert!((back / p - 1.0).abs() < 1e-12, "{p}: {back}");
    }
}

#[test]
fn samplers_have_the_means_and_deviations_of_their_distributions() {
    check("uniform", 0.5, libm::sqrt(1.0 / 3.0), 0.01, open_unit);
    check("exponential", 1.0, 1.0, 0.02, exponential);
    check("normal around 10", 10.0, 0.1, 0.01, |bits| 10.0 + normal(bits));
    // exp(mu + sigma²/2), and the square root of exp(sigma²) − 1.
    let (mu, sigma) = (5.0, 0.5);
    let cv = libm::sqrt(libm::expm1(sigma * sigma));
    check("lognormal", libm::exp(mu + sigma * sigma / 2.0), cv, 0.02, |bits| lognormal(bits, mu, sigma));
    for shape in [0.1, 0.5, 1.0, 2.5, 40.0] {
        check(&format!("gamma {shape}"), shape, 1.0 / libm::sqrt(shape), 0.03, |bits| gamma(bits, shape));
    }
    for mean in [1.5, 5.0, 80.0] {
        let cv = libm::sqrt(1.0 - 1.0 / mean);
        check(&format!("geometric {mean}"), mean, cv, 0.02, |bits| geometric(bits, mean) as f64);
    }
}

#[test]
fn exponential_falls_below_its_quantiles_as_often_as_it_should() {
    let mut stream = Stream::new(3, "quantiles");
    let values: Vec<f64> = (0..100_000).map(|_| exponential(&mut stream)).collect();
    for p in [0.1, 0.5, 0.9, 0.99] {
        let below = values.iter().filter(|value| **value < -libm::log1p(-p)).count() as f64;
        let interval = Z * libm::sqrt(p * (1.0 - p) * 1e5);
        assert!((below - p * 1e5).abs() < interval, "{below} below the quantile of {p}");
    }
}

#[test]
fn uniform_integers_have_no_modulo_bias() {
    // A remainder would put half of the values into the first third.
    let below = 3 << 62;
    let mut stream = Stream::new(11, "bias");
    let first = (0..30_000).filter(|_| uniform(&mut stream, below) < 1 << 62).count() as f64;
    let interval = Z * libm::sqrt(30_000.0 * 2.0 / 9.0);
    assert!((first - 10_000.0).abs() < interval, "{first}");
    assert_eq!(uniform(&mut stream, 1), 0);
}

/// Pearson's statistic of counts against shares.
fn chi_square(counts: &[u64], weights: &[f64]) -> f64 {
    let (len, total) = (counts.iter().sum::<u64>() as f64, weights.iter().sum::<f64>());
    let terms = counts.iter().zip(weights).map(|(count, weight)| {
        let expected = len * weight / total;
        (*count as f64 - expected) * (*count as f64 - expected) / expected
    });
    terms.sum()
}

#[test]
fn zipf_ranks_come_as_often_as_the_law_says() {
    for exponent in [0.0, 0.8, 1.0, 1.5] {
        let weights = zipf_weights(20, exponent);
        let choice = Weighted::new(&weights);
        let mut counts = [0; 20];
        for job in 0..200_000 {
            counts[choice.pick(&mut Draws::new(5).at(job, 0).of(Component::Model))] += 1;
        }
        // 43.8 is the 99.9 % quantile of χ² with 19 degrees of freedom.
        let found = chi_square(&counts, &weights);
        assert!(found < 43.8, "exponent {exponent}: χ² = {found}, {counts:?}");
    }
}

#[test]
fn weight_0_is_never_chosen() {
    let mut counts = [0; 5];
    let choice = Weighted::new(&[0.0, 3.0, 0.0, 1.0, 0.0]);
    for job in 0..10_000 {
        counts[choice.pick(&mut Draws::new(5).at(job, 0).of(Component::Tenant))] += 1;
    }
    assert_eq!((counts[0], counts[2], counts[4]), (0, 0, 0));
    assert!(chi_square(&[counts[1], counts[3]], &[3.0, 1.0]) < 10.8, "{counts:?}");
    assert_eq!(Weighted::new(&[2.0]).pick(&mut Stream::new(0, "")), 0);
}

#[test]
fn keyed_draws_are_even_over_entities_indices_and_components() {
    let draws = Draws::new(9);
    // 340 is above the 99.9 % quantile of χ² with 255 degrees of freedom (330.5).
    let even = |counts: &[u64; 256], name: &str| {
        let found = chi_square(counts, &[1.0; 256]);
        assert!(found < 340.0, "{name}: χ² = {found}");
    };
    for shift in [0, 28, 56] {
        let (mut entities, mut indices, mut pairs) = ([0; 256], [0; 256], [0; 256]);
        for key in 0..100_000_u64 {
            let prompt = draws.at(key, 0).of(Component::Prompt).bits() >> shift;
            let output = draws.at(key, 0).of(Component::Output).bits() >> shift;
            let later = draws.at(3, key).of(Component::Think).bits() >> shift;
            entities[(prompt & 255) as usize] += 1;
            indices[(later & 255) as usize] += 1;
            pairs[(prompt & 15 | (output & 15) << 4) as usize] += 1;
        }
        even(&entities, "entities");
        even(&indices, "indices");
        even(&pairs, "prompt and output of one job");
    }
}
