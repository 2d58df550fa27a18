use super::compared::{differences_figure, pareto_figure};
use super::figure::{Anchor, Figure, HEIGHT, Shape, WIDTH};
use super::*;
use crate::made_up::{metrics, sample, spec, traffic};
use crate::metrics::MetricsSpec;

fn title() -> PlotTitle {
    PlotTitle {
        scenario: "a<b & c".into(),
        balancer: "random".into(),
        scheduler: "fifo".into(),
        placement: Some("greedy".into()),
        seed: 1,
    }
}

fn timeline(hosts: u32, samples: u64) -> Timeline {
    let mut timeline = Timeline::new(hosts as usize);
    for second in 0..samples {
        let mut sample = sample(second);
        let one = sample.hosts[1].clone();
        sample.hosts = (0..hosts)
            .map(|id| traces::record::HostSample { host: control::ids::HostId(id), ..one.clone() })
            .collect();
        timeline.push(&sample);
    }
    timeline.finish();
    timeline
}

/// Every figure of a run that has them all.
fn all_figures(metrics: &Metrics, timeline: &Timeline) -> Vec<Figure> {
    let (title, traffic) = (title(), traffic());
    let run = Drawn { title: &title, metrics, timeline, placed: true, scaled: true, traffic: Some(&traffic) };
    figures(&run).into_iter().map(|(_, figure)| figure).collect()
}

/// Left, top, right, bottom of every text.
fn boxes(figure: &Figure) -> Vec<(f64, f64, f64, f64, String)> {
    let texts = figure.shapes.iter().filter_map(|shape| match shape {
        Shape::Text { at, text, style } => Some((at, text, style)),
        _ => None,
    });
    texts
        .map(|((x, y), text, style)| {
            let width = font::width(text, style.size, style.bold);
            let start = match style.anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => -width / 2.0,
                Anchor::End => -width,
            };
            let half = style.size * 0.45;
            if style.upwards {
                (x - half, y - start - width, x + half, y - start, text.clone())
            } else {
                (x + start, y - half, x + start + width, y + half, text.clone())
            }
        })
        .collect()
}

#[test]
fn no_text_touches_another_or_leaves_the_picture() {
    let long = MetricsSpec {
        hosts: (0..200)
            .map(|id| format!("a-host-with-a-rather-long-name-in-rack-{id}.example.org"))
            .collect(),
        models: vec!["a-model-with-a-rather-long-name:70b-instruct-fp16-and-then-some".repeat(2); 2],
        ..MetricsSpec::default()
    };
    let (made_up, empty, long) = (metrics(), Metrics::new(spec()), Metrics::new(long));
    for (hosts, samples) in [(0, 0), (1, 1), (3, 2), (8, 100), (16, 40), (17, 3), (64, 9), (100, 2_000)] {
        let timeline = timeline(hosts, samples);
        for figure in
            [&made_up, &empty, &long].into_iter().flat_map(|metrics| all_figures(metrics, &timeline))
        {
            let boxes = boxes(&figure);
            for (index, a) in boxes.iter().enumerate() {
                assert!(a.0 >= 0.0 && a.1 >= 0.0 && a.2 <= WIDTH && a.3 <= HEIGHT, "{hosts} hosts: {a:?}");
                for b in &boxes[index + 1..] {
                    let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                    assert!(apart, "{}, {hosts} hosts, {samples} samples: {a:?} on {b:?}", figure.title);
                }
            }
        }
    }
}

fn chart(scales: &[f64], crossover: Option<f64>) -> ScalingChart {
    let curve = |label: &str, each: f64| ScalingCurve {
        label: label.into(),
        points: scales
            .iter()
            .map(|&scale| {
                let seconds = each * scale;
                ScalingPoint { scale, seconds, low: seconds * 0.9, high: seconds * 1.1 }
            })
            .collect(),
    };
    ScalingChart {
        name: "queue".into(),
        title: "Queue: push and pop".into(),
        under: "five seeds".into(),
        scale: "queued requests".into(),
        curves: vec![curve("baseline", 1e-9), curve("optimised", 3e-9)],
        crossover,
    }
}

#[test]
fn texts_of_a_scaling_chart_stand_apart_whatever_the_scales() {
    for scales in [&[][..], &[10.0], &[10.0, 100.0], &[8.0, 100.0, 1e3, 1e4, 1e5], &[1.0, 1e9]] {
        for crossover in [None, Some(9.0), Some(9e4)] {
            let boxes = boxes(&scaling::figure(&chart(scales, crossover)));
            for (index, a) in boxes.iter().enumerate() {
                assert!(a.0 >= 0.0 && a.1 >= 0.0 && a.2 <= WIDTH && a.3 <= HEIGHT, "{scales:?}: {a:?}");
                for b in &boxes[index + 1..] {
                    let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                    assert!(apart, "{scales:?}, {crossover:?}: {a:?} on {b:?}");
                }
            }
        }
    }
}

