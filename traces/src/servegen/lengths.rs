//! How long prompts and answers are: tables of probabilities, which the files hold as text of Python dictionaries,
//! `{45: 0.0097, 46: 0.0117}`.

use crate::decimal;
use crate::error::shown;
use crate::limits::TOKENS_MAX;

/// Lengths of one window.
#[derive(Debug)]
pub(super) struct Lengths {
    prompt: Table,
    output: Table,
}

impl Lengths {
    /// What a window tells; `None` where it tells nothing. Where something is wrong: the key, what was found, what was
    /// expected.
    pub(super) fn read(
        prompt: &str,
        output: &str,
    ) -> Result<Option<Self>, (&'static str, String, &'static str)> {
        let read = |key, text| Table::read(text).map_err(|(found, expected)| (key, found, expected));
        match (read("input_tokens", prompt)?, read("output_tokens", output)?) {
            (Some(prompt), Some(output)) => Ok(Some(Self { prompt, output })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(("output_tokens", "nothing".to_owned(), "lengths, as input_tokens has some"))
            }
            (None, Some(_)) => {
                Err(("input_tokens", "nothing".to_owned(), "lengths, as output_tokens has some"))
            }
        }
    }

    /// The lengths at two numbers of 64 even bits.
    pub(super) fn pick(&self, prompt: u64, output: u64) -> (u32, u32) {
        (self.prompt.pick(prompt), self.output.pick(output))
    }
}

/// Numbers of tokens with their shares.
#[derive(Debug)]
struct Table {
    tokens: Vec<u32>,
    /// Upper bound of each one's share of the 64-bit numbers.
    bounds: Vec<u64>,
}

impl Table {
    fn read(text: &str) -> Result<Option<Self>, (String, &'static str)> {
        const DICTIONARY: &str = "a dictionary {tokens: probability, …}";
        let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let inner = inner.ok_or_else(|| (shown(text.as_bytes()), DICTIONARY))?.trim();
        if inner.is_empty() {
            return Ok(None);
        }
        let (mut tokens, mut sums, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for pair in inner.split(',') {
            let (key, share) = pair.split_once(':').ok_or_else(|| (shown(pair.as_bytes()), DICTIONARY))?;
            let key = key.trim();
            let count = decimal::whole(key.as_bytes()).ok().and_then(|count| u32::try_from(count).ok());
            let count = count.filter(|&count| count <= TOKENS_MAX);
            tokens.push(count.ok_or_else(|| (shown(key.as_bytes()), "a whole number of tokens"))?);
            let share = share.trim();
            let share: Option<f64> = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            sum += share.ok_or_else(|| (shown(pair.as_bytes()), "a probability from 0 to 1"))?;
            sums.push(sum);
        }
        if sum <= 0.0 {
            return Err((format!("probabilities of {sum} together"), "a sum above 0"));
        }
        // 2^64 times a share below 1 fits; the cast saturates where it is 1.
        let bounds = sums.iter().map(|part| (part / sum * 18_446_744_073_709_551_616.0) as u64).collect();
        Ok(Some(Self { tokens, bounds }))
    }

    fn pick(&self, drawn: u64) -> u32 {
        let index = self.bounds.partition_point(|&bound| bound <= drawn);
        self.tokens[index.min(self.tokens.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_picks_the_length_whose_share_it_lies_in() {
        let table =
            Table::read(" {45: 0.25, 46: 0.5,100: 0.25}").expect("it is good").expect("there are some");
        let quarter = 1 << 62;
        for (drawn, tokens) in [
            (0, 45),
            (quarter - 1, 45),
            (quarter, 46),
            (3 * quarter - 1, 46),
            (3 * quarter, 100),
            (u64::MAX, 100),
        ] {
            assert_eq!(table.pick(drawn), tokens);
        }
        assert!(Table::read("{}").expect("it is good").is_none());
    }

    #[test]
    fn what_is_no_table_is_told() {
        for text in
            ["", "[1]", "{1}", "{1: 2.0}", "{x: 0.5}", "{1: nan}", "{-1: 0.5}", "{1: 0.0}", "{99999999: 1.0}"]
        {
            assert!(Table::read(text).is_err(), "{text}");
        }
    }
}
