//! How many files and sockets this process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are for other than clients: the database, pipes, ports, backups, exports.
const RESERVE: u64 = 128;

/// Raises the limit of open files as far as the system lets an ordinary process. Returns it.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let maximum = limit.maximum.unwrap_or(u64::MAX);
    if current < maximum && setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_err() {
        return current;
    }
    maximum.max(current)
}

/// Connections that fit under a limit of open files, of those wished for: running out of descriptors would keep even
/// health checks from being answered.
pub fn affordable(wished: usize, limit: u64) -> usize {
    let most = usize::try_from(limit.saturating_sub(RESERVE).max(limit / 2)).unwrap_or(usize::MAX);
    wished.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_limit_of_files() {
        for (wished, limit, expected) in [
            (2000, 1_048_576, 2000),
            (2000, 1024, 896),
            (2000, 200, 100),
            (10, 200, 10),
            (2000, 0, 0),
            (usize::MAX, u64::MAX, usize::try_from(u64::MAX - RESERVE).unwrap()),
        ] {
            assert_eq!(affordable(wished, limit), expected, "{wished} under {limit}");
        }
    }

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let raised = raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
        assert_eq!(limit.maximum.unwrap_or(u64::MAX), raised);
    }
}
