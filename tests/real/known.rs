//! What differs from real hosts: what is not done yet, and what is otherwise on purpose. The tests hold these lists to
//! what they find: an entry that no longer differs is an error too. A name alone means both versions of Ollama; with
//! `@` and a version only that one.

/// What only a host with real weights and a Modelfile knows: these keys are not compared with an emulated host's.
pub(crate) const OF_WEIGHTS: &[&str] =
    &["license", "modelfile", "model_info", "parameters", "template", "tensors"];

/// Cases that the gateway does not answer as a real host does, yet.
pub(crate) const GATEWAY_NOT_YET: &[&str] = &[];

/// Cases that the gateway answers otherwise on purpose, and why.
pub(crate) const GATEWAY_OTHERWISE: &[(&str, &str)] = &[
    ("path with a slash at its end", "only the exact path is known, nothing is redirected"),
    ("path with two slashes", "only the exact path is known, nothing is redirected"),
    ("chat, unknown model @0.10.1", "its words are those of v0.24.0"),
    ("generate, bad name @0.10.1", "its words are those of v0.24.0"),
    ("origin on this machine", "it lets pages read its own headers, too"),
    ("preflight", "it lets pages read its own headers, too"),
    ("preflight, v1", "it lets pages read its own headers, too"),
    ("v1 chat, unknown model @0.10.1", "its words are those of v0.24.0"),
    ("v1 completions, unknown model @0.10.1", "its words are those of v0.24.0"),
    ("v1 embeddings, unknown model @0.10.1", "its words are those of v0.24.0"),
    ("v1 model, unknown @0.10.1", "its words are those of v0.24.0"),
    ("v1 messages, bad JSON @0.10.1", "it has the calls of v0.24.0 and refuses by itself"),
    ("v1 messages, unknown model @0.10.1", "it has the calls of v0.24.0 and refuses by itself"),
    ("v1 responses, bad JSON @0.10.1", "it has the calls of v0.24.0 and refuses by itself"),
    ("v1 responses, unknown model @0.10.1", "it has the calls of v0.24.0 and refuses by itself"),
];

/// Cases that the emulated host does not answer as a real host of its version does, yet.
pub(crate) const EMULATED_NOT_YET: &[&str] = &[];

/// Cases that the emulated host answers otherwise on purpose, and why.
pub(crate) const EMULATED_OTHERWISE: &[(&str, &str)] = &[
    ("path with a slash at its end", "no client asks so, and the gateway never does"),
    ("path with two slashes", "no client asks so, and the gateway never does"),
    ("chat, tools", "it has no such model"),
    ("chat, tools, stream", "it has no such model"),
    ("v1 chat, tools, stream", "it has no such model"),
    ("show", "its smollm2 is the published one, which can use tools"),
    ("show, by name", "its smollm2 is the published one, which can use tools"),
    ("show, verbose", "its smollm2 is the published one, which can use tools"),
    ("chat, tools for a model without", "its smollm2 is the published one, which can use tools"),
    ("v1 chat, tools for a model without", "its smollm2 is the published one, which can use tools"),
];

/// Client program and check of what does not work through the gateway, yet.
pub(crate) const CLIENTS_NOT_YET: &[(&str, &str)] = &[];
