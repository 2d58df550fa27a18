use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::frame::{FRAME_BYTES, HEADER_BYTES};
use super::*;

/// A thousand small records, as kind and payload.
fn records() -> Payloads {
    (0..1_000u32).map(|n| ((n % 7) as u8, (0..n % 13).map(|i| (n * 31 + i * 17) as u8).collect())).collect()
}

fn segment(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = frame::MAGIC.to_vec();
    bytes.extend(FORMAT_VERSION.to_le_bytes());
    for (kind, payload) in records {
        bytes.extend(frame::frame(*kind, payload));
        bytes.extend(payload);
    }
    bytes
}

type Payloads = Vec<(u8, Vec<u8>)>;

fn read(bytes: &[u8]) -> Result<(Payloads, Option<Truncated>), LogError> {
    let mut reader = SegmentReader::new(Path::new("x.log"), 0, bytes)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next().transpose()? {
        records.push((record.kind, record.payload));
    }
    Ok((records, reader.truncated()))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_log_reads_as_it_was_written_over_several_segments() {
    let folder = folder();
    let mut writer = LogWriter::open(folder.path(), Rotation::AtBytes(1_000)).expect("it opens");
    let places: Vec<Place> = records()
        .iter()
        .map(|(kind, payload)| writer.append(*kind, payload).expect("it is written"))
        .collect();
    writer.sync().expect("it is on the disk");
    let mut reader = LogReader::open(folder.path()).expect("it opens");
    let read: Vec<LogRecord> = reader.by_ref().collect::<Result<_, _>>().expect("it is whole");
    assert_eq!(reader.truncated(), None);
    assert_eq!(read.iter().map(|r| (r.kind, r.payload.clone())).collect::<Vec<_>>(), records());
    let read_places: Vec<Place> =
        read.iter().map(|r| Place { segment: r.segment, offset: r.offset }).collect();
    assert_eq!(read_places, places);
    assert!(places.last().expect("records").segment > 5);
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        assert!(entry.expect("an entry").metadata().expect("a file").len() <= 1_000);
    }
    assert!(folder.path().join("000005.log").is_file());
}

