//! Runs other programs: with progress, a log file and its tail on failure; captured; or shown as they are.
//!
//! Every child dies with this process, however it dies, so that a run which was killed leaves nothing working
//! behind its back and the next one starts from a state that stands still.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::progress::Step;

/// Why a program did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("{program} cannot be started: {source}. Is it installed and on PATH?")]
    Start { program: String, source: std::io::Error },
    /// It ended with an error; the tail of what it said is part of the message.
    #[error("{command} failed ({status}).{tail}")]
    Failed { command: String, status: ExitStatus, tail: String },
    /// It took longer than it may.
    #[error("{command} did not end within {} and was stopped.", crate::progress::spoken(*limit))]
    TooLong { command: String, limit: Duration },
    /// The person (or the CI system) asked to stop.
    #[error("Stopped on request. Running the same command again goes on from here.")]
    Interrupted,
    /// Reading or writing beside the program failed.
    #[error("{action}: {source}")]
    Io { action: String, source: std::io::Error },
}

fn interruption() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| Arc::new(AtomicBool::new(false)))
}

/// From now on SIGINT, SIGTERM and SIGHUP stop the running child and make its call return
/// [`ProcessError::Interrupted`], so that callers can clean up. A second signal ends this process at once.
pub fn listen_for_interruption() -> std::io::Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let number = signal as i32;
        // The order matters: the conditional exit sees the flag of an earlier signal only.
        signal_hook::flag::register_conditional_shutdown(number, 130, Arc::clone(interruption()))?;
        signal_hook::flag::register(number, Arc::clone(interruption()))?;
    }
    Ok(())
}

/// Forgets an interruption, so that cleaning up may run programs. A further signal interrupts again.
pub fn acknowledge_interruption() -> bool {
    interruption().swap(false, Ordering::SeqCst)
}

/// Fails when a signal has asked to stop: for loops that wait without a child.
pub fn check_interruption() -> Result<(), ProcessError> {
    if interruption().load(Ordering::SeqCst) { Err(ProcessError::Interrupted) } else { Ok(()) }
}

/// How a command reads in a message: the program and its arguments, long ones cut.
pub fn described(command: &Command) -> String {
    let mut text = name(command.get_program());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("`{} …`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn name(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// The same command, killed by the kernel as soon as the thread that started it is gone.
///
/// `setpriv` (util-linux) does it without unsafe code here; where it is missing the command runs as it is.
pub fn bound_to_us(command: &Command) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let available = *SETPRIV.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    let mut bound = if available {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program());
        setpriv
    } else {
        Command::new(command.get_program())
    };
    bound.args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(key, value),
            None => bound.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        bound.current_dir(directory);
    }
    bound
}

