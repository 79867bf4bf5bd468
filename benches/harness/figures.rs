//! Several runs in one figure, and figures in columns.

pub const NONE: &str = "-";

/// None of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 0 => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        _ => Some(sorted[middle]),
    }
}

/// Median, fastest and slowest.
pub fn spread(seconds: &[f64]) -> String {
    let Some(median) = median(seconds) else { return NONE.to_owned() };
    let fastest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    format!("{median:.3} ({fastest:.2} to {slowest:.2})")
}

/// Lines with cells below each other, the first of them the titles.
pub fn columns<const WIDTH: usize>(lines: &[[String; WIDTH]], between: &str) -> Vec<String> {
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..WIDTH).map(width).collect();
    let line = |cells: &[String; WIDTH]| -> Vec<String> {
        cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect()
    };
    lines.iter().map(|cells| line(cells).join(between)).collect()
}