#[test]
fn every_prefix_of_a_log_opens_with_the_whole_records_in_it() {
    let records = records();
    let bytes = segment(&records);
    let mut ends = vec![HEADER_BYTES];
    for (_, payload) in &records {
        ends.push(ends.last().expect("not empty") + FRAME_BYTES + payload.len());
    }
    for len in 0..=bytes.len() {
        let (found, truncated) =
            read(&bytes[..len]).unwrap_or_else(|error| panic!("prefix of {len}: {error}"));
        let whole = ends.partition_point(|&end| end <= len);
        assert_eq!(found.len(), whole.saturating_sub(1), "prefix of {len}");
        assert!(found == records[..found.len()], "prefix of {len}");
        let good = if whole == 0 { 0 } else { ends[whole - 1] };
        let torn = (len > good || whole == 0).then(|| Truncated {
            segment: 0,
            offset: good as u64,
            bytes: (len - good) as u64,
        });
        assert_eq!(truncated, torn, "prefix of {len}");
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let records: Vec<_> = records().into_iter().take(60).collect();
    let bytes = segment(&records);
    let last = bytes.len() - FRAME_BYTES - records[59].1.len();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match read(&damaged) {
                Err(LogError::Magic { .. }) => assert!(at < 8),
                Err(LogError::Version { .. }) => assert!((8..12).contains(&at)),
                Err(LogError::Damaged { offset, .. }) => {
                    assert!(offset <= at as u64 && at < last, "byte {at}")
                }
                Err(error) => panic!("byte {at}: {error}"),
                // Damage to the last record cannot be told from a write that was torn.
                Ok((found, truncated)) => {
                    assert!(at >= last, "byte {at} passed unseen");
                    assert_eq!(
                        (found.len(), truncated.map(|t| t.offset)),
                        (59, Some(last as u64)),
                        "byte {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_log_of_another_version_is_not_read_and_a_writer_goes_on_beside_it() {
    let folder = folder();
    let older = folder.path().join("000000.log");
    let mut bytes = segment(&records()[..10]);
    bytes[8..12].copy_from_slice(&(FORMAT_VERSION - 1).to_le_bytes());
    fs::write(&older, &bytes).expect("it is written");
    let error = SegmentReader::open(&older).map(drop).expect_err("it is of another version");
    let told = format!(
        "{}: byte 8: found format version {}, expected {FORMAT_VERSION}: another version of herder wrote it",
        older.display(),
        FORMAT_VERSION - 1
    );
    assert_eq!(error.to_string(), told);
    let mut writer = LogWriter::open(folder.path(), Rotation::ByCaller).expect("it opens");
    writer.append(0, b"x").and_then(|_| writer.sync()).expect("it is written");
    assert_eq!(fs::read(&older).expect("it is there"), bytes, "the older is as it was");
    assert_eq!(SegmentReader::open(&folder.path().join("000001.log")).expect("it opens").count(), 1);
}

#[test]
fn zeros_at_the_end_are_a_torn_tail() {
    let mut bytes = segment(&records()[..10]);
    let whole = bytes.len();
    bytes.resize(whole + 5_000, 0);
    let (found, truncated) = read(&bytes).expect("it opens");
    assert_eq!(found.len(), 10);
    assert_eq!(truncated, Some(Truncated { segment: 0, offset: whole as u64, bytes: 5_000 }));
}

#[test]
fn a_long_torn_record_is_given_up_in_time() {
    // Each byte of it begins what looks like a record of 16 MiB; to check them all would take hours.
    let mut bytes = segment(&records()[..10]);
    let whole = bytes.len() as u64;
    bytes.extend(frame::frame(1, &vec![1; 40 << 20]));
    bytes.resize(bytes.len() + (20 << 20), 1);
    let (found, truncated) = read(&bytes).expect("it opens");
    assert_eq!((found.len(), truncated.map(|t| t.offset)), (10, Some(whole)));
}

#[test]
fn a_writer_cuts_a_torn_tail_and_goes_on_in_a_new_segment() {
    for torn_at in [5, HEADER_BYTES, HEADER_BYTES + 4, 60] {
        let folder = folder();
        let path = folder.path().join("000000.log");
        fs::write(&path, &segment(&records()[..20])[..torn_at]).expect("it is written");
        let mut writer = LogWriter::open(folder.path(), Rotation::ByCaller).expect("it opens");
        let place = writer.append(9, b"after").expect("it is written");
        assert_eq!(place, Place { segment: 1, offset: HEADER_BYTES as u64 });
        writer.flush().expect("it is flushed");
        let read: Vec<LogRecord> =
            LogReader::open(folder.path()).expect("it opens").collect::<Result<_, _>>().expect("it is whole");
        assert_eq!(
            read.last().map(|record| record.payload.as_slice()),
            Some(&b"after"[..]),
            "torn at {torn_at}"
        );
    }
}

#[test]
fn the_caller_decides_where_segments_begin() {
    let folder = folder();
    let mut writer = LogWriter::open(folder.path(), Rotation::ByCaller).expect("it opens");
    for _ in 0..100 {
        writer.append(1, &[7; 100]).expect("it is written");
    }
    assert_eq!(writer.segment_bytes(), 12 + 100 * 109);
    writer.rotate().expect("a new segment");
    assert_eq!(writer.append(2, b"snapshot").expect("it is written"), Place { segment: 1, offset: 12 });
}

#[test]
fn what_is_too_long_is_not_written() {
    let folder = folder();
    let mut writer = LogWriter::open(folder.path(), Rotation::ByCaller).expect("it opens");
    let payload = vec![0; crate::limits::LOG_RECORD_BYTES_MAX + 1];
    assert!(matches!(writer.append(0, &payload), Err(LogError::TooLong { .. })));
    assert_eq!(writer.segment_bytes(), 12);
}

proptest! {
    #[test]
    fn any_records_come_back(records in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..30)) {
        let (found, truncated) = read(&segment(&records)).expect("it is whole");
        prop_assert_eq!(found, records);
        prop_assert_eq!(truncated, None);
    }

    #[test]
    fn any_bytes_after_the_header_break_nothing(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = segment(&[]);
        bytes.extend(noise);
        let _ = read(&bytes);
    }
}

#[test]
fn the_oldest_segments_make_room_and_the_one_being_written_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = LogWriter::open(folder.path(), Rotation::ByCaller).expect("a new log");
    for record in 0..5_u8 {
        if record > 0 {
            log.rotate().expect("the disk has room");
        }
        log.append(record, &[record; 100]).expect("the disk has room");
    }
    log.sync().expect("the disk has room");
    let kinds = || {
        LogReader::open(folder.path())
            .expect("a log")
            .map(|record| record.expect("whole").kind)
            .collect::<Vec<_>>()
    };
    assert_eq!((log.retain(1 << 20).expect("a log"), kinds()), (0, vec![0, 1, 2, 3, 4]));
    assert_eq!((log.retain(300).expect("a log"), kinds()), (3, vec![3, 4]));
    assert_eq!((log.retain(0).expect("a log"), kinds()), (1, vec![4]));
}
