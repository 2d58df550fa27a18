//! What is compared: keys of the scenario with several values each, and all combinations of them.

use crate::scenario::key_path;

/// A key with the values that it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vary {
    /// Path of the key.
    pub key: String,
    /// Its values, as `--set` takes them; at least one, each once.
    pub values: Vec<String>,
}

impl Vary {
    /// Reads `KEY=a,b,c`. Commas inside quotes, brackets and braces belong to a value.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |expected: &str| Err(format!("found {text:?}, expected {expected}"));
        let Some((key, values)) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            return wrong("KEY=VALUE,VALUE,...");
        };
        let values: Vec<String> = split(values).into_iter().map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return wrong("a value on either side of each comma");
        }
        if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value)) {
            return wrong(&format!("each value once, and {:?} is there twice", twice.1));
        }
        Ok(Self { key: key.trim().to_owned(), values })
    }
}

/// Parts between commas that are in no quotes, brackets or braces.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut quote) = (0_u32, None);
    let separates = |letter: char| {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0 && quote.is_none()
    };
    text.split(separates).collect()
}

/// A combination of values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arm {
    /// What tells it from the others: `random`, or `balancer=random scheduler=fifo` where several keys vary.
    pub name: String,
    /// Key and value of each key that varies.
    pub values: Vec<(String, String)>,
}

impl Arm {
    /// The arm of these values.
    #[must_use]
    pub fn of(values: Vec<(String, String)>) -> Self {
        let name = match values.as_slice() {
            [(_, value)] => value.clone(),
            values => values
                .iter()
                .map(|(key, value)| format!("{}={value}", last(key)))
                .collect::<Vec<_>>()
                .join(" "),
        };
        Self { name, values }
    }

    /// The values as `--set` takes them.
    #[must_use]
    pub fn sets(&self) -> Vec<String> {
        self.values.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

/// All combinations, the last key changing fastest.
#[must_use]
pub fn product(varied: &[Vary]) -> Vec<Arm> {
    let mut all: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for vary in varied {
        let with = |so_far: &Vec<(String, String)>, value: &String| {
            let mut values = so_far.clone();
            values.push((vary.key.clone(), value.clone()));
            values
        };
        all = all.iter().flat_map(|so_far| vary.values.iter().map(|value| with(so_far, value))).collect();
    }
    all.into_iter().map(Arm::of).collect()
}

/// The last name of a path.
fn last(key: &str) -> &str {
    key_path::names(key).last().map_or(key, |(name, _)| name)
}

/// The arm that the others are compared with: the one that has all these values; the first values count for keys that are not named.
///
/// # Errors
/// Where no arm has them: what was found and what was expected.
pub fn baseline(arms: &[Arm], wanted: &[String]) -> Result<usize, String> {
    let has = |arm: &Arm, assignment: &String| {
        let (key, value) = assignment.split_once('=').unwrap_or(("", assignment));
        arm.values.iter().any(|(known, its)| (key.is_empty() || known == key) && its == value)
    };
    let found = arms.iter().position(|arm| wanted.iter().all(|assignment| has(arm, assignment)));
    found.ok_or_else(|| {
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        format!("found {:?}, expected one of the arms: {}", wanted.join(" "), names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_commas_that_are_in_nothing() {
        let vary = Vary::parse(r#"control.balancer=random,{ name = "x", a = 1 },["p", "q"],"a,b""#).unwrap();
        assert_eq!(vary.values, ["random", r#"{ name = "x", a = 1 }"#, r#"["p", "q"]"#, "\"a,b\""]);
        for (text, expected) in [
            ("fleet.hosts", "KEY=VALUE,VALUE,..."),
            ("=1,2", "KEY=VALUE,VALUE,..."),
            ("a=1,,2", "a value on either side of each comma"),
            ("a=1,2,1", "each value once, and \"1\" is there twice"),
        ] {
            assert_eq!(Vary::parse(text), Err(format!("found {text:?}, expected {expected}")));
        }
    }

    #[test]
    fn arms_are_all_combinations_and_the_baseline_is_found_among_them() {
        let varied = [
            Vary::parse("control.balancer=random,least-load").unwrap(),
            Vary::parse("fleet.hosts=4,8").unwrap(),
        ];
        let arms = product(&varied);
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "balancer=random hosts=4",
                "balancer=random hosts=8",
                "balancer=least-load hosts=4",
                "balancer=least-load hosts=8"
            ]
        );
        assert_eq!(arms[1].sets(), ["control.balancer=random", "fleet.hosts=8"]);
        let find =
            |wanted: &[&str]| baseline(&arms, &wanted.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(find(&[]), Ok(0));
        assert_eq!(find(&["fleet.hosts=8"]), Ok(1));
        assert_eq!(find(&["least-load", "fleet.hosts=8"]), Ok(3));
        assert!(
            find(&["fleet.hosts=9"])
                .unwrap_err()
                .contains("expected one of the arms: balancer=random hosts=4")
        );
        assert_eq!(product(&varied[..1])[1].name, "least-load");
    }
}
