//! The line in `/etc/hosts` by which curl and a browser on this machine find the sample's site.

/// The host name of the sample's site.
pub const SITE: &str = "whiteboard.test";
const MARK: &str = "# whiteboard-e2e";

/// The file's text with the site at this address, or without the site. All other lines stay as they are.
pub fn with_site(text: &str, address: Option<&str>) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(MARK)).collect();
    let Some(address) = address else { return lines.concat() };
    let ours = format!("{address} {SITE} {MARK}\n");
    // A file whose last line has no end would swallow ours.
    let unended = lines.last().is_some_and(|line| !line.ends_with('\n'));
    if unended {
        lines.push("\n");
    }
    lines.push(&ours);
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "127.0.0.1 localhost\n::1 localhost # whiteboard-e2e is not at the end here\n";

    #[test]
    fn the_site_is_added_replaced_and_taken_away() {
        let first = with_site(OTHERS, Some("10.89.0.2"));
        assert_eq!(first, format!("{OTHERS}10.89.0.2 whiteboard.test # whiteboard-e2e\n"));
        assert_eq!(with_site(&first, Some("10.89.0.2")), first);
        assert_eq!(
            with_site(&first, Some("10.89.0.3")),
            format!("{OTHERS}10.89.0.3 whiteboard.test # whiteboard-e2e\n")
        );
        assert_eq!(with_site(&first, None), OTHERS);
    }

    #[test]
    fn files_without_a_last_line_end_and_empty_ones_work() {
        assert_eq!(
            with_site("127.0.0.1 localhost", Some("1.2.3.4")),
            "127.0.0.1 localhost\n1.2.3.4 whiteboard.test # whiteboard-e2e\n"
        );
        assert_eq!(with_site("", None), "");
        assert_eq!(with_site("127.0.0.1 localhost", None), "127.0.0.1 localhost");
    }
}
