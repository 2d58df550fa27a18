use serde_json::Value;

use super::*;
use crate::made_up::{info_by_arm, metrics_by_arm, sample, traffic};
use crate::plots::palette::{Look, looks};
use crate::plots::{Drawn, PlotTitle, Said};
use crate::timeline::Timeline;

const EVIL: &str = "</script><script>alert(1)</script>";

fn timeline() -> Timeline {
    let mut timeline = Timeline::new(3);
    (0..60).for_each(|second| timeline.push(&sample(second)));
    timeline.finish();
    timeline
}

fn page_of_run() -> Page {
    let (metrics, timeline, traffic) = (metrics_by_arm(), timeline(), traffic());
    let title = PlotTitle { scenario: EVIL.into(), balancer: "random".into(), ..PlotTitle::default() };
    let summary = metrics.summary(&info_by_arm(), &sample(10));
    let drawn = Drawn {
        title: &title,
        metrics: &metrics,
        timeline: &timeline,
        placed: true,
        scaled: true,
        traffic: Some(&traffic),
    };
    run_page(&RunPage { summary: &summary, drawn, command: "herder run chat --seed 42" })
}

/// A page with a chart of each kind, every name of which is hostile.
fn page_of_all() -> Page {
    let names = ["least-tokens", "random", EVIL];
    let looks = looks(&names);
    let wave = |index: usize| {
        let height = |x: u32| libm::sin(f64::from(x) / 9.0 + index as f64) * 3.0 + 9.0;
        (0..200).map(|x| (f64::from(x), height(x))).collect::<Vec<_>>()
    };
    let band = |index: usize| wave(index).iter().map(|(_, y)| Band { low: y - 1.0, high: y + 1.5 }).collect();
    let each = || names.iter().enumerate().map(|(index, name)| (index, (*name).to_owned(), looks[index]));
    let line = |(index, name, look)| Series {
        name,
        look,
        points: wave(index),
        band: band(index),
        steps: index == 2,
    };
    let layer =
        |(index, name, look)| Layer { name, look, heights: wave(index).iter().map(|at| at.1).collect() };
    let bars = |(index, name, look): (usize, String, Look)| {
        let value = |row: usize| (row + index < 4).then_some(5.0 + row as f64 * 2.0 + index as f64);
        let values: Vec<Option<f64>> = (0..4).map(value).collect();
        let bands =
            values.iter().map(|value| value.map(|value| Band { low: value - 0.5, high: value + 0.7 }));
        Bars { name, look, bands: bands.collect(), values }
    };
    let dot = |(index, name, look): (usize, String, Look)| Dot {
        name,
        look,
        at: (1.0 + index as f64, 900.0 - 200.0 * index as f64),
        in_front: index != 1,
    };
    let said = [Said::Better, Said::Unclear, Said::Worse];
    let interval = |(index, name, _): (usize, String, Look)| {
        let value = index as f64 * 4.0 - 3.0;
        let known = Band { low: value - 2.0, high: value + 1.5 };
        Interval { name, value: (index != 1).then_some((value, known)), said: said[index] }
    };
    let heat = Heat {
        rows: names.map(str::to_owned).into(),
        span: (0.0, 3_600.0),
        cells: (0..3).map(|index| wave(index).iter().map(|at| at.1 * 8.0).collect()).collect(),
        most: 100.0,
    };
    let mark = Mark { name: "objective".into(), at: 10.0, on_x: false, look: Look::at(4) };
    let count = || Axis::counts("requests", Unit::Number("requests/s".into()));
    let chart = |title: &str, x: Axis, y: Axis, kind: Kind| Chart {
        title: title.into(),
        about: format!("What {title} tell."),
        x,
        y,
        kind,
    };
    let rows = ["mean", "p50 of a name that is rather long", "p99", EVIL].map(str::to_owned);
    let cost = Axis::values("cost, less is better", Unit::default());
    let late = Axis::values("TTFT p99, less is better", Unit::Millis);
    let charts = vec![
        chart("lines", Axis::time(), count(), Kind::Lines(each().map(line).collect(), vec![mark])),
        chart("areas", Axis::time(), count(), {
            Kind::Stacked(wave(0).iter().map(|at| at.0).collect(), each().map(layer).collect())
        }),
        chart("bars", Axis::default(), count(), Kind::Bars(rows.into(), each().map(bars).collect())),
        chart("dots", cost, late, Kind::Scatter(each().map(dot).collect())),
        chart("intervals", Axis::default(), Axis::counts("difference from base", Unit::Percent), {
            Kind::Intervals(each().map(interval).collect())
        }),
        chart("cells", Axis::time(), Axis::counts("busy", Unit::Percent), Kind::Heat(heat)),
    ];
    let table = Table {
        caption: "Every tone".into(),
        columns: vec![Column::words("arm"), Column::figures("p99", "ms"), Column::words("said")],
        rows: vec![
            vec![EVIL.into(), Cell::toned("12.3", Tone::Strong), Cell::toned("better", Tone::Good)],
            vec!["random".into(), Cell::toned("–", Tone::Quiet), Cell::toned("worse", Tone::Bad)],
        ],
        note: "A note.".into(),
    };
    Page {
        title: "Every kind".into(),
        under: EVIL.into(),
        warning: "Something is wrong.".into(),
        cards: vec![Card::new("Goodput", "12.3 requests/s", "of 13")],
        sections: vec![Section {
            text: vec!["First.".into(), "- an item".into(), format!("- {EVIL}")],
            charts,
            tables: vec![table],
            ..Section::new("Charts")
        }],
        command: format!("herder run '{EVIL}'"),
    }
}

