//! Public traces of which the content is known: where they are, and the SHA-256 of what must come.
//!
//! Only files whose checksum is certain stand here: it was computed over the file, or is the name that Git LFS gives the content.

use crate::format::Format;

/// A public trace.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it is called here.
    pub name: &'static str,
    /// Where it is: a commit of its repository, so that it stays what it is.
    pub url: &'static str,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its licence, by its SPDX identifier.
    pub licence: &'static str,
    /// Its format.
    pub format: Format,
}

impl Known {
    /// The name of the file where it is.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.url.rsplit_once('/').map_or(self.url, |(_, file)| file)
    }

    /// The trace of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }
}

/// All of them, by name.
pub const KNOWN: &[Known] = &[
    Known {
        name: "azure-2023-code",
        url: "https://raw.githubusercontent.com/Azure/AzurePublicDataset/790921015d50dd6aae7f7e47f39ba0e235ad6b08/data/AzureLLMInferenceTrace_code.csv",
        sha256: "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
        bytes: 320_117,
        licence: "CC-BY-4.0",
        format: Format::Azure,
    },
    Known {
        name: "azure-2023-conv",
        url: "https://raw.githubusercontent.com/Azure/AzurePublicDataset/790921015d50dd6aae7f7e47f39ba0e235ad6b08/data/AzureLLMInferenceTrace_conv.csv",
        sha256: "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
        bytes: 719_188,
        licence: "CC-BY-4.0",
        format: Format::Azure,
    },
    Known {
        name: "mooncake-conversation",
        url: "https://raw.githubusercontent.com/kvcache-ai/Mooncake/a2a4b18ac537fd798d50e6e9f57031ce86419a37/FAST25-release/traces/conversation_trace.jsonl",
        sha256: "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        bytes: 3_029_533,
        licence: "Apache-2.0",
        format: Format::Mooncake,
    },
    Known {
        name: "qwen-bailian-coder",
        url: "https://media.githubusercontent.com/media/alibaba-edu/qwen-bailian-usagetraces-anon/0b4273a1d8a83935b9d9356e78f95c31f2ac64cf/qwen_coder_blksz_16.jsonl",
        sha256: "3d74974cebb7bccb69b1ca6ea210a44d9a3033443c0271ed015327284dea1aff",
        bytes: 132_054_902,
        licence: "Apache-2.0",
        format: Format::QwenBailian,
    },
    Known {
        name: "qwen-bailian-thinking",
        url: "https://media.githubusercontent.com/media/alibaba-edu/qwen-bailian-usagetraces-anon/0b4273a1d8a83935b9d9356e78f95c31f2ac64cf/qwen_thinking_blksz_16.jsonl",
        sha256: "41ac36d9d1b54d084eeb6b05e9d142ba9d02f8bf79cfc9fff418d8ab7cdee906",
        bytes: 27_901_454,
        licence: "Apache-2.0",
        format: Format::QwenBailian,
    },
    Known {
        name: "splitwise-sim-test",
        url: "https://raw.githubusercontent.com/Mutinifni/splitwise-sim/378088013a54df6f2052c27ff5ae6ea7619c3ecc/traces/test_trace.csv",
        sha256: "4048699985519151427ba5ba47bb39176db94bc21c8b253bfc84531c6dbd3391",
        bytes: 144,
        licence: "MIT",
        format: Format::SplitwiseSim,
    },
    Known {
        name: "vidur-splitwise-conv",
        url: "https://raw.githubusercontent.com/microsoft/vidur/8e54dd5c137a9b5aa0b6ff512ace6cc7caf8a377/data/processed_traces/splitwise_conv.csv",
        sha256: "439e4138b7e384f316de614c071f7162be05b8af0cef866f82faacd1b0472249",
        bytes: 382_729,
        licence: "MIT",
        format: Format::Vidur,
    },
];

#[cfg(test)]
mod tests {
    use control::digest::Digest;

    use super::*;

    #[test]
    fn every_trace_has_a_name_of_its_own_a_checksum_and_a_commit() {
        for pair in KNOWN.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} and {} are out of order", pair[0].name, pair[1].name);
        }
        for known in KNOWN {
            assert!(format!("sha256:{}", known.sha256).parse::<Digest>().is_ok(), "{}", known.name);
            let commit = |part: &str| part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(known.url.starts_with("https://") && known.url.split('/').any(commit), "{}", known.name);
            assert_eq!(Known::find(known.name).map(Known::file), Some(known.file()));
        }
        assert!(Known::find("azure").is_none());
    }
}
