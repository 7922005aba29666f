//! The targets of the realtime server, measured: `cargo bench -p whiteboard --bench realtime [-- --quick]`.
//!
//! The server runs on one core, the load on another, everything over loopback; see BENCHMARKS.md. Prints a table and, as
//! its last line, one JSON object.

mod broadcast;
mod cores;
mod dialects;
mod drawing;
mod durable;
mod lesson;
mod memory;
mod peers;
mod process;
mod report;
mod storage;
mod swarm;
mod times;

use broadcast::{Dialect, Outcome, Plan};
use cores::Cores;
use dialects::{Bare, Classroom, ExcalidrawRoom, Native};
use process::Server;
use report::{Report, number};
use std::error::Error;
use std::time::{Duration, Instant};

/// The same lesson for all: fifty users, thirty messages a second each.
const LESSON: (usize, u32) = (50, 1500);

/// Connections that do nothing beside a lesson.
const BYSTANDERS: usize = 9_800;

/// Users on one board in the race for deliveries.
const CROWD: usize = 300;

/// How much of everything there is.
struct Scale {
    measure: Duration,
    /// Messages a second of the crowd, ascending.
    rates: &'static [u32],
    idle: usize,
    boards: usize,
    syncs: usize,
}

const FULL: Scale = Scale {
    measure: Duration::from_secs(8),
    rates: &[1000, 2000, 3000, 3500, 4000, 4500, 5000],
    idle: 2000,
    boards: 1000,
    syncs: 1000,
};

