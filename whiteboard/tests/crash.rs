//! The server killed with SIGKILL while twenty people draw, on one data directory that grows: nothing acknowledged is lost,
//! nothing is there twice, and everybody sees the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::native::{address, create};
use support::random::Random;
use support::socket;
use support::{PATIENCE, Server, data, verify};
use tokio::time::{sleep, timeout};
use whiteboard_client::state::State;
use whiteboard_client::{Client, Config, Element, Identity, Request};

/// How often the server is killed; WHITEBOARD_KILLS makes a campaign of it.
fn kills() -> u64 {
    std::env::var("WHITEBOARD_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

const LESSONS: u64 = 3;
const PUPILS: u64 = 10;
const BOARDS: u64 = 2;
const PAINTERS: u64 = 10;

/// So many kills a board is drawn on; then people go on to the next, because a class does not draw for ever.
const KILLS_A_BOARD: u64 = 50;

/// Between two things that one person does, about.
const THINKING: Duration = Duration::from_millis(5);

/// What all people know.
struct World {
    port: u16,
    kills: AtomicU64,
    done: AtomicBool,
}

impl World {
    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Which generation of boards is in use.
    fn generation(&self) -> u64 {
        self.kills.load(Ordering::Acquire) / KILLS_A_BOARD
    }
}

/// A person of the classroom dialect: reconnects whenever the connection is lost, and draws each stroke on what is shown
/// then. Returns the strokes that were acknowledged, by session.
async fn pupil(number: u64, world: Arc<World>) -> Vec<(String, String)> {
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    while !world.is_done() {
        let generation = world.generation();
        let code = format!("lesson-{}-{generation}", number % LESSONS);
        if let Ok(mut client) = socket::Client::open(world.port, &code).await {
            let current = || world.generation() == generation && !world.is_done();
            draw_until_closed(&mut client, &format!("client {number} stroke"), &mut next, current, |stroke| {
                acknowledged.push((code.clone(), stroke));
            })
            .await;
        }
        sleep(Duration::from_millis(10)).await;
    }
    acknowledged
}

async fn draw_until_closed(
    client: &mut socket::Client,
    name: &str,
    next: &mut u64,
    current: impl Fn() -> bool,
    mut acknowledged: impl FnMut(String),
) {
    let mut shown: Vec<Value> = Vec::new();
    let mut drawing: Option<(u64, String)> = None;
    loop {
        match client.next().await {
            socket::Incoming::Closed(_) => return,
            // What others drew is shown before the next stroke, as a page would.
            socket::Incoming::Event(name, payload) if name == "session_data" || name == "paths_update" => {
                let payload: Value = serde_json::from_str(&payload).unwrap();
                shown.clone_from(payload["paths"].as_array().unwrap());
            }
            socket::Incoming::Ack(id) => {
                let (asked, stroke) = drawing.take().expect("an acknowledgement of something asked");
                assert_eq!(id, asked);
                acknowledged(stroke);
                if !current() {
                    return;
                }
                sleep(THINKING).await;
            }
            other => panic!("{other:?}"),
        }
        if drawing.is_none() {
            let stroke = format!("{name} {next}");
            *next += 1;
            shown.push(stroke.clone().into());
            let id = client.ask("update_paths", &serde_json::json!({ "paths": shown }).to_string());
            drawing = Some((id, stroke));
        }
    }
}

fn board_code(board: u64, generation: u64) -> String {
    format!("board-{board}-{generation}")
}

/// What somebody's elements must look like in the end: the text of each that is there.
type Expected = BTreeMap<String, String>;

/// A person of the native dialect: draws, moves, and takes steps back; knows at each moment how the own elements must look.
/// Everything asked is executed in the end, and once: an undo that is executed twice takes back a step too many.
struct Painter {
    number: u64,
    random: Random,
    client: Client,
    board: String,
    expected: Expected,
    drawn: u64,
    acknowledged: u64,
}

impl Painter {
    fn start(number: u64, generation: u64, world: &World) -> Self {
        let board = board_code(number % BOARDS, generation);
        let identity = Identity {
            key: format!("key-of-painter-{number:03}"),
            session: format!("tab-{number:03}-{generation}"),
            name: format!("painter {number}"),
            ..Identity::default()
        };
        let config = Config::new(address(world.port, &board), identity, number);
        // The server lives for a moment only: who comes back late never meets it.
        let (first_delay, longest_delay) = (Duration::from_millis(10), Duration::from_millis(40));
        let client = Client::start(Config { first_delay, longest_delay, ..config });
        Self { number, random: Random(number), client, board, expected: Expected::new(), drawn: 0, acknowledged: 0 }
    }

    fn set(&mut self, id: &str) {
        let (number, nonce) = (self.number, self.random.below(1000));
        let mut text = String::new();
        self.client.ask(|state| {
            let version = state.element(id).map_or(0, |known| known.stamp.version) + 1;
            text = format!(
                r#"{{"id":"{id}","type":"rectangle","version":{version},"versionNonce":{nonce},"index":"a{number}","x":{version}.50}}"#
            );
            Request::change(vec![Element::parse(&text).unwrap()])
        });
        self.expected.insert(id.to_owned(), text);
    }

    fn draw(&mut self) -> String {
        self.drawn += 1;
        let id = format!("p{}-{}", self.number, self.drawn);
        self.set(&id);
        id
    }

    async fn step(&mut self) {
        match self.random.below(10) {
            0 => drop(self.draw()),
            1..3 => {
                // Both are on their way at once, and both are sent again if the server dies in between.
                let id = self.draw();
                self.client.ask(|_| Request::Undo);
                self.expected.remove(&id);
            }
            _ => {
                let count = self.expected.len() as u64;
                let chosen = (count > 0).then(|| usize::try_from(self.random.below(count)).unwrap());
                match chosen.and_then(|place| self.expected.keys().nth(place).cloned()) {
                    Some(id) => self.set(&id),
                    None => drop(self.draw()),
                }
            }
        }
        self.client.say(r#"{"t":"v","k":"cursor","d":[1,2]}"#);
        let answered = timeout(PATIENCE * 6, self.client.until(|state| state.waiting() == 0)).await;
        answered.expect("an answer in time").unwrap();
        self.acknowledged += 1;
        // A server that lost or repeated something shows it at once.
        check(self.number, &self.expected, &self.client);
    }
}

/// Asserts that a client shows of a painter what it must.
fn check(number: u64, expected: &Expected, client: &Client) {
    let prefix = format!("p{number}-");
    let shown: Expected = client.look(|state| {
        let mine = state.elements().into_iter().filter(|element| element.id.starts_with(&prefix));
        mine.map(|element| (element.id.to_string(), element.text.as_deref().unwrap().to_owned())).collect()
    });
    assert_eq!(&shown, expected, "of painter {number}");
}

/// What a painter left on a board, and the client that still looks at it.
struct Painting {
    number: u64,
    board: String,
    expected: Expected,
    acknowledged: u64,
    client: Option<Client>,
}

/// Paints on one generation of boards after the other; returns what was left on each.
async fn painter(number: u64, world: Arc<World>) -> Vec<Painting> {
    let mut left = Vec::new();
    loop {
        let generation = world.generation();
        let mut painter = Painter::start(number, generation, &world);
        while world.generation() == generation && !world.is_done() {
            painter.step().await;
            sleep(THINKING).await;
        }
        timeout(PATIENCE * 6, painter.client.settled()).await.expect("an answer in time").unwrap();
        let Painter { number, board, expected, acknowledged, client, .. } = painter;
        let done = world.is_done();
        // Whoever goes on to the next board leaves this one.
        left.push(Painting { number, board, expected, acknowledged, client: done.then_some(client) });
        if done {
            return left;
        }
    }
}

/// Everything that the lessons' boards hold; nothing is there twice.
async fn lessons(port: u16, generations: u64) -> BTreeMap<String, Vec<String>> {
    let mut boards = BTreeMap::new();
    for generation in 0..=generations {
        for lesson in 0..LESSONS {
            let code = format!("lesson-{lesson}-{generation}");
            let (_client, session) = socket::Client::join(port, &code).await;
            let session: Value = serde_json::from_str(&session).unwrap();
            let paths = session["paths"].as_array().unwrap();
            let strokes: Vec<String> = paths.iter().map(|stroke| stroke.as_str().unwrap().to_owned()).collect();
            let mut once = strokes.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), strokes.len(), "no stroke of {code} is there twice");
            boards.insert(code, strokes);
        }
    }
    boards
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills() {
    let (_directory, data) = data();
    let kills = kills();
    let mut server = Server::start(&data, &[]);
    for generation in 0..=kills / KILLS_A_BOARD {
        (0..BOARDS).for_each(|board| create(&data, &board_code(board, generation), None, None));
    }
    let world = Arc::new(World { port: server.port, kills: AtomicU64::new(0), done: AtomicBool::new(false) });
    let pupils: Vec<_> = (0..PUPILS).map(|number| tokio::spawn(pupil(number, world.clone()))).collect();
    let painters: Vec<_> = (0..PAINTERS).map(|number| tokio::spawn(painter(number, world.clone()))).collect();
    // Different moments, the same in each run.
    let mut random = Random(4);
    for kill in 1..=kills {
        sleep(Duration::from_millis(random.below(300))).await;
        server.kill();
        if kill % 5 == 0 {
            // In the middle of recovering from the kill before.
            Server::kill_while_starting(&data, world.port, Duration::from_millis(random.below(60)));
        }
        let start = Instant::now();
        server = Server::start_on(&data, world.port, &[]);
        assert!(start.elapsed() < PATIENCE, "recovery took {:?}", start.elapsed());
        world.kills.store(kill, Ordering::Release);
        if kill % KILLS_A_BOARD == 0 {
            println!("{kill} kills");
        }
    }
    world.done.store(true, Ordering::Release);

    let mut acknowledged = Vec::new();
    for pupil in pupils {
        acknowledged.extend(pupil.await.unwrap());
    }
    let mut left = Vec::new();
    for painter in painters {
        left.extend(painter.await.unwrap());
    }
    let changes: u64 = left.iter().map(|painting| painting.acknowledged).sum();
    assert!(acknowledged.len() as u64 > kills, "only {} strokes were acknowledged", acknowledged.len());
    assert!(changes > kills, "only {changes} changes were acknowledged");

    let boards = lessons(server.port, kills / KILLS_A_BOARD).await;
    let lost: Vec<_> = acknowledged.iter().filter(|(code, stroke)| !boards[code].contains(stroke)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged strokes are lost: {lost:?}", lost.len(), acknowledged.len());
    check_paintings(&world, &left, kills / KILLS_A_BOARD).await;
    verify(&data);
    server.stop();
    let verified = verify(&data);
    println!(
        "{kills} kills of one data directory, and {} while starting: {} strokes and {changes} changes acknowledged, none lost, none twice; {verified}",
        kills / 5,
        acknowledged.len()
    );
}

/// Each board has what its painters left there, and the last generation's all show the same.
async fn check_paintings(world: &World, left: &[Painting], generations: u64) {
    for generation in 0..=generations {
        for board in 0..BOARDS {
            let code = board_code(board, generation);
            let identity =
                Identity { key: "key-of-an-inspector".into(), session: "inspector".into(), ..Identity::default() };
            let fresh = Client::start(Config::new(address(world.port, &code), identity, 1));
            timeout(PATIENCE, fresh.settled()).await.expect("the board in time").unwrap();
            let mut count = 0;
            for painting in left.iter().filter(|painting| painting.board == code) {
                check(painting.number, &painting.expected, &fresh);
                count += painting.expected.len();
            }
            assert_eq!(fresh.look(|state| state.elements().len()), count, "nothing else is on {code}");
            let seq = fresh.look(State::seq);
            let clients = left.iter().filter(|painting| painting.board == code).filter_map(|one| one.client.as_ref());
            for client in clients {
                let same = client.until(|state| state.seq() >= seq);
                timeout(PATIENCE, same).await.expect("everything in time").unwrap();
                let all = |state: &State| -> Vec<Option<Arc<str>>> {
                    state.elements().into_iter().map(|element| element.text.clone()).collect()
                };
                assert_eq!(client.look(all), fresh.look(all), "on {code}");
            }
        }
    }
}
