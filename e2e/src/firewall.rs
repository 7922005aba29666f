//! What a cluster leaves in the packet filter, found by comparing `iptables-save` before and after.

use std::collections::BTreeSet;

/// A table and the arguments that take one thing back in it.
pub type Undo = (String, Vec<String>);

/// The steps from `after` back to `before`: added rules, then added chains, then policies of built-in chains.
///
/// Only what belongs to container networks is taken away: chains and rules that name `CNI-`, `NETAVARK` or a
/// bridge of Podman. Whatever else somebody added meanwhile is theirs.
pub fn leftovers(before: &str, after: &str) -> Vec<Undo> {
    let (before, after) = (parse(before), parse(after));
    let mut rules = Vec::new();
    let mut chains = Vec::new();
    let mut policies = Vec::new();
    for line in &after {
        if before.contains(line) {
            continue;
        }
        match line {
            Line::Rule { table, words } if words.iter().any(|word| is_ours(word)) => {
                let mut words = words.clone();
                // `-A CHAIN …` adds, `-D CHAIN …` with the same words deletes.
                "-D".clone_into(&mut words[0]);
                rules.push((table.clone(), words));
            }
            Line::Chain { table, name, policy } if policy == "-" && is_ours(name) => {
                chains.push((table.clone(), vec!["-X".to_owned(), name.clone()]));
            }
            Line::Chain { table, name, policy } if policy != "-" => {
                // A table that was not there before had no policies: the kernel's own is to accept.
                let old = before.iter().find_map(|line| match line {
                    Line::Chain { table: t, name: n, policy } if t == table && n == name => Some(policy.clone()),
                    _ => None,
                });
                let old = old.unwrap_or_else(|| "ACCEPT".to_owned());
                if old != *policy {
                    policies.push((table.clone(), vec!["-P".to_owned(), name.clone(), old]));
                }
            }
            _ => {}
        }
    }
    // A chain can be deleted once no rule in it or elsewhere names it.
    rules.into_iter().chain(chains).chain(policies).collect()
}

/// Tables with nothing but built-in chains that accept.
pub fn empty_tables(save: &str) -> BTreeSet<String> {
    let lines = parse(save);
    let table_of = |line: &Line| match line {
        Line::Rule { table, .. } | Line::Chain { table, .. } => table.clone(),
    };
    let used: BTreeSet<String> = lines
        .iter()
        .filter(|line| !matches!(line, Line::Chain { policy, .. } if policy == "ACCEPT"))
        .map(table_of)
        .collect();
    lines.iter().map(table_of).filter(|table| !used.contains(table)).collect()
}

fn is_ours(word: &str) -> bool {
    ["CNI-", "NETAVARK", "cni-podman"].iter().any(|mark| word.starts_with(mark))
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Chain { table: String, name: String, policy: String },
    Rule { table: String, words: Vec<String> },
}

fn parse(save: &str) -> Vec<Line> {
    let mut table = String::new();
    let mut lines = Vec::new();
    for line in save.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            let (Some(name), Some(policy)) = (words.next(), words.next()) else { continue };
            lines.push(Line::Chain { table: table.clone(), name: name.to_owned(), policy: policy.to_owned() });
        } else if line.starts_with("-A ") {
            lines.push(Line::Rule { table: table.clone(), words: words(line) });
        }
    }
    lines
}

/// The words of a rule; comments are quoted and may hold spaces.
fn words(line: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' if quoted => found.last_mut().into_iter().for_each(|word| word.extend(characters.next())),
            ' ' if !quoted => found.push(String::new()),
            other => found.last_mut().into_iter().for_each(|word| word.push(other)),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [5:6]\n:MINE - [0:0]\n-A FORWARD -j MINE\nCOMMIT\n";

    fn said(undo: &[Undo]) -> Vec<String> {
        undo.iter().map(|(table, words)| format!("{table}: {}", words.join(" "))).collect()
    }

    #[test]
    fn nothing_is_taken_back_where_nothing_changed_but_counters() {
        assert_eq!(leftovers(BEFORE, &BEFORE.replace("[5:6]", "[7:8]")), []);
        assert_eq!(leftovers("", ""), []);
    }

    #[test]
    fn rules_go_before_their_chains() {
        let after = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:CNI-ADMIN - [0:0]\n:CNI-FORWARD - [0:0]\n:MINE - [0:0]\n\
            -A FORWARD -m comment --comment \"CNI firewall plugin rules\" -j CNI-FORWARD\n-A FORWARD -j MINE\n\
            -A CNI-FORWARD -j CNI-ADMIN\nCOMMIT\n";
        assert_eq!(
            said(&leftovers(BEFORE, after)),
            [
                "filter: -D FORWARD -m comment --comment CNI firewall plugin rules -j CNI-FORWARD",
                "filter: -D CNI-FORWARD -j CNI-ADMIN",
                "filter: -X CNI-ADMIN",
                "filter: -X CNI-FORWARD",
            ]
        );
    }

    #[test]
    fn what_somebody_else_added_meanwhile_stays() {
        let after = BEFORE.replace("COMMIT", ":THEIRS - [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT");
        assert_eq!(leftovers(BEFORE, &after), []);
    }

    #[test]
    fn a_changed_policy_goes_back() {
        let after = BEFORE.replace("FORWARD ACCEPT", "FORWARD DROP");
        assert_eq!(said(&leftovers(BEFORE, &after)), ["filter: -P FORWARD ACCEPT"]);
        assert_eq!(said(&leftovers("", "*nat\n:OUTPUT DROP [0:0]\nCOMMIT\n")), ["nat: -P OUTPUT ACCEPT"]);
    }

    #[test]
    fn quoted_words_keep_their_spaces_and_quotes() {
        assert_eq!(
            words(r#"-A X --comment "name: \"kind\" id: 1" -j Y"#),
            ["-A", "X", "--comment", "name: \"kind\" id: 1", "-j", "Y"]
        );
    }

    #[test]
    fn empty_tables_are_those_without_rules_and_own_chains() {
        let save = "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n*mangle\n:MINE - [0:0]\nCOMMIT\n";
        assert_eq!(empty_tables(save), BTreeSet::from(["nat".to_owned()]));
    }
}
