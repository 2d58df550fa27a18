//! What is written reads the same; and how the bytes come in does not matter.

use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use control::ids::SessionId;
use control::request::Block;
use control::units::Instant;
use proptest::prelude::*;
use traces::format::Format;
use traces::input::Input;
use traces::reader::{ReadOptions, Reader};
use traces::row::TraceRow;
use traces::writer::{Lost, TraceWriter};

fn rows(input: Input) -> Vec<TraceRow> {
    let reader = Reader::new(input, ReadOptions::default()).expect("it opens");
    reader.collect::<Result<_, _>>().expect("it is good")
}

/// Gaps (below a second, or of hours), prompts and outputs; the first row at 0, as readers count from there.
fn made(with_blocks: bool) -> impl Strategy<Value = Vec<TraceRow>> {
    made_in_blocks(with_blocks.then_some(512))
}

fn made_in_blocks(block_tokens: Option<u32>) -> impl Strategy<Value = Vec<TraceRow>> {
    let gap = prop_oneof![0u64..1_000_000_000, 0u64..10_000_000_000_000];
    proptest::collection::vec((gap, 0u32..5_000, 0u32..3_000, 0u64..1_000), 1..40).prop_map(move |rows| {
        let mut at = 0;
        let row = |(index, (gap, prompt_tokens, output_tokens, id)): (usize, (u64, u32, u32, u64))| {
            at += if index == 0 { 0 } else { gap };
            let size = block_tokens.unwrap_or(512);
            let blocks: Arc<[Block]> = (0..prompt_tokens.div_ceil(size))
                .map(|n| Block { id: id + u64::from(n), tokens: (prompt_tokens - n * size).min(size) })
                .collect();
            let (line, blocks) = (0, block_tokens.map(|_| blocks));
            TraceRow {
                line,
                at: Instant(at),
                model: None,
                session: None,
                prompt_tokens,
                output_tokens,
                blocks,
                asked: None,
            }
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

fn written_and_read(rows_in: &[TraceRow], format: Format, name: &str) -> Vec<TraceRow> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut writer = TraceWriter::create(&path, format).expect("it opens");
    rows_in.iter().for_each(|row| writer.append(row).expect("it is written"));
    assert!(!path.exists(), "a trace appears when it is whole");
    writer.finish().expect("it is renamed");
    let mut found = rows(Input::open(&path).expect("it opens"));
    found.iter_mut().for_each(|row| row.line = 0);
    found
}

/// Hands out bytes in pieces of given sizes.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    next: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.next += 1;
        let size = self.sizes[self.next % self.sizes.len()].min(into.len());
        self.bytes.read(&mut into[..size])
    }
}

/// Tokens that two prompts open with alike: those of equal blocks, and of the shorter where one goes on.
fn shared(one: &TraceRow, other: &TraceRow) -> u32 {
    let (Some(one), Some(other)) = (&one.blocks, &other.blocks) else { return 0 };
    let mut tokens = 0;
    for (one, other) in one.iter().zip(other.iter()).take_while(|(one, other)| one.id == other.id) {
        tokens += one.tokens.min(other.tokens);
        if one.tokens != other.tokens {
            break;
        }
    }
    tokens
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn vidur_comes_back_to_the_nanosecond(rows in made(false)) {
        prop_assert_eq!(written_and_read(&rows, Format::Vidur, "t.csv.gz"), rows);
    }

    #[test]
    fn mooncake_comes_back_with_its_blocks(rows in made(true)) {
        prop_assert_eq!(written_and_read(&rows, Format::Mooncake, "t.jsonl.zst"), rows);
    }

    #[test]
    fn qwen_bailian_comes_back_with_blocks_and_sessions(
        mut rows in made_in_blocks(Some(16)),
        sessions in proptest::collection::vec(0u64..5, 40),
    ) {
        for (row, session) in rows.iter_mut().zip(&sessions) {
            row.session = Some(SessionId(*session));
        }
        let mut found = written_and_read(&rows, Format::QwenBailian, "t.jsonl");
        // Names of sessions are new; who shares one with whom is not.
        let mut names: Vec<(SessionId, SessionId)> = Vec::new();
        for (row, found) in rows.iter().zip(&mut found) {
            let (old, new) = (row.session.expect("set above"), found.session.expect("every chat has one"));
            match names.iter().find(|&&(known, name)| known == old || name == new) {
                Some(&pair) => prop_assert_eq!(pair, (old, new)),
                None => names.push((old, new)),
            }
            found.session = row.session;
        }
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn splitwise_sim_and_llmservingsim_come_back_to_the_nanosecond(rows in made(false)) {
        prop_assert_eq!(&written_and_read(&rows, Format::SplitwiseSim, "t.csv"), &rows);
        prop_assert_eq!(written_and_read(&rows, Format::LlmServingSim, "t.jsonl"), rows);
    }

    #[test]
    fn blocks_of_another_size_keep_what_prompts_share(rows in made(true)) {
        let found = written_and_read(&rows, Format::QwenBailian, "t.jsonl");
        for (pair, found) in rows.windows(2).zip(found.windows(2)) {
            let (old, new) = (shared(&pair[0], &pair[1]), shared(&found[0], &found[1]));
            prop_assert!(new == old || new / 16 == old / 16, "{} tokens became {}", old, new);
        }
    }

    #[test]
    fn azure_comes_back_to_100_nanoseconds(mut rows in made(false)) {
        let found = written_and_read(&rows, Format::Azure, "t.csv");
        rows.iter_mut().for_each(|row| row.at.0 -= row.at.0 % 100);
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn pieces_of_any_size_give_the_same_rows(
        rows_in in made(true),
        sizes in proptest::collection::vec(1usize..50, 1..6),
        compression in 0usize..3,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"][compression]);
        let mut writer = TraceWriter::create(&path, Format::Mooncake).expect("it opens");
        rows_in.iter().for_each(|row| writer.append(row).expect("it is written"));
        writer.finish().expect("it is renamed");
        let bytes = Cursor::new(std::fs::read(&path).expect("it is there"));
        let pieces = Pieces { bytes, sizes, next: 0 };
        let input = Input::new(Path::new("pieces"), Box::new(pieces)).expect("it opens");
        prop_assert_eq!(rows(input), rows(Input::open(&path).expect("it opens")));
    }

    #[test]
    fn rows_out_of_order_within_the_lookahead_are_put_in_order(order in Just((0..300u32).collect::<Vec<_>>()).prop_shuffle()) {
        let mut text = "arrived_at,num_prefill_tokens,num_decode_tokens\n".to_owned();
        order.iter().for_each(|n| text += &format!("{},{},1\n", n / 3, n + 1));
        let input = Input::new(Path::new("t"), Box::new(Cursor::new(text.into_bytes()))).expect("it opens");
        let found = rows(input);
        prop_assert_eq!(found.len(), 300);
        for pair in found.windows(2) {
            prop_assert!((pair[0].at, pair[0].line) < (pair[1].at, pair[1].line));
        }
    }

    #[test]
    fn no_bytes_break_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..8) {
        let head: &[u8] = [
            &b"TIMESTAMP,ContextTokens,GeneratedTokens\n"[..],
            b"Timestamp,Model,Request tokens,Response tokens\n",
            b"{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 1]}\n",
            b"{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0, \"input_length\": 6, \"output_length\": 5}\n",
            b"{\"input_toks\": 1, \"output_toks\": 5, \"arrival_time_ns\": 9}\n",
            b"request_id,arrival_timestamp,prompt_size,token_size\n",
            b"\x1f\x8b\x08\x00",
            b"\x28\xb5\x2f\xfd",
        ][which];
        let input = Input::new(Path::new("t"), Box::new(Cursor::new([head, &bytes].concat())));
        if let Ok(reader) = input.and_then(|input| Reader::new(input, ReadOptions { skip_bad: true, ..ReadOptions::default() })) {
            let _ = reader.collect::<Vec<_>>();
        }
    }
}

#[test]
fn a_written_azure_trace_looks_like_the_originals() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.csv");
    let mut writer = TraceWriter::create(&path, Format::Azure).expect("it opens");
    let row = TraceRow {
        line: 0,
        at: Instant(65_823_979_960_099),
        model: None,
        session: None,
        prompt_tokens: 4_808,
        output_tokens: 10,
        blocks: None,
        asked: None,
    };
    writer.append(&row).expect("it is written");
    writer.finish().expect("it is renamed");
    assert_eq!(
        std::fs::read_to_string(&path).expect("it is text"),
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10"
    );
}

#[test]
fn what_a_format_cannot_hold_is_counted() {
    let row = |at, block_tokens: u32| TraceRow {
        line: 0,
        at: Instant(at),
        model: Some("m".into()),
        session: Some(SessionId(3)),
        prompt_tokens: 2 * block_tokens,
        output_tokens: 10,
        blocks: Some([1, 2].map(|id| Block { id, tokens: block_tokens }).into()),
        asked: None,
    };
    let lost = |format| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = TraceWriter::create(&folder.path().join("t"), format).expect("it opens");
        for row in [row(0, 16), row(150, 512), row(200, 7)] {
            writer.append(&row).expect("it is written");
        }
        writer.lost()
    };
    let all = Lost { models: 3, sessions: 3, blocks: 3, ..Lost::default() };
    assert_eq!(lost(Format::Azure), Lost { rounded: 1, ..all });
    for format in [Format::Vidur, Format::SplitwiseSim, Format::LlmServingSim] {
        assert_eq!(lost(format), all, "{format}");
    }
    assert_eq!(lost(Format::Mooncake), Lost { blocks: 0, recut: 2, ..all });
    let kept = lost(Format::QwenBailian);
    assert_eq!(kept, Lost { models: 3, recut: 2, ..Lost::default() });
    assert_eq!(kept.lines().len(), 2);
    assert!(Lost::default().lines().is_empty());
}

#[test]
fn a_trace_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(TraceWriter::create(&folder.path().join("t.csv"), Format::Azure).expect("it opens"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    assert!(TraceWriter::create(&folder.path().join("t.csv"), Format::BurstGpt).is_err());
}
