//! The measured profiles that are part of the program: the files under `sim/host/profiles/fitted`.

/// Name and text of each.
pub(super) const FITTED: &[(&str, &str)] = &[
    (
        "a100-80gb--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/a100-80gb--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("a100-80gb--llama3.1-8b.toml", include_str!("../../profiles/fitted/a100-80gb--llama3.1-8b.toml")),
    (
        "arc-pro-b60--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/arc-pro-b60--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("arc-pro-b60--llama3.1-8b.toml", include_str!("../../profiles/fitted/arc-pro-b60--llama3.1-8b.toml")),
    ("cpu--gemma3-270m.toml", include_str!("../../profiles/fitted/cpu--gemma3-270m.toml")),
    (
        "cpu--smollm2-135m-instruct-q4-1.toml",
        include_str!("../../profiles/fitted/cpu--smollm2-135m-instruct-q4-1.toml"),
    ),
    ("gb10--gemma3-4b.toml", include_str!("../../profiles/fitted/gb10--gemma3-4b.toml")),
    ("gb10--gpt-oss-20b.toml", include_str!("../../profiles/fitted/gb10--gpt-oss-20b.toml")),
    (
        "gb10--hf.co-ggml-org-gemma-3-4b-it-qat-gguf.toml",
        include_str!("../../profiles/fitted/gb10--hf.co-ggml-org-gemma-3-4b-it-qat-gguf.toml"),
    ),
    (
        "gb10--hf.co-ggml-org-gpt-oss-20b-gguf.toml",
        include_str!("../../profiles/fitted/gb10--hf.co-ggml-org-gpt-oss-20b-gguf.toml"),
    ),
    ("gb10--qwen3-30b-a3b.toml", include_str!("../../profiles/fitted/gb10--qwen3-30b-a3b.toml")),
    (
        "gb10--qwen3-coder-30b-a3b-q8-0.toml",
        include_str!("../../profiles/fitted/gb10--qwen3-coder-30b-a3b-q8-0.toml"),
    ),
    ("gb10--qwen3-coder-30b.toml", include_str!("../../profiles/fitted/gb10--qwen3-coder-30b.toml")),
    (
        "h100--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/h100--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("h100--llama3.1-8b.toml", include_str!("../../profiles/fitted/h100--llama3.1-8b.toml")),
    (
        "l40s--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/l40s--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("l40s--llama3.1-8b.toml", include_str!("../../profiles/fitted/l40s--llama3.1-8b.toml")),
    ("m2-ultra--gpt-oss-20b.toml", include_str!("../../profiles/fitted/m2-ultra--gpt-oss-20b.toml")),
    (
        "m2-ultra--hf.co-ggml-org-gpt-oss-20b-gguf.toml",
        include_str!("../../profiles/fitted/m2-ultra--hf.co-ggml-org-gpt-oss-20b-gguf.toml"),
    ),
    (
        "m2-ultra--qwen2.5-coder-7b-instruct-q8-0.toml",
        include_str!("../../profiles/fitted/m2-ultra--qwen2.5-coder-7b-instruct-q8-0.toml"),
    ),
    (
        "m2-ultra--qwen2.5-coder-7b.toml",
        include_str!("../../profiles/fitted/m2-ultra--qwen2.5-coder-7b.toml"),
    ),
    ("m2-ultra--qwen3-30b-a3b.toml", include_str!("../../profiles/fitted/m2-ultra--qwen3-30b-a3b.toml")),
    (
        "m2-ultra--qwen3-coder-30b-a3b-q8-0.toml",
        include_str!("../../profiles/fitted/m2-ultra--qwen3-coder-30b-a3b-q8-0.toml"),
    ),
    ("m2-ultra--qwen3-coder-30b.toml", include_str!("../../profiles/fitted/m2-ultra--qwen3-coder-30b.toml")),
    (
        "rtx-4090--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/rtx-4090--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("rtx-4090--llama3.1-8b.toml", include_str!("../../profiles/fitted/rtx-4090--llama3.1-8b.toml")),
    (
        "rtx-a6000--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/rtx-a6000--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("rtx-a6000--llama3.1-8b.toml", include_str!("../../profiles/fitted/rtx-a6000--llama3.1-8b.toml")),
    (
        "rtx-pro-6000--llama3.1-8b-instruct-fp16.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--llama3.1-8b-instruct-fp16.toml"),
    ),
    ("rtx-pro-6000--llama3.1-8b.toml", include_str!("../../profiles/fitted/rtx-pro-6000--llama3.1-8b.toml")),
    (
        "rtx-pro-6000--qwen3-30b-a3b-fp16.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-30b-a3b-fp16.toml"),
    ),
    (
        "rtx-pro-6000--qwen3-30b-a3b.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-30b-a3b.toml"),
    ),
    (
        "rtx-pro-6000--qwen3-32b-fp16.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-32b-fp16.toml"),
    ),
    ("rtx-pro-6000--qwen3-32b.toml", include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-32b.toml")),
    (
        "rtx-pro-6000--qwen3-coder-30b-a3b-q8-0.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-coder-30b-a3b-q8-0.toml"),
    ),
    (
        "rtx-pro-6000--qwen3-coder-30b.toml",
        include_str!("../../profiles/fitted/rtx-pro-6000--qwen3-coder-30b.toml"),
    ),
];
