//! The anonymised Qwen-Bailian traces' JSON lines: `timestamp` (seconds from the trace's start), `input_length`,
//! `output_length` (tokens), `hash_ids` (blocks of 16 tokens of the prompt, the last one perhaps partial), and
//! `chat_id` with `parent_chat_id`, the turn before in the same conversation (-1: none).
//!
//! A session is a tree of chats: a chat belongs to its parent's session, one without parent to its own. The session
//! of [`CHATS_MAX`] chats is remembered; one whose parent is forgotten, or not in the file, belongs to the session
//! that the parent would have opened. `type` and `turn` are not read. Source: the README of
//! alibaba-edu/qwen-bailian-usagetraces-anon.

use std::io::{self, Write};

use control::ids::SessionId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Fault;
use crate::json;
use crate::keyed::{Purpose, bits};
use crate::limits::{CHATS_MAX, SESSIONS_MAX};
use crate::mooncake::{FRESH_IDS_FROM, write_ids};
use crate::recent::Recent;
use crate::row::{RawRow, TraceRow};

/// Tokens of a block.
pub const BLOCK_TOKENS: u32 = 16;

const EXPECTED: &str =
    "an object with chat_id, parent_chat_id, timestamp (s), input_length, output_length and hash_ids";

#[derive(Deserialize)]
struct Row<'a> {
    chat_id: i64,
    parent_chat_id: i64,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    input_length: u32,
    output_length: u32,
    hash_ids: Option<Vec<u64>>,
}

/// Reads rows.
pub(crate) struct Parser {
    /// The chat that opened a chat's session.
    roots: Recent<i64>,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self { roots: Recent::new(CHATS_MAX) }
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        let row: Row<'_> = json::object(line, EXPECTED)?;
        let (at, column) = json::stamp(line, row.timestamp, "timestamp", (9, "seconds"))?;
        let prompt_tokens = json::tokens("input_length", row.input_length)?;
        let output_tokens = json::tokens("output_length", row.output_length)?;
        let ids = row.hash_ids.as_deref();
        let blocks = ids.map(|ids| json::blocks(ids, prompt_tokens, BLOCK_TOKENS)).transpose()?;
        let root = self.root(row.chat_id, row.parent_chat_id);
        Ok(RawRow {
            at,
            column,
            shape: None,
            model: None,
            session: Some(SessionId(bits(0, Purpose::Session, root as u64))),
            prompt_tokens,
            output_tokens,
            blocks,
            asked: None,
        })
    }

    fn root(&mut self, chat: i64, parent: i64) -> i64 {
        let root = if parent < 0 { chat } else { *self.roots.get_or(parent as u64, || parent) };
        *self.roots.get_or(chat as u64, || root) = root;
        root
    }
}

/// Writes the format, to the nanosecond. Chats are numbered from 0; each row's parent is the row before it in its
/// session, of which [`SESSIONS_MAX`] are remembered. Blocks of another size are cut anew. Every `type` is `text`.
pub(crate) struct Writer {
    next_chat: u64,
    next_id: u64,
    /// The last chat of a session and its turn.
    last: Recent<Option<(u64, u64)>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { next_chat: 0, next_id: FRESH_IDS_FROM, last: Recent::new(SESSIONS_MAX) }
    }
}

impl Writer {
    pub(crate) fn row(&mut self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let chat = self.next_chat;
        self.next_chat += 1;
        let (mut parent, mut turn) = ("-1".to_owned(), 1);
        if let Some(session) = row.session {
            let last = self.last.get_or(session.0, || None);
            if let Some((before, turns)) = *last {
                (parent, turn) = (before.to_string(), turns + 1);
            }
            *last = Some((chat, turn));
        }
        let (seconds, nanos) = (row.at.0 / 1_000_000_000, row.at.0 % 1_000_000_000);
        write!(out, "{{\"chat_id\": {chat}, \"parent_chat_id\": {parent}, \"timestamp\": {seconds}")?;
        if nanos > 0 {
            write!(out, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        let (prompt, output) = (row.prompt_tokens, row.output_tokens);
        write!(out, ", \"input_length\": {prompt}, \"output_length\": {output}")?;
        write!(out, ", \"type\": \"text\", \"turn\": {turn}, \"hash_ids\": ")?;
        write_ids(out, row, BLOCK_TOKENS, &mut self.next_id)?;
        out.write_all(b"}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(parser: &mut Parser, chat: i64, parent: i64) -> u64 {
        let line = format!(
            "{{\"chat_id\": {chat}, \"parent_chat_id\": {parent}, \"timestamp\": 61.114, \"input_length\": 17, \
             \"output_length\": 5, \"type\": \"search\", \"turn\": 2, \"hash_ids\": [1089, 1090]}}"
        );
        let row = parser.row(line.as_bytes()).expect("a good row");
        assert_eq!((row.at, row.prompt_tokens, row.output_tokens), (61_114_000_000, 17, 5));
        let tokens: Vec<u32> = row.blocks.expect("it has blocks").iter().map(|block| block.tokens).collect();
        assert_eq!(tokens, [16, 1]);
        row.session.expect("every chat has one").0
    }

    #[test]
    fn children_and_grandchildren_belong_to_their_roots_session() {
        let mut parser = Parser::new();
        let root = session(&mut parser, 55, -1);
        assert_eq!(session(&mut parser, 159, 55), root);
        let other = session(&mut parser, 60, -1);
        assert_ne!(other, root);
        assert_eq!(session(&mut parser, 160, 159), root);
        assert_eq!(session(&mut parser, 161, 55), root, "a second branch of the same conversation");
        assert_eq!(session(&mut parser, 162, 60), other);
    }

    #[test]
    fn children_of_one_absent_parent_are_one_session() {
        let mut parser = Parser::new();
        let first = session(&mut parser, 7, 3);
        assert_eq!(session(&mut parser, 8, 3), first);
        assert_eq!(session(&mut parser, 9, 8), first);
        assert_eq!(session(&mut Parser::new(), 3, -1), first, "the parent would have opened it");
    }
}
