//! A fitted profile in seconds, as integer tables, and as a file.

use std::fmt::Write as _;

use sim_host::costs::Costs;
use sim_host::profile::{Catalogue, decode_picos, prefill_picos};
use sim_host::spec::{ModelSpec, Runner, Version};

use super::solve::rising;

const PICOS: f64 = 1e12;

/// Cost tables in seconds, attention over full layers by context.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    /// Knots (sequences, seconds).
    pub(crate) decode: Vec<(u32, f64)>,
    /// Knots (tokens, seconds).
    pub(crate) prefill: Vec<(u32, f64)>,
    pub(crate) context: f64,
    pub(crate) window_context: f64,
    pub(crate) window: u32,
    pub(crate) prefill_context: f64,
}

impl Tables {
    /// Knots that do not fall, prefill knots from the first sequences' decode on, and a decode knot at 256 by the slope
    /// of prompts where the measurements end before.
    pub(crate) fn finish(mut self) -> Self {
        self.decode = rising(&self.decode);
        let first_prefill = self.prefill[0].0;
        let head = self.decode.iter().copied().filter(|&(sequences, _)| sequences < first_prefill.min(65));
        let mut prefill: Vec<(u32, f64)> = head.chain(self.prefill.iter().copied()).collect();
        let mut floor = 0.0;
        for knot in &mut prefill {
            floor = f64::max(floor, knot.1);
            knot.1 = floor;
        }
        let ((tokens_low, low), (tokens_high, high)) =
            (prefill[prefill.len() - 2], prefill[prefill.len() - 1]);
        let slope = (high - low) / f64::from(tokens_high - tokens_low);
        let (sequences, seconds) = self.decode[self.decode.len() - 1];
        if sequences < 256 {
            self.decode.push((256, seconds + slope * f64::from(256 - sequences)));
        }
        self.prefill = prefill;
        self
    }

    /// The integer tables, decode filled in between knots.
    pub(crate) fn costs(&self) -> Costs {
        let mut decode = vec![0];
        for pair in picos_knots(&self.decode).windows(2) {
            let ((low, from), (high, to)) = (pair[0], pair[1]);
            decode.extend(
                (low..high).map(|at| from + (to - from) * u64::from(at - low) / u64::from(high - low)),
            );
        }
        decode.extend(picos_knots(&self.decode).last().map(|knot| knot.1));
        Costs {
            decode,
            prefill: picos_knots(&self.prefill),
            context: picos(self.context),
            window_context: picos(self.window_context),
            window: self.window,
            span: 0,
            prefill_context: picos(self.prefill_context),
        }
    }
}

/// Seconds of a step with `sequences` decoding, each with `context` tokens in its cache.
pub(crate) fn decode_seconds(costs: &Costs, sequences: u32, context: u32) -> f64 {
    let attention =
        costs.context * u64::from(context) + costs.window_context * u64::from(context.min(costs.window));
    (decode_picos(costs, sequences) + attention * u64::from(sequences)) as f64 / PICOS
}

/// Seconds of a step with `tokens` prompt tokens that attend to `pairs` tokens in all.
pub(crate) fn prefill_seconds(costs: &Costs, tokens: u32, pairs: f64) -> f64 {
    (prefill_picos(costs, tokens) as f64 + costs.prefill_context as f64 * pairs) / PICOS
}

pub(crate) fn picos(seconds: f64) -> u64 {
    assert!(seconds >= 0.0, "a cost is negative: {seconds}");
    (seconds * PICOS + 0.5) as u64
}

fn picos_knots(knots: &[(u32, f64)]) -> Vec<(u32, u64)> {
    knots.iter().map(|&(at, seconds)| (at, picos(seconds))).collect()
}

/// The model of that name in the built-in catalogue.
pub(crate) fn model(name: &str) -> ModelSpec {
    let catalogue = Catalogue::rooflines();
    let found = catalogue.model(name).unwrap_or_else(|error| panic!("{error}"));
    ModelSpec::clone(found)
}

/// A profile file.
pub(crate) struct Fitted {
    pub(crate) gpu: String,
    pub(crate) model: String,
    pub(crate) engine: String,
    pub(crate) source: String,
    pub(crate) fit_error: String,
    pub(crate) held_out: String,
    pub(crate) assumed: Vec<String>,
    /// Optional keys of a profile and their values.
    pub(crate) overrides: Vec<(&'static str, u64)>,
    pub(crate) tables: Tables,
}

impl Fitted {
    /// `GPU--MODEL.toml`, with characters that a file name should not have replaced.
    pub(crate) fn file_name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
        format!("{}--{}.toml", self.gpu, self.model).chars().map(plain).collect()
    }

    /// The roofline's figures over the fitted ones: decode alone and with 16 sequences, 512 prompt tokens.
    pub(crate) fn beside_roofline(&self) -> String {
        let roofline =
            Catalogue::rooflines().find(&self.gpu, &self.model).unwrap_or_else(|error| panic!("{error}"));
        let (fitted, formula) = (self.tables.costs(), &roofline.costs);
        let decode =
            |sequences| decode_picos(formula, sequences) as f64 / decode_picos(&fitted, sequences) as f64;
        let prefill = prefill_picos(formula, 512) as f64 / prefill_picos(&fitted, 512) as f64;
        format!(
            "roofline over fit: decode of 1 {:.2}, of 16 {:.2}, 512 prompt tokens {prefill:.2}",
            decode(1),
            decode(16)
        )
    }

    /// The file's text.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string cannot fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "# Written by `cargo run -p sim-host --example fit_profiles`; edit that, not this.")?;
        writeln!(
            text,
            "# decode: [sequences, picoseconds a step]; prefill: [tokens in the batch, picoseconds].\n"
        )?;
        writeln!(text, "[[profile]]")?;
        let strings = [
            ("gpu", &self.gpu),
            ("model", &self.model),
            ("engine", &self.engine),
            ("source", &self.source),
            ("fit_error", &self.fit_error),
            ("held_out", &self.held_out),
        ];
        for (key, value) in strings {
            writeln!(text, "{key} = \"{value}\"")?;
        }
        writeln!(text, "assumed = [")?;
        for assumed in &self.assumed {
            writeln!(text, "    \"{assumed}\",")?;
        }
        writeln!(text, "]")?;
        for (key, value) in &self.overrides {
            writeln!(text, "{key} = {value}")?;
        }
        let tables = &self.tables;
        let context = picos(tables.context);
        let (context, span) = match model(&self.model).runner(Version::default()) {
            Runner::Ollamarunner => (0, context * 256),
            Runner::Llamarunner => (context, 0),
        };
        writeln!(text, "\n[profile.costs]")?;
        for (key, knots) in [("decode", &tables.decode), ("prefill", &tables.prefill)] {
            writeln!(text, "{key} = [")?;
            for (at, picos) in picos_knots(knots) {
                writeln!(text, "    [{at}, {picos}],")?;
            }
            writeln!(text, "]")?;
        }
        writeln!(text, "context = {context}")?;
        writeln!(text, "window_context = {}", picos(tables.window_context))?;
        writeln!(text, "window = {}", tables.window)?;
        writeln!(text, "span = {span}")?;
        writeln!(text, "prefill_context = {}", picos(tables.prefill_context))
    }
}
