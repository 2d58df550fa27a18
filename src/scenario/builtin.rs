//! The scenarios that come with the program, as text with comments: print one, change it, run it.

/// Names and texts, in the order in which they are listed.
pub const ALL: &[(&str, &str)] = &[
    ("default", include_str!("builtin/default.toml")),
    ("chat", include_str!("builtin/chat.toml")),
    ("more-models-than-vram", include_str!("builtin/more-models-than-vram.toml")),
    ("fleet-1000", include_str!("builtin/fleet-1000.toml")),
    ("daily-cycle", include_str!("builtin/daily-cycle.toml")),
    ("autoscaling", include_str!("builtin/autoscaling.toml")),
    ("azure-conv", include_str!("builtin/azure-conv.toml")),
    ("peer-8xa100", include_str!("builtin/peer-8xa100.toml")),
];

/// The text of a built-in.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
