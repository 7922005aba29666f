//! Random plans: people draw, move, delete, undo and bring back at the same time, teachers lock the board and begin quizzes,
//! connections are lost, and the server is stopped and killed under them. In the end everybody shows what the server has.
//!
//! A plan is data: it is printed when it fails, and `WHITEBOARD_PLAN=<file>` runs it again. `WHITEBOARD_SEEDS=<n>` makes a
//! campaign of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde::{Deserialize, Serialize};
use std::time::Duration;
use support::native::{address, create};
use support::random::Random;
use support::{PATIENCE, Server, data, verify};
use tokio::time::timeout;
use whiteboard_client::state::State;
use whiteboard_client::{Client, Config, Element, Identity, Request};

/// Seeds whose plans found faults once: 27: a deletion with the very stamp of a change that was on its way.
const FOUND: [u64; 1] = [27];

/// One thing that happens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Draws an element, or changes the one that is there.
    Edit {
        client: usize,
        element: u64,
        nonce: u64,
    },
    /// Two elements in one request of a gesture.
    Gesture {
        client: usize,
        elements: (u64, u64),
        gesture: u64,
    },
    Delete {
        client: usize,
        element: u64,
    },
    Undo {
        client: usize,
    },
    Redo {
        client: usize,
    },
    Clear {
        client: usize,
    },
    /// Back to the operation that many before the last.
    Restore {
        client: usize,
        back: u64,
    },
    /// The first two clients are teachers; what only they may do is refused to the others.
    Lock {
        client: usize,
        on: bool,
    },
    Quiz {
        client: usize,
        on: bool,
    },
    Title {
        client: usize,
        number: u64,
    },
    Settings {
        client: usize,
        number: u64,
    },
    /// The network breaks.
    Cut {
        client: usize,
    },
    /// Everybody waits until all is answered.
    Settle,
    /// `kill -9`, and a new server.
    Kill,
    /// SIGTERM, and a new server.
    Stop,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Plan {
    seed: u64,
    clients: usize,
    steps: Vec<Step>,
}

impl Plan {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let clients = 3 + usize::try_from(random.below(4)).unwrap();
        let steps = (0..150).map(|number| Self::step(&mut random, clients, number)).collect();
        Self { seed, clients, steps }
    }

    fn step(random: &mut Random, clients: usize, number: u64) -> Step {
        let client = usize::try_from(random.below(clients as u64)).unwrap();
        let element = random.below(12);
        match random.below(100) {
            0..40 => Step::Edit { client, element, nonce: random.below(3) },
            40..50 => Step::Gesture { client, elements: (element, random.below(12)), gesture: number / 8 },
            50..58 => Step::Delete { client, element },
            58..72 => Step::Undo { client },
            72..80 => Step::Redo { client },
            80 => Step::Clear { client },
            81..83 => Step::Restore { client, back: random.below(20) },
            83 => Step::Title { client, number },
            84 => Step::Settings { client, number },
            85 => Step::Lock { client: client % 2, on: random.below(3) == 0 },
            86 => Step::Quiz { client: client % 2, on: random.below(2) == 0 },
            87..92 => Step::Cut { client },
            92..98 => Step::Settle,
            98 => Step::Stop,
            _ => Step::Kill,
        }
    }
}

/// A state of an element: the next version, and what no other language may touch.
fn edited(state: &State, element: u64, nonce: u64, deleted: bool) -> Element {
    let id = format!("e{element}");
    let version = state.element(&id).map_or(0, |known| known.stamp.version) + 1;
    let text = format!(
        r#"{{"id":"{id}","type":"rectangle","version":{version},"versionNonce":{nonce},"isDeleted":{deleted},"index":"a{element}","x":{version}.50,"by":{nonce}}}"#
    );
    Element::parse(&text).unwrap()
}

async fn settle(clients: &[Client]) {
    for (number, client) in clients.iter().enumerate() {
        let settled = timeout(PATIENCE * 3, client.settled()).await;
        settled.unwrap_or_else(|_| panic!("client {number} waits: {:?}", client.look(State::waiting))).unwrap();
    }
}

/// What a client shows, as text.
fn shown(state: &State) -> (Vec<String>, String, String) {
    let elements = state.elements().into_iter().map(|element| element.text.as_deref().unwrap().to_owned());
    (elements.collect(), state.title().unwrap_or("").to_owned(), state.settings().to_owned())
}

