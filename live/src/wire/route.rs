//! The calls that are answered with a model, in all dialects.

use control::request::Kind;

use super::dialect::Dialect;

/// A call that a host answers with a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// `POST /api/chat`.
    Chat,
    /// `POST /api/generate`.
    Generate,
    /// `POST /api/embed`.
    Embed,
    /// `POST /api/embeddings`, which `embed` has replaced.
    Embeddings,
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/embeddings`.
    OpenAiEmbeddings,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/messages`.
    Messages,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Chat,
        Self::Generate,
        Self::Embed,
        Self::Embeddings,
        Self::ChatCompletions,
        Self::Completions,
        Self::OpenAiEmbeddings,
        Self::Responses,
        Self::Messages,
    ];

    /// Its path, to clients and to hosts.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
            Self::Embed => "/api/embed",
            Self::Embeddings => "/api/embeddings",
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::OpenAiEmbeddings => "/v1/embeddings",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// Whose words it speaks.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::Generate | Self::Embed | Self::Embeddings => Dialect::Ollama,
            Self::ChatCompletions | Self::Completions | Self::OpenAiEmbeddings | Self::Responses => {
                Dialect::OpenAi
            }
            Self::Messages => Dialect::Anthropic,
        }
    }

    /// What it asks for.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Embed | Self::Embeddings | Self::OpenAiEmbeddings => Kind::Embedding,
            _ => Kind::Completion,
        }
    }

    /// Whether the answer is streamed, given what the body says of it.
    #[must_use]
    pub fn streams(self, written: Option<bool>) -> bool {
        match self {
            Self::Chat | Self::Generate => written.unwrap_or(true),
            Self::Embed | Self::Embeddings | Self::OpenAiEmbeddings => false,
            Self::ChatCompletions | Self::Completions | Self::Responses | Self::Messages => {
                written.unwrap_or(false)
            }
        }
    }

    /// Whether a host looks at a (folded) key of the body. What it does not look at may stand twice, and be anything.
    #[must_use]
    pub fn reads(self, key: &str) -> bool {
        match key {
            "model" => true,
            "stream" => self.kind() == Kind::Completion,
            "keep_alive" | "options" => self.dialect() == Dialect::Ollama,
            "truncate" => matches!(self, Self::Chat | Self::Generate | Self::Embed),
            "shift" => matches!(self, Self::Chat | Self::Generate),
            "prompt" => matches!(self, Self::Generate | Self::Embeddings | Self::Completions),
            "suffix" => matches!(self, Self::Generate | Self::Completions),
            "system" => matches!(self, Self::Generate | Self::Messages),
            "messages" => matches!(self, Self::Chat | Self::ChatCompletions | Self::Messages),
            "tools" => {
                matches!(self, Self::Chat | Self::ChatCompletions | Self::Messages | Self::Responses)
            }
            "input" => matches!(self, Self::Embed | Self::OpenAiEmbeddings | Self::Responses),
            "instructions" | "max_output_tokens" => self == Self::Responses,
            "max_tokens" => matches!(self, Self::ChatCompletions | Self::Completions | Self::Messages),
            "max_completion_tokens" => self == Self::ChatCompletions,
            "user" | "prompt_cache_key" => self.dialect() == Dialect::OpenAi,
            "metadata" => self == Self::Messages,
            _ => false,
        }
    }

    /// What is said where no model is named: the status, and the message. `written` is what stands there instead; it
    /// is empty but for v0.10, which takes a bad name for none.
    ///
    /// Source: Ollama v0.24.0, `server/routes.go` (`writeModelRefParseError` and the handlers), and the handlers of
    /// v0.10.1.
    #[must_use]
    pub fn nameless(self, written: &str) -> (u16, String) {
        match self {
            Self::Generate | Self::Embed | Self::Completions | Self::OpenAiEmbeddings => {
                (404, super::model_missing(written))
            }
            _ => (400, "model is required".into()),
        }
    }

    /// What is said of a model that no host has: Ollama's calls differ in it.
    ///
    /// Source: Ollama v0.24.0, `server/routes.go` (`handleScheduleError` and the handlers).
    #[must_use]
    pub fn model_missing(self, name: &str) -> String {
        match self.kind() {
            Kind::Embedding => super::pull_first(name),
            Kind::Completion => super::model_missing(name),
        }
    }
}