fn start(command: &Command, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child, ProcessError> {
    check_interruption()?;
    // A group of its own, so that stopping reaches the children of the child too.
    bound_to_us(command)
        .process_group(0)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(|source| ProcessError::Start { program: name(command.get_program()), source })
}

fn stop(child: &mut Child) {
    let Ok(group) = i32::try_from(child.id()).map(Pid::from_raw) else { return };
    let _ = killpg(group, Signal::SIGTERM);
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_secs(5) {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
}

fn wait(
    child: &mut Child,
    command: &Command,
    limit: Option<Duration>,
    mut tick: impl FnMut(),
) -> Result<ExitStatus, ProcessError> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(source) => {
                return Err(ProcessError::Io { action: format!("waiting for {}", described(command)), source });
            }
        }
        if check_interruption().is_err() {
            stop(child);
            return Err(ProcessError::Interrupted);
        }
        if let Some(limit) = limit.filter(|limit| began.elapsed() > *limit) {
            stop(child);
            return Err(ProcessError::TooLong { command: described(command), limit });
        }
        tick();
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Runs a long step: one line of progress, everything it says in `log`, the log's tail in the error.
pub fn long(title: &str, usually: Option<Duration>, log: &Path, command: &Command) -> Result<(), ProcessError> {
    let mut step = Step::begin(title, usually);
    let outcome = logged(log, command, || step.tick());
    match &outcome {
        Ok(()) => step.end("done"),
        Err(ProcessError::Interrupted) => step.end("stopped"),
        Err(_) => step.end("failed"),
    }
    outcome
}

/// Runs a short step without a line of progress; what it says is in `log`, the log's tail in the error.
pub fn quiet(log: &Path, command: &Command) -> Result<(), ProcessError> {
    logged(log, command, || {})
}

fn logged(log: &Path, command: &Command, tick: impl FnMut()) -> Result<(), ProcessError> {
    let open = || -> std::io::Result<(File, File)> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::create(log)?;
        Ok((file.try_clone()?, file))
    };
    let (stdout, stderr) =
        open().map_err(|source| ProcessError::Io { action: format!("opening the log {}", log.display()), source })?;
    let mut child = start(command, Stdio::null(), stdout.into(), stderr.into())?;
    let status = wait(&mut child, command, None, tick)?;
    if status.success() {
        return Ok(());
    }
    let text = std::fs::read(log).unwrap_or_default();
    let tail = tail(&String::from_utf8_lossy(&text), 30);
    Err(ProcessError::Failed {
        command: described(command),
        status,
        tail: format!(" The end of {}:\n{tail}", log.display()),
    })
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Runs a command and gives what it printed on stdout. Its stderr is part of the error.
pub fn read(command: &Command, limit: Duration) -> Result<String, ProcessError> {
    converse(command, Input::Nothing, limit)
}

/// Runs a command that reads `text` from its stdin and gives what it printed.
pub fn feed(command: &Command, text: &str, limit: Duration) -> Result<String, ProcessError> {
    converse(command, Input::Text(text.to_owned()), limit)
}

/// Runs a command that reads the file from its stdin and gives what it printed.
pub fn feed_file(command: &Command, file: &Path, limit: Duration) -> Result<String, ProcessError> {
    converse(command, Input::File(file.to_owned()), limit)
}

enum Input {
    Nothing,
    Text(String),
    File(PathBuf),
}

fn converse(command: &Command, input: Input, limit: Duration) -> Result<String, ProcessError> {
    let (stdin, text) = match input {
        Input::Nothing => (Stdio::null(), None),
        Input::Text(text) => (Stdio::piped(), Some(text)),
        Input::File(path) => {
            let file = File::open(&path)
                .map_err(|source| ProcessError::Io { action: format!("opening {}", path.display()), source })?;
            (file.into(), None)
        }
    };
    let mut child = start(command, stdin, Stdio::piped(), Stdio::piped())?;
    // Each pipe has a thread, so that neither side waits for the other with a full pipe.
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), text) {
        std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let collect = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = collect(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = collect(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child, command, Some(limit), || {})?;
    let said = stdout.join().unwrap_or_default();
    let complained = stderr.join().unwrap_or_default();
    if status.success() {
        return Ok(said);
    }
    let words = if complained.trim().is_empty() { &said } else { &complained };
    Err(ProcessError::Failed {
        command: described(command),
        status,
        tail: format!(" It said:\n{}", tail(words.trim_end(), 20)),
    })
}

/// Runs a command whose output people want to see as it comes.
pub fn shown(command: &Command) -> Result<(), ProcessError> {
    let mut child = start(command, Stdio::null(), Stdio::inherit(), Stdio::inherit())?;
    let status = wait(&mut child, command, None, || {})?;
    if status.success() {
        Ok(())
    } else {
        Err(ProcessError::Failed { command: described(command), status, tail: " Its output is above.".to_owned() })
    }
}

/// Whether a program of this name is on PATH.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn gives_what_a_program_prints_and_takes_what_it_reads() {
        assert_eq!(read(&sh("echo one; echo two >&2"), MINUTE).unwrap(), "one\n");
        assert_eq!(feed(&sh("tr a-z A-Z"), "board", MINUTE).unwrap(), "BOARD");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file").unwrap();
        assert_eq!(feed_file(&sh("cat"), file.path(), MINUTE).unwrap(), "from a file");
    }

    #[test]
    fn more_output_than_a_pipe_holds_does_not_block() {
        let input = "x".repeat(1 << 20);
        assert_eq!(feed(&sh("cat; head -c 300000 /dev/zero >&2"), &input, MINUTE).unwrap().len(), 1 << 20);
    }

    #[test]
    fn environment_and_folder_reach_the_program() {
        let mut command = sh("echo $BOARD-$HOME; pwd");
        command.env("BOARD", "physics").env_remove("HOME").current_dir("/");
        assert_eq!(read(&command, MINUTE).unwrap(), "physics-\n/\n");
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = read(&sh("echo no disk >&2; exit 3"), MINUTE).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no disk"), "{error}");
        let error = read(&Command::new("no-such-program-here"), MINUTE);
        assert!(error.is_err(), "a program that does not exist cannot succeed");
    }

    #[test]
    fn a_failing_step_shows_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/step.log");
        let error = quiet(&log, &sh("seq 1 100; exit 1")).unwrap_err().to_string();
        assert!(error.contains("\n100") && error.contains("\n71\n") && !error.contains("\n70\n"), "{error}");
        assert!(quiet(&log, &sh("echo fine")).is_ok());
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "fine\n");
    }

    #[test]
    fn what_takes_too_long_is_stopped_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", pid.display());
        let began = Instant::now();
        let error = read(&sh(&script), Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, ProcessError::TooLong { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5));
        let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        // Killed, and if nobody reaps it, at most a zombie.
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "still there: {state}");
    }

    #[test]
    fn long_commands_are_cut_in_messages() {
        assert_eq!(described(&sh("true")), "`sh -c true`");
        let long = described(&sh(&"ä".repeat(400)));
        assert!(long.ends_with(" …`") && long.chars().count() < 170, "{long}");
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-here"));
    }
}
