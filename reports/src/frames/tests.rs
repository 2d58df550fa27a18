use std::fs::{self, File};

use polars::prelude::{AnyValue, DataFrame, DataType, ParquetReader, SerReader};
use proptest::prelude::*;

use super::*;
use crate::tables::REQUESTS;

fn read(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).unwrap()).finish().unwrap()
}

fn converted(csv: &str, holds: impl Fn(&str) -> Option<Holds>) -> Result<DataFrame, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    fs::write(&path, csv).unwrap();
    write(&path, holds).map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), ""))?;
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
    Ok(read(&path.with_extension("parquet")))
}

#[test]
fn columns_have_their_types_and_missing_values_are_null() {
    let csv = "request,model,priority,arrival_s,truncated,outcome\n0,\"a,b\",-1,0.000000001,true,finished\n1,,2,,false,\n";
    let frame = converted(csv, |name| REQUESTS.holds(name)).unwrap();
    let types: Vec<DataType> = frame.dtypes();
    assert_eq!(
        types,
        [
            DataType::UInt64,
            DataType::String,
            DataType::Int64,
            DataType::Float64,
            DataType::Boolean,
            DataType::String
        ]
    );
    let row = |at: usize| frame.get(at).unwrap().into_iter().map(AnyValue::into_static).collect::<Vec<_>>();
    assert_eq!(
        row(0),
        [
            AnyValue::UInt64(0),
            AnyValue::StringOwned("a,b".into()),
            AnyValue::Int64(-1),
            AnyValue::Float64(1e-9),
            AnyValue::Boolean(true),
            AnyValue::StringOwned("finished".into())
        ]
    );
    assert_eq!(row(1)[1], AnyValue::Null);
    assert_eq!(row(1)[3], AnyValue::Null);
}

#[test]
fn a_setting_is_as_narrow_as_its_values_allow() {
    let csv = "whole,number,text,measure\n1,1,1,inf\n-2,2.5,random,1e3\n";
    let holds = |name: &str| Some(if name == "measure" { Holds::Number } else { Holds::Setting });
    let frame = converted(csv, holds).unwrap();
    assert_eq!(frame.dtypes(), [DataType::Int64, DataType::Float64, DataType::String, DataType::Float64]);
    assert_eq!(frame.column("measure").unwrap().get(0).unwrap(), AnyValue::Float64(f64::INFINITY));
}

#[test]
fn a_file_without_rows_keeps_its_columns() {
    let frame = converted("at_s,kind,what\n", |name| crate::tables::EVENTS.holds(name)).unwrap();
    assert_eq!((frame.height(), frame.width()), (0, 3));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_leaves_nothing() {
    let wrong = |csv| converted(csv, |name| REQUESTS.holds(name)).unwrap_err();
    assert_eq!(
        wrong("request,model\n0,a\nx,b\n"),
        "/rows.csv:3: column 1 (request): found \"x\", expected a whole number, 0 or more"
    );
    assert_eq!(
        wrong("request,colour\n"),
        "/rows.csv:1: column 2 (colour): found \"colour\", expected the name of a column that herder writes there"
    );
    let ragged = wrong("request,model\n0\n");
    assert!(ragged.contains("/rows.csv") && ragged.contains("line: 2"), "{ragged}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What is read from Parquet is what stands in the CSV, field by field.
    #[test]
    fn parquet_holds_what_the_rows_hold(rows in prop::collection::vec(
        (any::<Option<u64>>(), any::<Option<i64>>(), any::<Option<f64>>(), any::<Option<bool>>(), "[ -~é\n]{0,8}"), 0..300
    )) {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["count", "signed", "number", "truth", "text"]).unwrap();
        for (count, signed, number, truth, text) in &rows {
            let number = number.map(|value| format!("{value:?}"));
            let fields = [count.map(|v| v.to_string()), signed.map(|v| v.to_string()), number, truth.map(|v| v.to_string())];
            let fields = fields.into_iter().map(Option::unwrap_or_default).chain([text.clone()]);
            csv.write_record(fields).unwrap();
        }
        let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        let holds = |name: &str| Some(match name {
            "count" => Holds::Count,
            "signed" => Holds::Signed,
            "number" => Holds::Number,
            "truth" => Holds::Truth,
            _ => Holds::Text,
        });
        let frame = converted(&csv, holds).unwrap();
        prop_assert_eq!(frame.height(), rows.len());
        for (at, (count, signed, number, truth, text)) in rows.iter().enumerate() {
            let row = frame.get(at).unwrap();
            prop_assert_eq!(&row[0], &count.map_or(AnyValue::Null, AnyValue::UInt64));
            prop_assert_eq!(&row[1], &signed.map_or(AnyValue::Null, AnyValue::Int64));
            // Bit by bit: NaN is itself here.
            let bits = |value: &AnyValue<'_>| match value {
                AnyValue::Float64(value) => Some(value.to_bits()),
                _ => None,
            };
            prop_assert_eq!(bits(&row[2]).filter(|_| number.is_none_or(|n| !n.is_nan())), number.map(f64::to_bits).filter(|_| number.is_none_or(|n| !n.is_nan())));
            prop_assert_eq!(&row[3], &truth.map_or(AnyValue::Null, AnyValue::Boolean));
            let text = Some(text.as_str()).filter(|text| !text.is_empty());
            prop_assert_eq!(&row[4], &text.map_or(AnyValue::Null, AnyValue::String));
        }
    }
}
