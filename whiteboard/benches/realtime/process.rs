//! A server as a child process: started, watched through /proc, and ended.

use crate::cores::Cores;
use rusqlite::Connection;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that a server may take to start or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    /// From the start of the process until it said that it serves.
    pub started: Duration,
    data: PathBuf,
    // Kept open: a server that writes to a closed pipe would end.
    _log: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// The whiteboard server with a data directory.
    pub fn whiteboard(cores: &Cores, data: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whiteboard"));
        command
            .args(["serve", "--port", "0", "--admin-port", "0", "--log-format", "json", "--data"])
            .arg(data)
            // Everybody here comes from one address, and may send as fast as the plan says.
            .envs([
                ("MAX_CONNECTIONS_PER_ADDRESS", "100000"),
                ("MAX_CONNECTIONS", "100000"),
                ("NATIVE_MESSAGE_RATE", "100000"),
                ("CLASSROOM_MESSAGE_RATE", "100000"),
                ("MAX_BOARDS", "100000"),
            ]);
        Self::start(cores, command, data, |line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            (value["message"] == "whiteboard is serving")
                .then(|| value["address"].as_str()?.rsplit(':').next()?.parse().ok())?
        })
    }

    /// Any server that prints its port in a line of its own on standard error.
    pub fn other(cores: &Cores, command: Command) -> Result<Self, Box<dyn Error>> {
        Self::start(cores, command, Path::new(""), |line| line.strip_prefix("port ")?.parse().ok())
    }

    fn start(
        cores: &Cores,
        mut command: Command,
        data: &Path,
        port: impl Fn(&str) -> Option<u16>,
    ) -> Result<Self, Box<dyn Error>> {
        let start = Instant::now();
        let mut child = cores.start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if log.read_line(&mut line)? == 0 || start.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the server did not start: {said}").into());
            }
            if let Some(port) = port(line.trim()) {
                let log = Some(std::thread::spawn(move || swallow(log)));
                return Ok(Self { child, port, started: start.elapsed(), data: data.to_owned(), _log: log });
            }
            said += &line;
        }
    }

    /// Its database.
    pub fn database(data: &Path) -> PathBuf {
        data.join("whiteboard.db")
    }

    /// Makes an empty native board, as the HTTP API would.
    pub fn board(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let connection = Connection::open(Self::database(&self.data))?;
        connection.busy_timeout(PATIENCE)?;
        connection
            .execute("INSERT INTO boards (dialect, code, created, changed) VALUES ('board', ?1, 1, 1)", [name])?;
        Ok(())
    }

    /// Processor time used so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name in parentheses; user and system time are the 14th and 15th field, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap_or_default();
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        pages * rustix::param::page_size() as u64
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> Result<(), Box<dyn Error>> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                return Err("the server does not end".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn swallow(log: BufReader<ChildStderr>) {
    for line in log.lines() {
        match line {
            Ok(line) if line.contains("\"WARN\"") || line.contains("\"ERROR\"") => eprintln!("server: {line}"),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
