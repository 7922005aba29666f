//! CONTRACTS.md names tests that exist, and has a row for every rule of PROTOCOL.md.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_test_that_is_named_exists() {
    let contracts = read("CONTRACTS.md");
    let named: BTreeSet<(&str, &str)> = contracts.split('`').filter_map(|word| word.split_once(".rs::")).collect();
    assert!(named.len() > 50, "{}", named.len());
    for (file, test) in named {
        let source = read(&format!("{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{file}.rs has no test {test}");
    }
}

#[test]
fn every_rule_of_the_protocol_has_a_row() {
    let (contracts, protocol) = (read("CONTRACTS.md"), read("PROTOCOL.md"));
    let rows: BTreeSet<&str> = contracts
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|rules| rules.split(", "))
        .collect();
    let rules: BTreeSet<&str> = protocol.split("**[").skip(1).map(|rest| rest.split("]**").next().unwrap()).collect();
    assert!(rules.len() > 30, "{rules:?}");
    let missing: Vec<&&str> = rules.difference(&rows).collect();
    assert!(missing.is_empty(), "rules without a row: {missing:?}");
}
