//! Checks lengths.

use std::path::Path;

use super::{TOKENS_MAX, WorkloadError, positive, range, table};
use crate::config::{
    EmpiricalFile, LengthFile, LognormalFile, PairsFile, WorkloadFile, default_output, default_prompt,
};
use crate::lengths::{Length, Lengths, Quantile, Quantiles};

pub(crate) fn check(file: &WorkloadFile, base: &Path) -> Result<Lengths, WorkloadError> {
    if let Some(pairs) = &file.pairs {
        for (key, given) in [("workload.prompt", &file.prompt), ("workload.output", &file.output)] {
            if given.is_some() {
                return Err(WorkloadError::value(key, "a table", "nothing beside workload.pairs"));
            }
        }
        return Ok(Lengths::Pairs(check_pairs(pairs, base)?));
    }
    let prompt = file.prompt.clone().unwrap_or_else(default_prompt);
    let output = file.output.clone().unwrap_or_else(default_output);
    Ok(Lengths::Apart {
        prompt: check_length("workload.prompt", &prompt, base)?,
        output: check_length("workload.output", &output, base)?,
    })
}

fn check_pairs(file: &PairsFile, base: &Path) -> Result<super::Rows<(u32, u32)>, WorkloadError> {
    match file {
        PairsFile::Tokens(list) => {
            let key = "workload.pairs.tokens";
            if list.is_empty() {
                return Err(WorkloadError::value(key, "an empty list", "at least one [prompt, answer]"));
            }
            for (at, (prompt, output)) in list.iter().enumerate() {
                check_tokens(&format!("{key}.{at}.0"), *prompt)?;
                check_tokens(&format!("{key}.{at}.1"), *output)?;
            }
            Ok(list.as_slice().into())
        }
        PairsFile::File(path) => {
            let rows = table::read("workload.pairs.file", &base.join(path))?;
            Ok(rows.iter().map(|[prompt, output]| (*prompt, *output)).collect())
        }
    }
}

fn check_length(key: &str, file: &LengthFile, base: &Path) -> Result<Length, WorkloadError> {
    match file {
        LengthFile::Fixed(fixed) => {
            check_tokens(&format!("{key}.fixed.tokens"), fixed.tokens)?;
            Ok(Length::Fixed(fixed.tokens))
        }
        LengthFile::Lognormal(file) => check_lognormal(&format!("{key}.lognormal"), file),
        LengthFile::Empirical(EmpiricalFile::Tokens(list)) => {
            let key = format!("{key}.empirical.tokens");
            if list.is_empty() {
                return Err(WorkloadError::value(key, "an empty list", "at least one number"));
            }
            for (at, tokens) in list.iter().enumerate() {
                check_tokens(&format!("{key}.{at}"), *tokens)?;
            }
            Ok(Length::Empirical(list.as_slice().into()))
        }
        LengthFile::Empirical(EmpiricalFile::Quantiles(rows)) => {
            check_quantiles(&format!("{key}.empirical.quantiles"), rows)
        }
        LengthFile::Empirical(EmpiricalFile::File(path)) => {
            let rows = table::read(&format!("{key}.empirical.file"), &base.join(path))?;
            Ok(Length::Empirical(rows.iter().map(|[tokens]| *tokens).collect()))
        }
    }
}

fn check_lognormal(key: &str, file: &LognormalFile) -> Result<Length, WorkloadError> {
    let (min, max) = (file.min_tokens, file.max_tokens);
    check_tokens(&format!("{key}.min_tokens"), min)?;
    check_tokens(&format!("{key}.max_tokens"), max)?;
    if min > max {
        let expected = format!("at most max_tokens = {max}");
        return Err(WorkloadError::value(format!("{key}.min_tokens"), min, expected));
    }
    let tokens = f64::from(TOKENS_MAX);
    let (mu, sigma) = match (file.median_tokens, file.sigma, file.mean_tokens, file.cv) {
        (Some(median), Some(sigma), None, None) => {
            positive(&format!("{key}.median_tokens"), median, tokens)?;
            range(&format!("{key}.sigma"), sigma, 0.0, 10.0)?;
            (libm::log(median), sigma)
        }
        (None, None, Some(mean), Some(cv)) => {
            positive(&format!("{key}.mean_tokens"), mean, tokens)?;
            range(&format!("{key}.cv"), cv, 0.0, 100.0)?;
            // The mean is exp(mu + sigma²/2), the square of the cv exp(sigma²) − 1.
            let variance = libm::log1p(cv * cv);
            (libm::log(mean) - variance / 2.0, libm::sqrt(variance))
        }
        (median, sigma, mean, cv) => {
            let given = [("median_tokens", median), ("sigma", sigma), ("mean_tokens", mean), ("cv", cv)];
            let given: Vec<_> =
                given.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
            let found = if given.is_empty() { "neither".to_owned() } else { given.join(", ") };
            let expected = "either median_tokens and sigma, or mean_tokens and cv";
            return Err(WorkloadError::value(key, found, expected));
        }
    };
    Ok(Length::Lognormal { mu, sigma, min, max })
}

fn check_quantiles(key: &str, rows: &[(f64, u32)]) -> Result<Length, WorkloadError> {
    let ends = (rows.first().map(|row| row.0), rows.last().map(|row| row.0));
    if rows.len() < 2 || ends != (Some(0.0), Some(100.0)) {
        let found = match ends {
            (Some(first), Some(last)) => format!("{} rows from {first} to {last} percent", rows.len()),
            _ => "no rows".to_owned(),
        };
        return Err(WorkloadError::value(key, found, "rows of [percent, tokens] from 0 to 100 percent"));
    }
    for (at, (_, tokens)) in rows.iter().enumerate() {
        check_tokens(&format!("{key}.{at}.1"), *tokens)?;
    }
    for (at, pair) in rows.windows(2).enumerate() {
        let [(percent, tokens), next] = pair else { continue };
        if next.0.is_nan() || next.0 <= *percent || next.1 < *tokens {
            let found = format!("[{}, {}] after [{percent}, {tokens}]", next.0, next.1);
            let expected = "percents that rise, tokens that never fall";
            return Err(WorkloadError::value(format!("{key}.{}", at + 1), found, expected));
        }
    }
    let rows =
        rows.iter().map(|(percent, tokens)| Quantile { at: percent / 100.0, tokens: f64::from(*tokens) });
    Ok(Length::Quantiles(Quantiles::new(rows.collect())))
}

fn check_tokens(key: &str, tokens: u32) -> Result<(), WorkloadError> {
    if (1..=TOKENS_MAX).contains(&tokens) {
        return Ok(());
    }
    Err(WorkloadError::value(key, tokens, format!("1 to {TOKENS_MAX} tokens")))
}
