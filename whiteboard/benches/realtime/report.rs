//! The table for people and the line for programs.

use serde_json::{Map, Value};

/// A row of the table.
pub struct Row {
    what: String,
    target: &'static str,
    measured: String,
    met: Option<bool>,
}

/// Everything that was found.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    values: Map<String, Value>,
}

/// A number as people read it.
pub fn number(value: f64) -> String {
    match value {
        large if large >= 1e6 => format!("{:.2} M", large / 1e6),
        large if large >= 1e4 => format!("{:.0} k", large / 1e3),
        large if large >= 100.0 => format!("{large:.0}"),
        small => format!("{small:.2}"),
    }
}

impl Report {
    /// A measured target.
    pub fn target(&mut self, what: &str, target: &'static str, measured: String, met: bool) {
        self.push(Row { what: what.to_owned(), target, measured, met: Some(met) });
    }

    /// Something measured for comparison.
    pub fn peer(&mut self, what: &str, measured: String) {
        self.push(Row { what: what.to_owned(), target: "", measured, met: None });
    }

    fn push(&mut self, row: Row) {
        // At once, so that a run that is cut short has shown what it had.
        println!("{}", Self::line(&row));
        self.rows.push(row);
    }

    fn line(row: &Row) -> String {
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        format!("| {:<62} | {:<44} | {:<34} | {met:<6} |", row.what, row.measured, row.target)
    }

    /// A value of the last line.
    pub fn value(&mut self, name: &str, value: f64) {
        // Three decimals are more than any of these mean.
        self.values.insert(name.to_owned(), ((value * 1e3).round() / 1e3).into());
    }

    /// How many targets were missed; prints the line of JSON.
    pub fn finish(mut self) {
        let missed = self.rows.iter().filter(|row| row.met == Some(false)).count();
        println!("\n{} targets measured, {missed} missed", self.rows.iter().filter(|row| row.met.is_some()).count());
        self.values.insert("targets_missed".to_owned(), missed.into());
        println!("{}", Value::Object(self.values));
    }
}
