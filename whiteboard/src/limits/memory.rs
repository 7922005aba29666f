//! How much memory this process may use, and how much of it what clients make grow may take.
//!
//! A container that takes more than its limit is killed with everybody's connections. So whatever many clients can make
//! large at the same time has a bound that follows that limit.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;

/// The memory that the process may use; `None` where the system does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(Option<u64>);

impl Memory {
    /// What the system says now: the tightest limit of the control groups that this process is in, or the machine's memory.
    pub fn of_system() -> Self {
        let read = |path: &Path| read_to_string(path).ok();
        let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
        let limits: Vec<String> = limit_files(&groups).iter().filter_map(|file| read(file)).collect();
        Self::told(&limits, &read(Path::new("/proc/meminfo")).unwrap_or_default())
    }

    /// `limits`: the texts of the control groups' limits; `meminfo`: that of `/proc/meminfo`.
    fn told(limits: &[String], meminfo: &str) -> Self {
        // A group without a limit says `max`, or (cgroup v1) a number that no machine has.
        let limits = limits.iter().filter_map(|text| text.trim().parse().ok());
        Self(limits.chain(machine(meminfo)).min().filter(|bytes| *bytes > 0))
    }

    /// Bytes that the process may use.
    pub fn bytes(self) -> Option<u64> {
        self.0
    }

    /// Bytes that may wait to be sent to all clients together; answers may take twice as much.
    pub fn sending(self) -> usize {
        self.share(4, 16, 256)
    }

    /// Bytes that all messages together may take that have begun to come and are not whole.
    pub fn receiving(self) -> usize {
        self.share(8, 8, 256)
    }

    /// Bytes of large answers to HTTP requests, such as exports, that wait for their readers.
    pub fn answers(self) -> usize {
        self.share(8, 16, 512)
    }

    /// Bytes of the files that are read as drawings at the same time. Reading one takes about seven times as much.
    pub fn imports(self) -> usize {
        self.share(16, 8, 128)
    }

    /// One part of so many, in bytes, and at least and at most so many MiB; unknown memory is ample.
    fn share(self, parts: u64, least: u64, most: u64) -> usize {
        let bytes = self.0.unwrap_or(u64::MAX) / parts;
        usize::try_from(bytes.clamp(least * MIB, most * MIB)).unwrap_or(usize::MAX)
    }
}

/// The machine's memory.
fn machine(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The files that may hold limits of a process with this `/proc/self/cgroup`: those of its own group and of all above it,
/// for a limit counts for all below. In a container the paths of its own group may be unknown there, and the topmost is it.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            v1 if v1.split(',').any(|one| one == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        // Outside of what this process can see.
        let group = if group.starts_with("/..") { "/" } else { group };
        let above = Path::new(group).ancestors().filter_map(|group| group.strip_prefix("/").ok());
        files.extend(above.map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       24682400 kB\nMemFree:        22816724 kB\n";

    #[test]
    fn the_tightest_limit_counts() {
        let machine = 24_682_400 * 1024;
        for (limits, meminfo, expected) in [
            (&[][..], MEMINFO, Some(machine)),
            (&["max\n"], MEMINFO, Some(machine)),
            (&["268435456\n", "max\n"], MEMINFO, Some(256 << 20)),
            (&["max\n", "536870912\n", "268435456\n"], MEMINFO, Some(256 << 20)),
            // cgroup v1 without a limit.
            (&["9223372036854771712\n"], MEMINFO, Some(machine)),
            (&["268435456\n"], "", Some(256 << 20)),
            (&["max"], "", None),
            (&["", "many"], "MemTotal: lots", None),
            (&["0"], "", None),
        ] {
            let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
            assert_eq!(Memory::told(&limits, meminfo).bytes(), expected, "{limits:?}");
        }
    }

    #[test]
    fn limits_are_looked_for_in_the_own_group_and_above() {
        for (groups, expected) in [
            ("0::/\n", &["/sys/fs/cgroup/memory.max"][..]),
            (
                "0::/kubepods/pod1\n",
                &[
                    "/sys/fs/cgroup/kubepods/pod1/memory.max",
                    "/sys/fs/cgroup/kubepods/memory.max",
                    "/sys/fs/cgroup/memory.max",
                ],
            ),
            ("0::/../../other\n", &["/sys/fs/cgroup/memory.max"]),
            (
                "5:cpu,cpuacct:/a\n4:hugetlb,memory:/a:b\n1:name=systemd:/\n",
                &["/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
            ),
            ("nonsense\n\n1:memory\n", &[]),
        ] {
            let files: Vec<String> = limit_files(groups).iter().map(|file| file.display().to_string()).collect();
            assert_eq!(files, expected, "{groups}");
        }
    }

    #[test]
    fn shares_follow_the_memory_within_bounds() {
        for (bytes, sending, receiving, answers, imports) in [
            (Some(32 << 20), 16, 8, 16, 8),
            (Some(128 << 20), 32, 16, 16, 8),
            (Some(256 << 20), 64, 32, 32, 16),
            (Some(1 << 30), 256, 128, 128, 64),
            (Some(24 << 30), 256, 256, 512, 128),
            (None, 256, 256, 512, 128),
        ] {
            let memory = Memory(bytes);
            let shares = [memory.sending(), memory.receiving(), memory.answers(), memory.imports()];
            assert_eq!(shares, [sending, receiving, answers, imports].map(|mib: usize| mib << 20), "{bytes:?}");
        }
    }

    #[test]
    fn the_system_tells() {
        let bytes = Memory::of_system().bytes();
        assert!(bytes.is_some_and(|bytes| bytes > 1 << 20), "{bytes:?}");
    }
}