async fn run(plan: &Plan) {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    create(&data, "plan", Some("teach"), None);
    let port = server.port;
    let start = |number: usize| {
        let identity = Identity {
            key: format!("key-of-a-client-{number}"),
            session: format!("session-{number}"),
            name: format!("client {number}"),
            access: (number < 2).then(|| "teach".to_owned()),
            ..Identity::default()
        };
        let config = Config::new(address(port, "plan"), identity, plan.seed + number as u64);
        Client::start(Config { first_delay: Duration::from_millis(20), ..config })
    };
    let clients: Vec<Client> = (0..plan.clients).map(start).collect();
    settle(&clients).await;
    for step in &plan.steps {
        match *step {
            Step::Edit { client, element, nonce } => {
                clients[client].ask(|state| Request::change(vec![edited(state, element, nonce, false)]));
            }
            Step::Gesture { client, elements: (one, other), gesture } => {
                clients[client].ask(|state| Request::Change {
                    elements: [one, other].map(|element| edited(state, element, 9, false)).into(),
                    drafted: Vec::new(),
                    gesture: Some(gesture),
                });
            }
            Step::Delete { client, element } => {
                clients[client].ask(|state| Request::change(vec![edited(state, element, 1, true)]));
            }
            Step::Undo { client } => drop(clients[client].ask(|_| Request::Undo)),
            Step::Redo { client } => drop(clients[client].ask(|_| Request::Redo)),
            Step::Clear { client } => drop(clients[client].ask(|_| Request::Clear)),
            Step::Restore { client, back } => {
                clients[client].ask(|state| Request::Restore(state.seq().unwrap_or(0).saturating_sub(back)));
            }
            Step::Lock { client, on } => drop(clients[client].ask(|_| Request::Lock(on))),
            Step::Quiz { client, on } => drop(clients[client].ask(|_| Request::Quiz(on))),
            Step::Title { client, number } => {
                clients[client].ask(|_| Request::Title(format!("Title {number}")));
            }
            Step::Settings { client, number } => {
                clients[client].ask(|_| Request::Settings(serde_json::json!({ "number": number })));
            }
            Step::Cut { client } => clients[client].cut(),
            Step::Settle => settle(&clients).await,
            Step::Kill => {
                server.kill();
                server = Server::start_on(&data, port, &[]);
            }
            Step::Stop => {
                server.stop();
                server = Server::start_on(&data, port, &[]);
            }
        }
        // What was asked goes out; how far it gets until the next step is up to the machine.
        tokio::task::yield_now().await;
    }
    settle(&clients).await;
    // Everybody sees everything again, and hears of a last operation.
    for request in [Request::Lock(false), Request::Quiz(false), Request::Title("the end".into())] {
        clients[0].ask(|_| request.clone());
        settle(&clients).await;
    }
    let fresh = start(plan.clients);
    settle(std::slice::from_ref(&fresh)).await;
    let (seq, expected) = fresh.look(|state| (state.seq().unwrap(), shown(state)));
    for (number, client) in clients.iter().enumerate() {
        let caught_up = timeout(PATIENCE, client.until(|state| state.seq() >= Some(seq))).await;
        caught_up
            .unwrap_or_else(|_| panic!("client {number} is at {:?}, not at {seq}", client.look(State::seq)))
            .unwrap();
        assert_eq!(client.look(shown), expected, "client {number}");
    }
    server.stop();
    verify(&data);
    let server = Server::start_on(&data, port, &[]);
    let again = start(plan.clients + 1);
    settle(std::slice::from_ref(&again)).await;
    assert_eq!(again.look(shown), expected, "after a restart");
    drop(server);
}

/// Prints the plan if running it fails.
struct Printed<'a>(&'a Plan);

impl Drop for Printed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the plan that failed:\n{}", serde_json::to_string(self.0).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_ends_with_what_the_server_has() {
    if let Ok(file) = std::env::var("WHITEBOARD_PLAN") {
        let plan: Plan = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let _printed = Printed(&plan);
        return run(&plan).await;
    }
    let seeds = std::env::var("WHITEBOARD_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(4);
    for seed in (1..=seeds).chain(FOUND) {
        let plan = Plan::random(seed);
        let _printed = Printed(&plan);
        println!("seed {seed}: {} clients, {} steps", plan.clients, plan.steps.len());
        run(&plan).await;
    }
}

#[test]
fn plans_come_back_from_their_text() {
    let plan = Plan::random(7);
    let text = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(serde_json::to_string(&Plan::random(7)).unwrap(), text, "the same seed gives the same plan");
    assert_ne!(serde_json::to_string(&Plan::random(8)).unwrap(), text);
}
