//! The cost curves as SVG: seconds and bytes against rows and against differences, both axes logarithmic.

use std::path::Path;

use plotters::prelude::*;

use crate::harness::Result;
use crate::rounds::Measured;
use crate::sets::{HASH, ROWSYNC, STREAM, Set};

const SIZE: (u32, u32) = (920, 440);
const LEGEND_WIDTH: u32 = 220;
const POSTGRES: &str = "PostgreSQL and PostgreSQL";
/// Of the curve against rows.
pub const DIFFERING: u64 = 100;

/// The curves that can be drawn of what was measured: with two points and more. Returns the names of their files.
pub fn draw(directory: &Path, sets: &[Set], rows: u64) -> Result<Vec<&'static str>> {
    let against_rows: Vec<&Set> =
        sets.iter().filter(|set| set.between == POSTGRES && set.differing == DIFFERING).collect();
    let against_differences: Vec<&Set> =
        sets.iter().filter(|set| set.between == POSTGRES && set.rows == rows && set.differing > 0).collect();
    let by_rows = |set: &Set| set.rows as f64;
    let by_differences = |set: &Set| set.differing as f64;
    let charts = [
        Chart {
            file: "compare-seconds-rows.svg",
            title: format!("Seconds to find {DIFFERING} differences"),
            x: "rows",
            y: "seconds",
            lines: seconds(&against_rows, by_rows),
        },
        Chart {
            file: "compare-bytes-rows.svg",
            title: format!("Bytes on the wire to one side, {DIFFERING} differences"),
            x: "rows",
            y: "bytes",
            lines: bytes(&against_rows, by_rows),
        },
        Chart {
            file: "compare-seconds-differences.svg",
            title: format!("Seconds to compare {rows} rows"),
            x: "differing rows",
            y: "seconds",
            lines: seconds(&against_differences, by_differences),
        },
        Chart {
            file: "compare-bytes-differences.svg",
            title: format!("Bytes on the wire to one side, {rows} rows"),
            x: "differing rows",
            y: "bytes",
            lines: bytes(&against_differences, by_differences),
        },
    ];
    let mut drawn = Vec::new();
    for chart in charts.iter().filter(|chart| chart.lines.iter().any(|line| line.points.len() > 1)) {
        chart.draw(directory)?;
        drawn.push(chart.file);
    }
    Ok(drawn)
}

struct Chart {
    file: &'static str,
    title: String,
    x: &'static str,
    y: &'static str,
    lines: Vec<Curve>,
}

struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

fn seconds(sets: &[&Set], x: impl Fn(&Set) -> f64) -> Vec<Curve> {
    let names = [ROWSYNC, HASH, STREAM, "pg_comparator", "reladiff, default", "reladiff, tuned"];
    let point = |set: &&Set, name: &str| Some((x(set), set.of(name).and_then(Measured::wall_median)?));
    let curve = |name| Curve { name, points: sorted(sets.iter().filter_map(|set| point(set, name))) };
    names.into_iter().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

fn bytes(sets: &[&Set], x: impl Fn(&Set) -> f64) -> Vec<Curve> {
    vec![Curve { name: ROWSYNC, points: sorted(sets.iter().filter_map(|set| Some((x(set), set.bytes? as f64)))) }]
}

fn sorted(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut points: Vec<_> = points.collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

impl Chart {
    fn draw(&self, directory: &Path) -> Result<()> {
        let file = directory.join(self.file);
        let all = SVGBackend::new(&file, SIZE).into_drawing_area();
        all.fill(&WHITE)?;
        // Beside the chart, since no corner of it is always free.
        let (area, legend) = all.split_horizontally(SIZE.0 - LEGEND_WIDTH);
        let (x, y) = (self.extent(|point| point.0), self.extent(|point| point.1));
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        let label = |value: &f64| plain(*value);
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .light_line_style(WHITE)
            .draw()?;
        for (place, line) in self.lines.iter().enumerate() {
            let style = COLORS[place % COLORS.len()].stroke_width(if line.name == ROWSYNC { 3 } else { 1 });
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))?;
            let height = 60 + 20 * place as i32;
            legend.draw(&PathElement::new([(0, height), (24, height)], style))?;
            legend.draw(&Text::new(line.name, (32, height - 6), ("sans-serif", 13)))?;
        }
        Ok(all.present()?)
    }

    /// From below the smallest to above the largest, so that no point lies on the frame.
    fn extent(&self, of: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = || self.lines.iter().flat_map(|line| &line.points).map(&of);
        (values().fold(f64::INFINITY, f64::min) / 1.3, values().fold(0.0, f64::max) * 1.3)
    }
}

/// Told apart also by those who see few colours, on white.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 90, 181),
    RGBColor(110, 110, 110),
    RGBColor(170, 170, 170),
    RGBColor(220, 50, 32),
    RGBColor(230, 159, 0),
    RGBColor(140, 86, 160),
];

/// 1000000 as 1,000,000, and small numbers with the digits that they need.
fn plain(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let grouped: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    grouped.join(",")
}
