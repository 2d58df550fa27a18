//! What is written reads the same; and how the bytes come in does not matter.

use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use control::request::Block;
use control::units::Instant;
use proptest::prelude::*;
use traces::format::Format;
use traces::input::Input;
use traces::reader::{ReadOptions, Reader};
use traces::row::TraceRow;
use traces::writer::TraceWriter;

fn rows(input: Input) -> Vec<TraceRow> {
    let reader = Reader::new(input, ReadOptions::default()).expect("it opens");
    reader.collect::<Result<_, _>>().expect("it is good")
}

/// Gaps (below a second, or of hours), prompts and outputs; the first row at 0, as readers count from there.
fn made(with_blocks: bool) -> impl Strategy<Value = Vec<TraceRow>> {
    let gap = prop_oneof![0u64..1_000_000_000, 0u64..10_000_000_000_000];
    proptest::collection::vec((gap, 0u32..5_000, 0u32..3_000, 0u64..1_000), 1..40).prop_map(move |rows| {
        let mut at = 0;
        let row = |(index, (gap, prompt_tokens, output_tokens, id)): (usize, (u64, u32, u32, u64))| {
            at += if index == 0 { 0 } else { gap };
            let blocks: Arc<[Block]> = (0..prompt_tokens.div_ceil(512))
                .map(|n| Block { id: id + u64::from(n), tokens: (prompt_tokens - n * 512).min(512) })
                .collect();
            let (line, blocks) = (0, with_blocks.then_some(blocks));
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
    fn no_bytes_break_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..5) {
        let head: &[u8] = [
            &b"TIMESTAMP,ContextTokens,GeneratedTokens\n"[..],
            b"Timestamp,Model,Request tokens,Response tokens\n",
            b"{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 1]}\n",
            b"\x1f\x8b\x08\x00",
            b"\x28\xb5\x2f\xfd",
        ][which];
        let input = Input::new(Path::new("t"), Box::new(Cursor::new([head, &bytes].concat())));
        if let Ok(reader) = input.and_then(|input| Reader::new(input, ReadOptions { format: None, skip_bad: true })) {
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
fn a_trace_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(TraceWriter::create(&folder.path().join("t.csv"), Format::Azure).expect("it opens"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    assert!(TraceWriter::create(&folder.path().join("t.csv"), Format::BurstGpt).is_err());
}
