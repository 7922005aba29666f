//! The real server as a child process, and clients that speak to it over loopback.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

pub mod canvas;
pub mod http;
pub mod native;
pub mod random;
pub mod socket;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub admin_port: u16,
    /// What it said before it served.
    pub early: String,
    /// Lines of its log that have not been looked at.
    pub log: mpsc::Receiver<String>,
}

/// The command under test: the one just built, or that of `WHITEBOARD_BINARY`, for example a release.
pub fn whiteboard(arguments: &[&str]) -> Command {
    let built = env!("CARGO_BIN_EXE_whiteboard").into();
    let mut command = Command::new(std::env::var_os("WHITEBOARD_BINARY").unwrap_or(built));
    command.args(arguments).env_remove("PORT").env_remove("DATA_DIR");
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    whiteboard(arguments).output().unwrap()
}

/// What a command printed, on either stream.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

impl Server {
    /// Starts a server on any free ports.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_on(data, 0, more)
    }

    /// Starts a server on a port, waiting until it serves.
    pub fn start_on(data: &Path, port: u16, more: &[&str]) -> Self {
        Self::try_start(data, port, more).unwrap_or_else(|log| panic!("the server did not start: {log}"))
    }

    /// Starts a server; an error is what it said before it ended.
    pub fn try_start(data: &Path, port: u16, more: &[&str]) -> Result<Self, String> {
        Self::launch(whiteboard(&[]), data, port, more, &[])
    }

    /// Starts a server in an environment.
    pub fn start_with(data: &Path, environment: &[(&str, String)]) -> Result<Self, String> {
        Self::launch(whiteboard(&[]), data, 0, &[], environment)
    }

    /// Starts a server from a shell that has run `first`, such as `ulimit -n 100`.
    pub fn start_after(first: &str, data: &Path, more: &[&str]) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{first}; exec \"$@\""), "limited", env!("CARGO_BIN_EXE_whiteboard")]);
        shell.env_remove("PORT").env_remove("DATA_DIR");
        Self::launch(shell, data, 0, more, &[]).unwrap_or_else(|log| panic!("the server did not start: {log}"))
    }

    fn launch(
        mut command: Command,
        data: &Path,
        port: u16,
        more: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self, String> {
        let port = port.to_string();
        let basic = ["serve", "--data", data.to_str().unwrap(), "--port", &port, "--admin-port", "0"];
        let mut child = command
            .args(basic)
            .args(more)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .env("LOG_FORMAT", "json")
            // However full the disk is that the tests run on.
            .envs([("DISK_LOW_PERCENT", "101"), ("DISK_FULL_PERCENT", "101")])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = String::new();
        while let Ok(line) = log.recv_timeout(PATIENCE) {
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["message"] == "whiteboard is serving" {
                let port = |field: &str| value[field].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
                return Ok(Self { child, port: port("address"), admin_port: port("admin"), early: said, log });
            }
            said += &(line + "\n");
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(said)
    }

    /// Starts a server and kills it (`kill -9`) after so long, however far it has come.
    pub fn kill_while_starting(data: &Path, port: u16, after: Duration) {
        let port = port.to_string();
        let mut child = whiteboard(&["serve", "--data", data.to_str().unwrap(), "--port", &port, "--admin-port", "0"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(after);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for the server to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, and waits for it to end well.
    pub fn stop(&mut self) {
        self.terminate();
        assert!(self.wait().success());
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data directory that goes with the test, and a path inside it that does not exist yet.
pub fn data() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    (directory, path)
}

/// Asserts that `whiteboard verify` finds everything good; returns its JSON.
pub fn verify(path: &Path) -> Value {
    let output = run(&["verify", path.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}