#[test]
fn a_scaling_chart_says_where_the_last_form_begins_to_win() {
    let with = |crossover| scaling(&chart(&[10.0, 100.0, 1e4], crossover)).svg;
    assert!(with(Some(1_234.4)).contains("wins from about 1,234"));
    assert!(!with(None).contains("wins"));
}

#[test]
fn the_same_run_draws_the_same_bytes() {
    let (metrics, timeline) = (metrics(), timeline(3, 20));
    let (once, again) = (all_figures(&metrics, &timeline), all_figures(&metrics, &timeline));
    assert!(once.iter().map(render::svg).eq(again.iter().map(render::svg)));
    assert!(render::png(&once[3]) == render::png(&again[3]));
}

#[test]
fn plots_are_written_whole_and_escape_what_xml_needs() {
    let dir = tempfile::tempdir().unwrap();
    let (title, metrics, timeline, traffic) = (title(), metrics(), timeline(3, 20), traffic());
    let run = Drawn {
        title: &title,
        metrics: &metrics,
        timeline: &timeline,
        placed: true,
        scaled: true,
        traffic: Some(&traffic),
    };
    let paths = write(dir.path(), &run).unwrap();
    assert_eq!(paths.len(), 14);
    let plain = Drawn { placed: false, scaled: false, traffic: None, ..run };
    let names: Vec<&str> = figures(&plain).iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["latency", "throughput", "hosts", "residency"],
        "no more where nothing is placed or moved"
    );
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "svg") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.starts_with("<svg width=\"1280\" height=\"720\"") && text.ends_with("</svg>\n"));
            assert!(text.contains("a&lt;b &amp; c") && !text.contains("a<b"));
        } else {
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let ink = pixels.iter().filter(|value| **value < 128).count();
            assert!(ink > 3_000, "{} has only {ink} dark values", path.display());
        }
    }
}

#[test]
fn models_without_a_row_of_their_own_share_one() {
    let mut timeline = Timeline::new(2);
    for second in 0..5 {
        let mut sample = sample(second);
        sample.hosts.truncate(2);
        for host in &mut sample.hosts {
            host.loaded = (0..40).map(|id| (control::ids::ModelId(id), control::units::Bytes(1))).collect();
        }
        timeline.push(&sample);
    }
    let figure = replicas::figure("", &spec(), &timeline);
    let texts: Vec<String> = boxes(&figure).into_iter().map(|(.., text)| text).collect();
    assert!(texts.contains(&"16 more, mean of them".to_owned()), "{texts:?}");
    assert!(texts.contains(&"model-23".to_owned()) && !texts.contains(&"model-24".to_owned()));
}

#[test]
fn rates_of_any_size_have_labels_inside_the_picture() {
    for (factor, unit) in [(1, "Gbit/s"), (100, "Gbit/s"), (1_000, "Tbit/s"), (1_000_000, "Tbit/s")] {
        let mut traffic = traffic();
        traffic.bins.iter_mut().for_each(|bin| bin.bytes[0] *= factor);
        let boxes = boxes(&transfers::figure("", &traffic));
        assert!(boxes.iter().all(|of| of.0 >= 0.0), "{factor}: {boxes:?}");
        assert!(boxes.iter().any(|(.., text)| text == unit), "{factor}: {boxes:?}");
    }
}

#[test]
fn transfers_of_nothing_say_so() {
    let figure = transfers::figure("", &Traffic::default());
    assert_eq!(boxes(&figure).iter().filter(|(.., text)| text == "nothing was moved").count(), 2);
}

#[test]
fn rates_add_up_to_what_the_counters_grew() {
    let timeline = timeline(3, 700);
    let points = timeline.points();
    let (from, to) = throughput::span(points);
    let middle = f64::midpoint(from, to);
    let arrived = |at| throughput::between(points, at, |point| point.arrived);
    assert!((arrived(middle) - middle * 2.0).abs() < 1e-6);
    assert_eq!((arrived(-1.0), arrived(to + 1.0)), (0.0, 699.0 * 2.0));
}