/// The data of each chart.
fn data(html: &str) -> Vec<Value> {
    let parts = html.split("<script type=\"application/json\">").skip(1);
    let json = parts.map(|part| part.split_once("</script>").expect("data has its end").0);
    json.map(|json| serde_json::from_str(json).expect("data is JSON")).collect()
}

#[test]
fn names_from_outside_stay_text() {
    for page in [page_of_run(), page_of_all()] {
        let html = render(&page);
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, data(&html).len() + 1, "no script but the data of charts and ours");
        assert_eq!(html.matches("</script").count(), scripts);
        assert!(!html.contains("alert(1)</script>"));
        assert!(html.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
    }
    let html = render(&page_of_all());
    assert_eq!(data(&html)[0]["series"][2]["name"], EVIL, "and read as they were");
}

#[test]
fn a_page_needs_nothing_else_and_stays_small() {
    for page in [page_of_run(), page_of_all()] {
        let html = render(&page);
        for outside in ["src=", "href=\"http", "@import", "fetch(", "import("] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.split("url(").skip(1).all(|named| named.starts_with('#')), "what is named stands here");
        assert!(html.len() < 300_000, "{} bytes", html.len());
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    const EMPTY: [&str; 2] = ["meta", "!DOCTYPE"];
    for page in [page_of_run(), page_of_all()] {
        let html = render(&page);
        let mut open: Vec<&str> = Vec::new();
        let mut rest = html.as_str();
        while let Some((_, after)) = rest.split_once('<') {
            let (tag, body) = after.split_once('>').expect("a tag ends");
            let name = tag.split([' ', '\n']).next().unwrap_or_default();
            rest = body;
            if let Some(closed) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "at {tag}");
            } else if !EMPTY.contains(&name) {
                open.push(name);
                if matches!(name, "script" | "style") {
                    rest = &body[body.find(&format!("</{name}")).expect("it is closed")..];
                }
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_run_has_its_charts_beside_its_tables() {
    let page = page_of_run();
    let of = |heading: &str| {
        let section = page.sections.iter().find(|section| section.heading == heading);
        let section = section.unwrap_or_else(|| panic!("no section {heading}"));
        (section.charts.len(), section.tables.len())
    };
    assert_eq!(of("Latencies"), (2, 1));
    assert_eq!(of("Throughput"), (4, 1));
    assert_eq!(of("Models"), (1, 1));
    assert_eq!(of("Hosts, busiest first"), (2, 1));
    assert_eq!(of("Transfers"), (1, 0));
    assert_eq!((of("Arms"), of("What ran")), ((0, 1), (0, 1)));
    let html = render(&page);
    for told in ["One run is one sample", "herder run chat --seed 42", "9f2c", "disks read 3 GB/s"] {
        assert!(html.contains(told), "{told}");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert!(render(&page_of_run()) == render(&page_of_run()));
}

#[test]
fn lines_carry_their_values_rounded_and_their_peak() {
    let mut points: Vec<(f64, f64)> = (0..50_000).map(|x| (f64::from(x), 1.0 / 3.0)).collect();
    points[31_234].1 = 77.0;
    let series = Series { points, ..Series::default() };
    let json = Kind::Lines(vec![series], Vec::new()).json();
    let heights = json["series"][0]["y"].as_array().unwrap();
    assert!(heights.len() <= 2_000 && heights.contains(&Value::from(77)), "{} points", heights.len());
    assert_eq!(heights[0], 0.3333);
}

#[test]
fn a_run_without_samples_or_requests_has_a_page() {
    let metrics = crate::metrics::Metrics::new(crate::made_up::spec());
    let summary = metrics.summary(&crate::summary::RunInfo::default(), &traces::record::Sample::default());
    let title = PlotTitle::default();
    let timeline = Timeline::new(0);
    let drawn = Drawn {
        title: &title,
        metrics: &metrics,
        timeline: &timeline,
        placed: false,
        scaled: false,
        traffic: None,
    };
    let html = render(&run_page(&RunPage { summary: &summary, drawn, command: "" }));
    assert!(!html.contains("NaN") && html.contains("no request finished after the warm-up"));
}

#[test]
fn it_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    write(&path, &page_of_all()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), render(&page_of_all()));
    assert!(write(&folder.path().join("none/report.html"), &Page::default()).is_err());
}
