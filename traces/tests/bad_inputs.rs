//! Bad traces and logs: each gives an error that says where, what was found and what was expected.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use flate2::write::GzEncoder;
use traces::format::Format;
use traces::input::Input;
use traces::limits::{LINE_BYTES_MAX, LOOKAHEAD_ROWS, TICK_ROWS_MAX};
use traces::log::{LogReader, LogWriter, Rotation, SegmentReader};
use traces::reader::{ReadOptions, Reader};

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n";
const BURST: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n";
const MOONCAKE: &str =
    "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 1]}\n";
const QWEN: &str = "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0.5, \"input_length\": 20, \"output_length\": 5, \"type\": \"text\", \"turn\": 1, \"hash_ids\": [8, 9]}\n";
const SPLITWISE: &str = "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n0,2,0,1,1,4096,32\n";
const SERVINGSIM: &str =
    "{\"input_toks\":2,\"output_toks\":3,\"arrival_time_ns\":46926808,\"input_tok_ids\":[1,2]}\n";
const OPENB: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\np0,6000,12288,1,460,G2|T4,LS,Running,5,90,7\n";
const VIDUR: &str = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n";

fn error(bytes: &[u8], format: Option<Format>) -> String {
    let input = Input::new(Path::new("trace"), Box::new(Cursor::new(bytes.to_vec())));
    let read = input.and_then(|input| Reader::new(input, ReadOptions { format, ..ReadOptions::default() }));
    match read.and_then(|reader| reader.collect::<Result<Vec<_>, _>>()) {
        Ok(rows) => panic!("read {} rows of {:?}", rows.len(), String::from_utf8_lossy(bytes)),
        Err(error) => error.to_string(),
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn bad_traces_are_refused_with_their_place() {
    let with = |good: &str, row: &str| format!("{good}{row}\n").into_bytes();
    let mut cases: Vec<(&str, Vec<u8>, Option<Format>)> = vec![
        ("empty file", Vec::new(), None),
        ("only blank lines", b"\n \r\n\n".to_vec(), None),
        ("no trace at all", b"name,cpu_milli,memory_mib\nopenb-pod-0000,12000,16384\n".to_vec(), None),
        ("bytes that are no text", vec![0x50, 0x41, 0x52, 0x31, 0x15, 0x00, 0xff], None),
        ("header absent", b"2023-11-16 18:17:03.9799600,4808,10\n".to_vec(), None),
        ("format given, file of another", VIDUR.into(), Some(Format::Azure)),
        ("format given, JSON instead", MOONCAKE.into(), Some(Format::BurstGpt)),
        ("format given, CSV instead", AZURE.into(), Some(Format::Mooncake)),
        ("azure: column absent", b"TIMESTAMP,ContextTokens\n".to_vec(), None),
        ("azure: column twice", b"TIMESTAMP,ContextTokens,GeneratedTokens,contexttokens\n".to_vec(), None),
        ("azure: no such day", with(AZURE, "2023-02-29 18:17:03.9799600,1,1"), None),
        ("azure: stamp of another kind", with(AZURE, "16.11.2023 18:17,1,1"), None),
        ("azure: offset cut off", with(AZURE, "2024-05-10 00:00:00.009930+0,1,1"), None),
        ("azure: field absent", with(AZURE, "2023-11-16 18:17:04.0319600,3180"), None),
        ("azure: field too many", with(AZURE, "2023-11-16 18:17:04.0319600,3180,8,1"), None),
        ("azure: negative tokens", with(AZURE, "2023-11-16 18:17:04.0319600,-3,8"), None),
        ("azure: half a token", with(AZURE, "2023-11-16 18:17:04.0319600,3,8.5"), None),
        ("azure: too many tokens", with(AZURE, "2023-11-16 18:17:04.0319600,99999999999999999999,8"), None),
        ("azure: cut off in a row", format!("{AZURE}2023-11-16 18:1").into_bytes(), None),
        ("burstgpt: no time", with(BURST, ",ChatGPT,1,1,2,Conversation log"), None),
        ("burstgpt: time in words", with(BURST, "noon,ChatGPT,1,1,2,Conversation log"), None),
        ("burstgpt: time too large", with(BURST, "1e40,ChatGPT,1,1,2,Conversation log"), None),
        ("burstgpt: trace too long", with(BURST, "1e20,ChatGPT,1,1,2,Conversation log"), None),
        ("burstgpt: open quote", with(BURST, "6,\"Chat,1,1,2,Conversation log"), None),
        ("burstgpt: text after a quote", with(BURST, "6,\"Chat\"GPT,1,1,2,Conversation log"), None),
        ("burstgpt: endless name", with(BURST, &format!("6,{},1,1,2,API log", "x".repeat(300))), None),
        ("mooncake: broken JSON", with(MOONCAKE, "{\"timestamp\": 3,"), None),
        ("mooncake: field absent", with(MOONCAKE, "{\"timestamp\": 3, \"input_length\": 600}"), None),
        ("mooncake: text for a time", with(MOONCAKE, &MOONCAKE.trim().replace(": 0,", ": \"0\",")), None),
        ("mooncake: text for tokens", with(MOONCAKE, &MOONCAKE.trim().replace("600", "\"600\"")), None),
        ("mooncake: negative tokens", with(MOONCAKE, &MOONCAKE.trim().replace("600", "-600")), None),
        ("mooncake: block absent", with(MOONCAKE, &MOONCAKE.trim().replace("[0, 1]", "[0]")), None),
        ("mooncake: an array", with(MOONCAKE, "[1, 2]"), None),
        (
            "vidur: lengths without times",
            b"num_prefill_tokens,num_decode_tokens,pd_ratio\n3772,54,69.8\n".to_vec(),
            None,
        ),
        ("vidur: not a number", with(VIDUR, "NaN,1,1"), None),
        ("vidur: tokens in words", with(VIDUR, "1.0,many,1"), None),
        ("qwen-bailian: chat in words", with(QWEN, &QWEN.trim().replace(": 1,", ": \"one\",")), None),
        (
            "qwen-bailian: parent absent",
            with(QWEN, &QWEN.trim().replace("\"parent_chat_id\": -1, ", "")),
            None,
        ),
        ("qwen-bailian: block too many", with(QWEN, &QWEN.trim().replace("[8, 9]", "[8, 9, 10]")), None),
        ("qwen-bailian: text for a time", with(QWEN, &QWEN.trim().replace("0.5", "\"noon\"")), None),
        ("qwen-bailian: no chats", MOONCAKE.into(), Some(Format::QwenBailian)),
        ("splitwise-sim: column absent", b"request_id,arrival_timestamp,prompt_size\n".to_vec(), None),
        ("splitwise-sim: another type of request", with(SPLITWISE, "1,1,0,3,1,2048,8"), None),
        ("splitwise-sim: a batch", with(SPLITWISE, "1,2,0,3,4,2048,8"), None),
        ("splitwise-sim: no time", with(SPLITWISE, "1,2,0,,1,2048,8"), None),
        ("splitwise-sim: half a token", with(SPLITWISE, "1,2,0,3,1,2048.5,8"), None),
        ("llmservingsim: field absent", with(SERVINGSIM, "{\"input_toks\":2,\"arrival_time_ns\":4}"), None),
        (
            "llmservingsim: token too many",
            with(SERVINGSIM, &SERVINGSIM.trim().replace("[1,2]", "[1,2,3]")),
            None,
        ),
        (
            "llmservingsim: a token in words",
            with(SERVINGSIM, &SERVINGSIM.trim().replace("[1,2]", "[1,\"b\"]")),
            None,
        ),
        (
            "llmservingsim: a session",
            with(SERVINGSIM, "{\"session_id\": \"a\", \"arrival_time_ns\": 5, \"sub_requests\": [{}]}"),
            None,
        ),
        (
            "llmservingsim: too many tokens",
            with(SERVINGSIM, &SERVINGSIM.trim().replace(":3,", ":99999999,")),
            None,
        ),
        ("openb: column absent", b"name,cpu_milli,memory_mib,creation_time\n".to_vec(), None),
        ("openb: no cores", with(OPENB, "p1,,1,0,0,,LS,Running,6,90,7"), None),
        ("openb: negative memory", with(OPENB, "p1,1,-1,0,0,,LS,Running,6,90,7"), None),
        ("openb: too many GPUs", with(OPENB, "p1,1,1,65,1000,,LS,Running,6,90,7"), None),
        ("openb: a share of no GPU", with(OPENB, "p1,1,1,0,500,,LS,Running,6,90,7"), None),
        ("openb: nothing of a GPU", with(OPENB, "p1,1,1,1,0,,LS,Running,6,90,7"), None),
        ("openb: more than a GPU", with(OPENB, "p1,1,1,1,1001,,LS,Running,6,90,7"), None),
        ("openb: halves of two GPUs", with(OPENB, "p1,1,1,2,500,,LS,Running,6,90,7"), None),
        ("openb: a kind without a name", with(OPENB, "p1,1,1,1,500,G2|,LS,Running,6,90,7"), None),
        ("openb: a class of spaces", with(OPENB, "p1,1,1,1,500,,best effort,Running,6,90,7"), None),
        ("openb: no time of creation", with(OPENB, "p1,1,1,1,500,,LS,Running,,90,7"), None),
        ("openb: deleted before it ran", with(OPENB, "p1,1,1,1,500,,LS,Running,6,7,8"), None),
        ("openb: it ran for no time", with(OPENB, "p1,1,1,1,500,,LS,Running,6,8,8"), None),
        ("openb: it ran for ages", with(OPENB, "p1,1,1,1,500,,LS,Running,6,1e9,8"), None),
        ("openb: never deleted", with(OPENB, "p1,1,1,1,500,,LS,Running,6,,8"), None),
        ("servegen: a file", VIDUR.into(), Some(Format::ServeGen)),
        ("no UTF-8", [VIDUR.as_bytes(), b"1.0,\xff\xfe,1\n"].concat(), None),
        ("endless line", [VIDUR.as_bytes(), &vec![b'1'; LINE_BYTES_MAX + 1]].concat(), None),
        ("gzip cut off", gzip(VIDUR)[..40].to_vec(), None),
        (
            "gzip, damaged",
            {
                let mut b = gzip(VIDUR);
                let at = b.len() - 6;
                b[at] ^= 1;
                b
            },
            None,
        ),
        ("gzip, something else after it", [gzip(VIDUR), b"more".to_vec()].concat(), None),
        ("gzip of an endless line", gzip(&"0".repeat(3 * LINE_BYTES_MAX)), None),
        (
            "zstd cut off",
            {
                let b = zstd::encode_all(VIDUR.as_bytes(), 3).expect("memory");
                b[..b.len() - 5].to_vec()
            },
            None,
        ),
        (
            "zstd, damaged",
            {
                let mut b = zstd::encode_all(VIDUR.as_bytes(), 3).expect("memory");
                b[4] = 0xff;
                b
            },
            None,
        ),
    ];
    let mut late = VIDUR.to_owned();
    for second in 1..LOOKAHEAD_ROWS + 10 {
        writeln!(late, "{second},1,1").expect("memory");
    }
    late += "3.5,1,1\n";
    cases.push(("row too far back in time", late.into_bytes(), None));
    let mut report = String::new();
    for (name, bytes, format) in &cases {
        writeln!(report, "{name}\n    {}", error(bytes, *format)).expect("memory");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Input::open(Path::new("no/such/trace.csv")).err().expect("there is none");
    assert!(error.to_string().starts_with("no/such/trace.csv: "), "{error}");
}

#[test]
fn a_tick_with_too_many_rows_cannot_be_spread() {
    use control::units::Nanos;
    use traces::jobs::Jobs;
    use traces::options::{ModelMix, Spread, SpreadBy, TraceOptions};
    let text = VIDUR.to_owned() + &"0,1,1\n".repeat(TICK_ROWS_MAX);
    let input = Input::new(Path::new("trace"), Box::new(Cursor::new(text.into_bytes()))).expect("it opens");
    let models = ModelMix { names: vec!["m".to_owned()], zipf_exponent: 1.0 };
    let spread = Some(Spread { tick: Nanos::from_secs(1), by: SpreadBy::Evenly });
    let mut jobs =
        Jobs::new(input, &TraceOptions { models, spread, ..TraceOptions::default() }).expect("it opens");
    let error = jobs.next().expect("an error").expect_err("too many rows");
    insta::assert_snapshot!(error.to_string());
    assert!(jobs.next().is_none(), "an error is the end");
}

#[test]
fn bad_rows_are_skipped_counted_and_the_first_few_kept() {
    let mut text = AZURE.to_owned();
    for row in 0..20 {
        writeln!(text, "2023-11-16 18:17:05.0000000,{}", if row % 2 == 0 { "1,1" } else { "1,x" })
            .expect("memory");
    }
    let input = Input::new(Path::new("trace"), Box::new(Cursor::new(text.into_bytes()))).expect("it opens");
    let mut reader =
        Reader::new(input, ReadOptions { skip_bad: true, ..ReadOptions::default() }).expect("it opens");
    let rows: Vec<_> = reader.by_ref().collect::<Result<_, _>>().expect("bad rows are skipped");
    assert_eq!(rows.len(), 11);
    assert_eq!(reader.bad().rows, 10);
    let lines: Vec<u64> = reader.bad().first.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [4, 6, 8, 10, 12, 14, 16, 18]);
}

#[test]
fn bad_logs_are_refused_with_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    let mut writer = LogWriter::open(&whole, Rotation::ByCaller).expect("it opens");
    for segment in 0..3 {
        for record in 0..5u8 {
            writer.append(record, &[record; 20]).expect("it is written");
        }
        if segment < 2 {
            writer.rotate().expect("it rotates");
        }
    }
    writer.sync().expect("it is written");
    drop(writer);
    let copy = |name: &str| {
        let to = folder.path().join(name);
        fs::create_dir(&to).expect("a folder");
        for segment in ["000000.log", "000001.log", "000002.log"] {
            fs::copy(whole.join(segment), to.join(segment)).expect("it is copied");
        }
        to
    };
    let damage = |name: &str, segment: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let to = copy(name);
        let mut bytes = fs::read(to.join(segment)).expect("it is there");
        change(&mut bytes);
        fs::write(to.join(segment), bytes).expect("it is written");
        to
    };
    let cases = [
        ("absent", folder.path().join("absent")),
        ("no-segments", {
            let to = folder.path().join("no-segments");
            fs::create_dir(&to).expect("a folder");
            to
        }),
        ("segment-missing", {
            let to = copy("segment-missing");
            fs::remove_file(to.join("000001.log")).expect("it is removed");
            to
        }),
        ("no-log", damage("no-log", "000000.log", &|bytes| bytes[..8].copy_from_slice(b"TIMESTAM"))),
        ("other-version", damage("other-version", "000000.log", &|bytes| bytes[8] = 9)),
        ("payload-damaged", damage("payload-damaged", "000001.log", &|bytes| bytes[50] ^= 4)),
        ("length-damaged", damage("length-damaged", "000002.log", &|bytes| bytes[12 + 29] = 200)),
        ("length-huge", damage("length-huge", "000002.log", &|bytes| bytes[12 + 29 + 3] = 0xff)),
        ("torn-in-the-middle", damage("torn-in-the-middle", "000001.log", &|bytes| bytes.truncate(100))),
    ];
    let mut report = String::new();
    for (name, path) in cases {
        let read = LogReader::open(&path).and_then(|reader| reader.collect::<Result<Vec<_>, _>>());
        let error = read.err().unwrap_or_else(|| panic!("{name} was read")).to_string();
        let error = error.replace(&folder.path().display().to_string(), "");
        writeln!(report, "{name}\n    {error}").expect("memory");
    }
    insta::assert_snapshot!(report);
    assert!(SegmentReader::open(&whole.join("000000.log")).is_ok());
}
