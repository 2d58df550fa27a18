use std::fs;

use super::*;
use control::ids::ModelId;
use control::units::Bytes;

use crate::made_up::{
    fleet, info, info_by_arm, metrics, records, records_by_arm, sample, spec, spec_by_arm, traffic,
};
use crate::summary::RunInfo;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn requests_csv_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = RequestsCsv::create(dir.path(), &spec()).unwrap();
    records().iter().for_each(|record| csv.write(record).unwrap());
    let path = csv.finish().unwrap();
    insta::assert_snapshot!(fs::read_to_string(path).unwrap());
    assert_eq!(names(dir.path()), ["requests.csv"]);
}

#[test]
fn requests_csv_names_the_arm_of_whoever_reached_a_host_where_arms_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = RequestsCsv::create(dir.path(), &spec_by_arm()).unwrap();
    records_by_arm().iter().for_each(|record| csv.write(record).unwrap());
    let mut reader = csv::Reader::from_path(csv.finish().unwrap()).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (host, arm) = (column("host"), column("arm"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!([&rows[0][arm], &rows[1][arm]], ["base (least-tokens)", "base (random)"]);
    assert!(rows.iter().all(|row| row[host].is_empty() == row[arm].is_empty()));
}

#[test]
fn events_csv_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = EventsCsv::create(dir.path()).unwrap();
    info_by_arm().events.first().iter().for_each(|event| csv.write(event).unwrap());
    insta::assert_snapshot!(fs::read_to_string(csv.finish().unwrap()).unwrap());
    assert_eq!(names(dir.path()), ["events.csv"]);
}

#[test]
fn hosts_csv_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        write_hosts(dir.path(), &metrics().host_rows(&RunInfo { fleet: fleet(), ..info() }, &sample(10)))
            .unwrap();
    insta::assert_snapshot!(fs::read_to_string(path).unwrap());
}

#[test]
fn timeline_csv_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = TimelineCsv::create(dir.path()).unwrap();
    (0..4).for_each(|second| csv.write(&sample(second)).unwrap());
    insta::assert_snapshot!(fs::read_to_string(csv.finish().unwrap()).unwrap());
}

#[test]
fn tables_of_what_was_moved_are_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let paths = write_traffic(dir.path(), &traffic(), &spec()).unwrap();
    let texts = paths.map(|path| fs::read_to_string(path).unwrap());
    insta::assert_snapshot!(texts.join("\n"));
    assert_eq!(names(dir.path()), ["layers.csv", "links.csv", "transfers.csv"]);
}

#[test]
fn residency_csv_adds_up_to_what_is_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = ResidencyCsv::create(dir.path(), &spec()).unwrap();
    let loaded = |lists: [&[(u32, u64)]; 3], second| {
        let mut sample = sample(second);
        for (host, list) in sample.hosts.iter_mut().zip(lists) {
            host.loaded = list.iter().map(|(model, gib)| (ModelId(*model), Bytes::from_gib(*gib))).collect();
        }
        sample
    };
    csv.write(&loaded([&[(0, 5)], &[(1, 5)], &[]], 0)).unwrap();
    csv.write(&loaded([&[(0, 5)], &[(1, 5)], &[]], 1)).unwrap();
    csv.write(&loaded([&[(0, 6)], &[(0, 5), (1, 5)], &[(1, 5)]], 2)).unwrap();
    csv.write(&loaded([&[(1, 5)], &[(0, 5)], &[(1, 5)]], 3)).unwrap();
    insta::assert_snapshot!(fs::read_to_string(csv.finish().unwrap()).unwrap());
}

#[test]
fn another_reader_finds_every_row_with_every_column() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = RequestsCsv::create(dir.path(), &spec()).unwrap();
    records().iter().for_each(|record| csv.write(record).unwrap());
    let mut reader = csv::Reader::from_path(csv.finish().unwrap()).unwrap();
    let columns = reader.headers().unwrap().len();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), records().len());
    assert!(rows.iter().all(|row| row.len() == columns));
    assert_eq!(&rows[1][1], "a, \"b\"");
}

#[test]
fn a_dropped_writer_leaves_whole_rows_under_the_right_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = RequestsCsv::create(dir.path(), &spec()).unwrap();
    for record in records().iter().cycle().take(5_000) {
        csv.write(record).unwrap();
    }
    assert!(!dir.path().join("requests.csv").exists(), "not before it is whole");
    drop(csv);
    let text = fs::read_to_string(dir.path().join("requests.csv")).unwrap();
    assert_eq!(text.lines().count(), 5_001);
    assert!(text.ends_with('\n'));
}

#[test]
fn numbers_are_printed_from_integers_alone() {
    let mut text = String::new();
    let mut row = Row { text: &mut text, first: true };
    row.seconds(0)
        .seconds(1)
        .seconds(u64::MAX)
        .signed(-128)
        .integer(u64::MAX)
        .optional(None)
        .seconds(1_500_000_000);
    assert_eq!(text, "0.000000000,0.000000001,18446744073.709551615,-128,18446744073709551615,,1.500000000");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such");
    let error = RequestsCsv::create(&missing, &spec()).unwrap_err().to_string();
    assert!(error.contains("no/such/requests.csv") && error.contains("cannot create"), "{error}");
    let error = write_whole(&missing.join("summary.json"), b"{}").unwrap_err().to_string();
    assert!(error.contains("no/such/summary.json"), "{error}");
}

#[test]
fn a_whole_file_takes_the_place_of_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("summary.json");
    write_whole(&path, b"old").unwrap();
    write_whole(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(dir.path()), ["summary.json"]);
}
