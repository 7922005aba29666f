//! Lines that fill surfaces.

use super::pen::Pen;
use super::{FillStyle, Purpose, Set};
use crate::render::geometry::{Point, at};

/// The direction of the lines, in degrees.
const ANGLE: f64 = -41.0;

/// More lines than this are not drawn: the surface is filled whole in their place.
const MOST_LINES: usize = 20_000;

/// How often rows look at edges; the surface is filled whole where that is not enough.
const MOST_LOOKS: usize = 4_000_000;

/// As many rows as are looked at to find lines.
const MOST_ROWS: f64 = 200_000.0;

/// Fills polygons with lines.
pub fn hatching(polygons: &[Vec<Point>], style: FillStyle, pen: &mut Pen<'_>) -> Set {
    let gap = pen.options.gap.max(0.1);
    let Some(lines) = lines(polygons, ANGLE, gap, pen) else { return whole(polygons) };
    let mut ops = Vec::new();
    if style == FillStyle::Zigzag {
        let angle = ANGLE.to_radians();
        let aside = at(gap * 0.5 * angle.cos(), -gap * 0.5 * angle.sin());
        for (from, to) in lines {
            if from != to {
                pen.hatching_line(from.minus(aside), to, &mut ops);
                pen.hatching_line(from.plus(aside), to, &mut ops);
            }
        }
        return Set { purpose: Purpose::Hatching, ops };
    }
    for (from, to) in lines {
        pen.hatching_line(from, to, &mut ops);
    }
    if style == FillStyle::CrossHatch {
        let Some(lines) = self::lines(polygons, ANGLE + 90.0, gap, pen) else { return whole(polygons) };
        for (from, to) in lines {
            pen.hatching_line(from, to, &mut ops);
        }
    }
    Set { purpose: Purpose::Hatching, ops }
}

fn whole(polygons: &[Vec<Point>]) -> Set {
    let ops = polygons.iter().flat_map(|polygon| {
        polygon.iter().enumerate().map(
            |(place, &point)| {
                if place == 0 { super::Op::Move(point) } else { super::Op::Line(point) }
            },
        )
    });
    Set { purpose: Purpose::Surface, ops: ops.collect() }
}

/// The lines of one direction; `None` if they would be too many.
fn lines(polygons: &[Vec<Point>], angle: f64, gap: f64, pen: &mut Pen<'_>) -> Option<Vec<(Point, Point)>> {
    let step = if pen.options.roughness >= 1.0 && pen.chance() > 0.7 { gap } else { 1.0 };
    // Turned so that the lines lie flat, and back at the end.
    let turn = (angle + 90.0).to_radians();
    let centre = Point::default();
    let turned: Vec<Vec<Point>> =
        polygons.iter().map(|polygon| polygon.iter().map(|point| point.turned(centre, turn)).collect()).collect();
    let back = |point: Point| point.turned(centre, -turn);
    Some(flat_lines(&turned, gap, step)?.into_iter().map(|(from, to)| (back(from), back(to))).collect())
}

#[derive(Clone, Copy)]
struct Edge {
    top: f64,
    bottom: f64,
    x: f64,
    slope: f64,
}

/// Where rows lie within polygons: each row between its first and second edge, third and fourth, and so on. Steps
/// other than 1 are rows one after the other; with steps of 1 only each `gap`th row counts.
fn flat_lines(polygons: &[Vec<Point>], gap: f64, step: f64) -> Option<Vec<(Point, Point)>> {
    let mut edges = edges(polygons);
    let mut lines = Vec::new();
    let (Some(first), Some(bottom)) =
        (edges.first().map(|edge| edge.top), edges.iter().map(|edge| edge.bottom).reduce(f64::max))
    else {
        return Some(lines);
    };
    let rows = (bottom - first) / step;
    if rows.is_nan() || rows >= MOST_ROWS {
        return None;
    }
    edges.reverse();
    let mut active: Vec<Edge> = Vec::new();
    let (mut y, mut row) = (first, 0.0_f64);
    let mut looks = 0;
    while !active.is_empty() || !edges.is_empty() {
        while edges.last().is_some_and(|edge| edge.top <= y) {
            active.extend(edges.pop());
        }
        active.retain(|edge| edge.bottom > y);
        looks += active.len();
        if looks > MOST_LOOKS {
            return None;
        }
        active.sort_by(|a, b| a.x.total_cmp(&b.x));
        if step != 1.0 || row % gap == 0.0 {
            for pair in active.chunks_exact(2) {
                lines.push((at(rounded(pair[0].x), y), at(rounded(pair[1].x), y)));
            }
            if lines.len() > MOST_LINES {
                return None;
            }
        }
        y += step;
        for edge in &mut active {
            edge.x += step * edge.slope;
        }
        row += 1.0;
    }
    Some(lines)
}

/// The sides of polygons that are not flat, from the top downwards.
fn edges(polygons: &[Vec<Point>]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for polygon in polygons {
        let (Some(first), Some(last)) = (polygon.first(), polygon.last()) else { continue };
        let closing = (first != last).then_some(first);
        let corners: Vec<Point> = polygon.iter().chain(closing).copied().collect();
        if corners.len() < 3 {
            continue;
        }
        for pair in corners.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if a.y != b.y {
                let top = if a.y < b.y { a } else { b };
                edges.push(Edge { top: top.y, bottom: a.y.max(b.y), x: top.x, slope: (b.x - a.x) / (b.y - a.y) });
            }
        }
    }
    edges.sort_by(|a, b| a.top.total_cmp(&b.top).then(a.x.total_cmp(&b.x)).then(a.bottom.total_cmp(&b.bottom)));
    edges
}

/// As JavaScript rounds: halves upwards.
fn rounded(number: f64) -> f64 {
    (number + 0.5).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_look_at_edges_only_so_often() {
        // Edges from top to bottom, side by side: each row meets all of them.
        let comb = |edges: u32, height: f64| -> Vec<Point> {
            (0..edges).map(|n| at(f64::from(n), if n % 2 == 0 { 0.0 } else { height })).collect()
        };
        for (edges, height, is_drawn) in [(4, 100_000.0, true), (400, 1_000.0, true), (400, 100_000.0, false)] {
            // A gap that few rows are multiples of: there are never too many lines.
            let lines = flat_lines(&[comb(edges, height)], 7.000_1, 1.0);
            assert_eq!(lines.is_some(), is_drawn, "{edges} edges of {height} pixels");
        }
    }
}