const QUICK: Scale =
    Scale { measure: Duration::from_secs(3), rates: &[1000, 3500, 4000], idle: 500, boards: 100, syncs: 200 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == peers::BARE) {
        return peers::be_bare();
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    // `-- fanout` measures only what has the word in its name.
    let only = arguments.iter().skip(1).find(|argument| !argument.starts_with('-')).cloned();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let scale = if quick { QUICK } else { FULL };
    let (start, cores, mut report) = (Instant::now(), Cores::take()?, Report::default());
    println!(
        "server on one core, load on another, of {} cores; {}\n",
        cores.count(),
        if quick { "quick" } else { "full" }
    );

    let directory = tempfile::tempdir_in(std::env::var_os("BENCH_DATA").unwrap_or_else(|| ".".into()))?;
    let data = |name: &str| directory.path().join(name);
    if wanted("empty") {
        empty(&cores, &data("empty"), &mut report)?;
    }
    if wanted("lesson") {
        lessons(&cores, &data("lesson"), &scale, &mut report)?;
    }
    if wanted("fanout") {
        fanout(&cores, &data("fanout"), &scale, &mut report)?;
    }
    if wanted("durable") {
        durable(&cores, directory.path(), &scale, &mut report)?;
    }
    if wanted("idle") {
        idle(&cores, &data("idle"), &scale, &mut report)?;
    }
    if wanted("bystanders") {
        bystanders(&cores, &data("bystanders"), &scale, &mut report)?;
    }
    if wanted("bytes") {
        bytes(&cores, &data("bytes"), &mut report)?;
    }
    if wanted("storage") {
        storage(&cores, &data("storage"), &scale, &mut report)?;
    }
    report.value("seconds", start.elapsed().as_secs_f64());
    report.finish();
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts are far below 2^52")]
fn float(value: u64) -> f64 {
    value as f64
}

fn empty(cores: &Cores, data: &std::path::Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let server = Server::whiteboard(cores, data)?;
    std::thread::sleep(Duration::from_millis(500));
    let resident = float(server.resident());
    report.value("rss_empty_bytes", resident);
    report.target("memory: started, no clients", "<= 10 MB", format!("{} B", number(resident)), resident <= 10e6);
    server.stop()
}

fn told(outcome: &Outcome) -> String {
    let Outcome { p50, p99, cpu_percent, .. } = outcome;
    let share = float(outcome.received) / float(outcome.expected.max(1)) * 100.0;
    format!("{}/s, {p50:.2}/{p99:.2} ms, {cpu_percent:.0} %, {share:.2} % arrived", number(outcome.deliveries()))
}

fn lessons(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (users, rate) = LESSON;
    let plan = Plan { users, rate, measure: scale.measure };
    let server = Server::whiteboard(cores, data)?;
    server.board("lesson")?;
    let native = broadcast::run(&server, &Native { board: "lesson" }, plan)?;
    report.value("lesson_cpu_percent", native.cpu_percent);
    report.value("lesson_p99_ms", native.p99);
    let met = native.cpu_percent <= 10.0 && native.p99 <= 10.0 && native.lost() == 0;
    report.target("50 users x 30 messages/s, native", "<= 10 % of a core, p99 <= 10 ms", told(&native), met);
    let classroom = broadcast::run(&server, &Classroom, plan)?;
    report.value("classroom_cpu_percent", classroom.cpu_percent);
    report.value("classroom_p99_ms", classroom.p99);
    let met = classroom.cpu_percent <= 25.0 && classroom.p99 <= 10.0 && classroom.lost() == 0;
    let what = "50 users x 30 messages/s, classroom (each on disk first)";
    report.target(what, "<= 25 % of a core, p99 <= 10 ms", told(&classroom), met);
    server.stop()?;
    peer(&peers::bare(cores)?, "bare tokio-tungstenite", "bare", &Bare, plan, report)?;
    match peers::node(cores) {
        Ok(server) => peer(&server, "socket.io 4, excalidraw-room", "node", &ExcalidrawRoom, plan, report)?,
        Err(reason) => report.peer("socket.io 4, excalidraw-room", reason),
    }
    Ok(())
}

fn peer(
    server: &Server,
    name: &str,
    short: &str,
    dialect: &impl Dialect,
    plan: Plan,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let outcome = broadcast::run(server, dialect, plan)?;
    let key = format!("{short}_{}_{}", plan.users, plan.rate);
    report.value(&format!("{key}_cpu_percent"), outcome.cpu_percent);
    report.value(&format!("{key}_deliveries_per_s"), outcome.deliveries());
    report.value(&format!("{key}_p99_ms"), outcome.p99);
    report.peer(&format!("  {} users, {} messages/s: {name}", plan.users, plan.rate), told(&outcome));
    Ok(())
}

fn fanout(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let server = Server::whiteboard(cores, data)?;
    server.board("crowd")?;
    let dialect = Native { board: "crowd" };
    let mut swarm = swarm::Swarm::new()?;
    for user in 0..CROWD {
        dialect.join(&mut swarm, server.port, user)?;
    }
    swarm.settle(Duration::from_millis(300))?;
    let mut best: Option<Outcome> = None;
    for rate in scale.rates {
        let plan = Plan { users: CROWD, rate: *rate, measure: scale.measure };
        let outcome = broadcast::go(&server, &dialect, &mut swarm, plan)?;
        report.peer(&format!("  300 users, {rate} messages/s, native"), told(&outcome));
        let good = outcome.p99 <= 16.0 && outcome.lost() == 0;
        if good || best.is_none() {
            best = Some(outcome);
        }
        if !good {
            break;
        }
    }
    let best = best.ok_or("nothing was measured")?;
    report.value("fanout_deliveries_per_s", best.deliveries());
    report.value("fanout_p99_ms", best.p99);
    report.value("fanout_lost", float(best.lost()));
    report.value("fanout_closed", float(best.closed as u64));
    let met = best.deliveries() >= 1e6 && best.p99 <= 16.0 && best.lost() == 0;
    let what = "deliveries per core, native, 300 users a board";
    report.target(what, ">= 1 M/s, p99 <= 16 ms, none lost", told(&best), met);
    server.stop()?;
    let plan = Plan { users: CROWD, rate: 1000, measure: scale.measure };
    peer(&peers::bare(cores)?, "bare tokio-tungstenite", "bare", &Bare, plan, report)?;
    if let Ok(server) = peers::node(cores) {
        peer(&server, "socket.io 4, excalidraw-room", "node", &ExcalidrawRoom, plan, report)?;
    }
    Ok(())
}

fn durable(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let disk = durable::fdatasync(data, scale.syncs)?;
    report.value("fdatasync_p99_ms", disk.ms(0.99));
    report.peer("  the disk's own fdatasync of 4 KiB", format!("{:.2}/{:.2} ms", disk.ms(0.5), disk.ms(0.99)));
    let server = Server::whiteboard(cores, &data.join("durable"))?;
    let times = durable::acknowledgements(&server, scale.measure)?;
    report.value("ack_p99_ms", times.ms(0.99));
    report.value("ack_p50_ms", times.ms(0.5));
    let met = times.ms(0.99) <= disk.ms(0.99) + 10.0;
    let measured = format!("{:.2}/{:.2} ms", times.ms(0.5), times.ms(0.99));
    report.target(
        "durable change: sent -> acknowledged, 50 users drawing",
        "p99 <= fdatasync's + 10 ms",
        measured,
        met,
    );
    server.stop()
}

/// A native board of its own for each class, on which nothing happens.
struct Class(String);

impl Dialect for Class {
    fn join(&self, swarm: &mut swarm::Swarm, port: u16, user: usize) -> Result<(), Box<dyn Error>> {
        Native { board: &self.0 }.join(swarm, port, user)
    }
    fn write(&self, _: &str, _: &mut Vec<u8>) {}
    fn behind(&self, _: &swarm::Message<'_>) -> Option<usize> {
        None
    }
}

/// The lesson again, beside many connections that do nothing.
fn bystanders(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (users, rate) = LESSON;
    let server = Server::whiteboard(cores, data)?;
    server.board("lesson")?;
    let mut idle = swarm::Swarm::new()?;
    for user in 0..BYSTANDERS {
        let board = format!("idle-{}", user / memory::CLASS);
        if user % memory::CLASS == 0 {
            server.board(&board)?;
        }
        Class(board).join(&mut idle, server.port, user)?;
    }
    let plan = Plan { users, rate, measure: scale.measure };
    let outcome = broadcast::run(&server, &Native { board: "lesson" }, plan)?;
    // Never quiet: the server asks so many for signs of life. Whom it gave up is seen at once.
    idle.poll(Duration::from_millis(100), |_| {})?;
    report.value("bystanders_p99_ms", outcome.p99);
    report.value("bystanders_cpu_percent", outcome.cpu_percent);
    report.value("bystanders_lost", float((idle.lost + outcome.closed) as u64));
    let met = outcome.p99 <= 10.0 && outcome.lost() == 0 && idle.lost == 0;
    let what = format!("the same beside {} idle connections", number(float(BYSTANDERS as u64)));
    report.target(&what, "p99 <= 10 ms", told(&outcome), met);
    server.stop()
}

fn idle(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let server = Server::whiteboard(cores, data)?;
    for board in 0..scale.idle.div_ceil(memory::CLASS) {
        server.board(&format!("idle-{board}"))?;
    }
    let native = memory::idle(&server, scale.idle, |board| Box::new(Class(format!("idle-{board}"))))?;
    server.stop()?;
    report.value("idle_connection_bytes", native);
    report.target("idle connection, native", "<= 6 KB", format!("{} B", number(native)), native <= 6e3);
    let server = Server::whiteboard(cores, data)?;
    // The classroom's session is one room: what counts is the connection.
    let classroom = memory::idle(&server, scale.idle.min(memory::CLASS * 20), |_| Box::new(Classroom))?;
    report.value("idle_socketio_bytes", classroom);
    report.target("idle connection, Socket.IO", "<= 20 KB", format!("{} B", number(classroom)), classroom <= 20e3);
    server.stop()
}

fn bytes(cores: &Cores, data: &std::path::Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let server = Server::whiteboard(cores, data)?;
    let (native, classroom) = (float(lesson::native(&server)?), float(lesson::classroom(&server)?));
    report.value("lesson_native_bytes", native);
    report.value("lesson_classroom_bytes", classroom);
    let measured = format!("{} B of {} B: 1/{:.0}", number(native), number(classroom), classroom / native);
    report.target(
        "a minute of lesson on the wire, 30 users",
        "<= 1/20 of whole boards",
        measured,
        native * 20.0 <= classroom,
    );
    server.stop()
}

fn storage(cores: &Cores, data: &std::path::Path, scale: &Scale, report: &mut Report) -> Result<(), Box<dyn Error>> {
    storage::fill(cores, data, scale.boards)?;
    let server = Server::whiteboard(cores, data)?;
    let start = server.started.as_secs_f64() * 1e3;
    report.value("start_ms", start);
    let what = format!("start with {} boards of 1,000 elements on disk", scale.boards);
    report.target(&what, "ready in <= 100 ms", format!("{start:.0} ms"), start <= 100.0);
    let resident = float(storage::ten_in_use(&server)?);
    report.value("rss_ten_boards_bytes", resident);
    let what = format!("memory: {} boards on disk, 10 in use", scale.boards);
    report.target(&what, "<= 20 MB", format!("{} B", number(resident)), resident <= 20e6);
    let (first, whole, size) = storage::open_large(&server)?;
    report.value("open_first_byte_ms", first);
    report.value("open_whole_ms", whole);
    let measured = format!("{first:.1} ms, {whole:.0} ms, {} B", number(float(size)));
    let met = first <= 20.0 && whole <= 150.0;
    report.target("open a board of 10,000 elements", "first byte <= 20 ms, whole <= 150 ms", measured, met);
    server.stop()
}
