//! Which core runs what: the server on one, the load on another, so that neither takes time from the other.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;
use std::process::{Child, Command};

/// The cores this process may use.
#[derive(Clone, Debug)]
pub struct Cores(Vec<usize>);

fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

impl Cores {
    /// Finds the cores, and moves this thread (and those it will start) to the second one.
    pub fn take() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let cores = Self((0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect());
        pin(cores.load())?;
        Ok(cores)
    }

    /// Where the load runs.
    fn load(&self) -> usize {
        // With a single core the numbers mean little, but the program still runs.
        *self.0.get(1).unwrap_or(&self.0[0])
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Starts a process on the server's core: a child begins where its parent's thread is.
    pub fn start(&self, command: &mut Command) -> io::Result<Child> {
        pin(self.0[0])?;
        let child = command.spawn();
        pin(self.load())?;
        child
    }
}
