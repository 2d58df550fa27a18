//! What a model can do, as `/api/show` lists it.
//!
//! Ollama reads this out of a model's template and weights; here it follows from the family.

use sim_host::spec::ModelSpec;

/// Families whose templates have tools.
const TOOLS: &[&str] = &["llama", "qwen2", "qwen3", "qwen3moe", "gptoss", "mistral3", "llama4"];
/// Families that think.
const THINKING: &[&str] = &["qwen3", "qwen3moe", "gptoss"];
/// Models of gemma 3 from this size on see.
const VISION_PARAMETERS: u64 = 2_000_000_000;

/// The capabilities, in the order in which Ollama lists them.
pub(super) fn of(model: &ModelSpec) -> Vec<&'static str> {
    if model.embedding_only {
        return vec!["embedding"];
    }
    let coder = model.name.contains("coder");
    let family = model.family.as_str();
    let can = [
        ("completion", true),
        ("vision", family == "gemma3" && model.parameters >= VISION_PARAMETERS),
        ("tools", TOOLS.contains(&family)),
        ("insert", coder && family == "qwen2"),
        ("thinking", THINKING.contains(&family) && !coder),
    ];
    can.into_iter().filter_map(|(name, can)| can.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use sim_host::profile::Catalogue;

    use super::*;

    #[test]
    fn families_are_told_apart() {
        for (name, wanted) in [
            ("llama3.2:3b", &["completion", "tools"][..]),
            ("gemma3:4b", &["completion", "vision"]),
            ("gemma3:1b", &["completion"]),
            ("qwen3:8b", &["completion", "tools", "thinking"]),
            ("qwen3-coder:30b", &["completion", "tools"]),
            ("qwen2.5-coder:7b", &["completion", "tools", "insert"]),
            ("nomic-embed-text:latest", &["embedding"]),
        ] {
            assert_eq!(of(Catalogue::builtin().model(name).expect("a model")), wanted, "{name}");
        }
    }
}