#[test]
fn comparisons_stay_inside_whatever_is_compared() {
    let mark = |percent, said| Mark { percent, said };
    let column = |name: &str, scale: f64| MeasureColumn {
        name: name.into(),
        direction: "less is better".into(),
        marks: vec![
            mark(None, Said::Baseline),
            mark(Some([-3.0 * scale, -4.5 * scale, -1.5 * scale]), Said::Better),
            mark(Some([0.5 * scale, -scale, 2.0 * scale]), Said::Unclear),
            mark(None, Said::Unclear),
        ],
    };
    let chart = DifferencesChart {
        title: "Differences from a name that is very long for an arm".into(),
        under: "a<b · seeds 1 to 10 · 95 %".into(),
        arms: ["base", "another=long scheduler=shortest-job hosts=1024", "c", "d"]
            .map(str::to_owned)
            .to_vec(),
        measures: vec![column("TTFT mean", 1.0), column("end to end p99", 40.0), column("goodput", 0.001)],
    };
    let point = |name: &str, at| ParetoPoint { name: name.into(), at, on_front: true };
    let front = ParetoChart {
        under: chart.under.clone(),
        x: "cost, less is better".into(),
        y: "TTFT p99 [ms], less is better".into(),
        points: vec![
            point("left", (1.0, 900.0)),
            point("the same", (1.0, 900.0)),
            point("right", (3.0, 200.0)),
        ],
    };
    let empty = [differences_figure(&DifferencesChart::default()), pareto_figure(&ParetoChart::default())];
    let drawn = [differences_figure(&chart), pareto_figure(&front)];
    for figure in drawn.iter().chain(&empty) {
        for (left, top, right, bottom, text) in boxes(figure) {
            let inside = left >= 0.0 && top >= 0.0 && right <= WIDTH && bottom <= HEIGHT;
            assert!(inside, "{text:?} of {} leaves the page: {left} to {right}", figure.title);
        }
    }
    assert_eq!(differences(&chart).png[..4], *b"\x89PNG");
    assert!(pareto(&front).svg.contains("the same"));
}

#[test]
fn curves_and_rows_stay_inside_whatever_they_show() {
    let point = |x: f64, y: f64, framed| CurvePoint { at: (x, y), known: Some((y * 0.9, y * 1.1)), framed };
    let curve =
        |name: &str, index, points| Curve { name: name.into(), look: palette::Look::at(index), points };
    let with = |scale: f64| CurvesChart {
        name: "curve".into(),
        title: "TTFT p95 by hosts".into(),
        under: "chat · 60 users · 5 seeds".into(),
        x: "hosts".into(),
        y: "TTFT p95 of all arrivals [ms]".into(),
        curves: vec![
            curve(
                "rtx-4090, 2 slots: 4 hosts",
                0,
                vec![point(1.0, 9.0 * scale, false), point(4.0, 8.0, true)],
            ),
            curve(&"a name that is long ".repeat(9), 9, vec![point(4.0, 8.0, false), point(64.0, 1.0, true)]),
        ],
        bounds: vec![("objective 1000 ms".into(), 1_000.0)],
    };
    let row = |name: &str, value: Option<f64>| RowMark {
        name: name.into(),
        look: palette::Look::at(2),
        value,
        known: value.map(|value| (value - 3.0, value + 3.0)),
        told: value.map_or("no bound".into(), |value| format!("{value} ms")),
    };
    let rows = RowsChart {
        name: "rows".into(),
        title: "What balancer does".into(),
        under: "chat".into(),
        x: "TTFT p99 [ms], less is better".into(),
        rows: vec![row(&"long ".repeat(60), Some(812.0)), row("b", None), row("c", Some(-4.0))],
    };
    let many = RowsChart {
        rows: (0..40).map(|index| row("many", Some(f64::from(index)))).collect(),
        ..rows.clone()
    };
    let drawn = [
        curves::curves_figure(&with(1.0)),
        curves::curves_figure(&with(1e6)),
        curves::curves_figure(&CurvesChart::default()),
        rows::rows_figure(&rows),
        rows::rows_figure(&many),
        rows::rows_figure(&RowsChart::default()),
    ];
    for figure in &drawn {
        for (left, top, right, bottom, text) in boxes(figure) {
            let inside = left >= 0.0 && top >= 0.0 && right <= WIDTH && bottom <= HEIGHT;
            assert!(inside, "{text:?} of {} leaves the page: {left} to {right}", figure.title);
        }
    }
    assert!(boxes(&drawn[4]).iter().any(|(.., text)| text == "16 more"));
    assert!(super::curves(&with(1.0)).svg.contains("rtx-4090, 2 slots: 4 hosts"));
    assert_eq!(super::rows(&rows).png[..4], *b"\x89PNG");
}
