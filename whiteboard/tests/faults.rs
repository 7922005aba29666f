//! Disks that are full, that do not keep what they were given, and that stop in the middle of a write: nothing that was
//! acknowledged is lost, nothing is half there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use support::native::{address, create};
use support::socket::{Client, Incoming};
use support::{PATIENCE, Server, data, verify};
use tokio::time::timeout;
use whiteboard::store::reserve;
use whiteboard_client as native;

/// A library that makes system calls fail when [`Faults::say`] tells it to.
struct Faults {
    directory: tempfile::TempDir,
}

impl Faults {
    /// Compiles the library; `None`, with the reason printed, where there is no C compiler.
    fn build() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faults.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(directory.path().join("faults.so"))
            .arg(source)
            .arg("-ldl")
            .output();
        match compiled {
            Err(error) => {
                println!("skipped: there is no C compiler ({error})");
                None
            }
            Ok(output) => {
                assert!(output.status.success(), "{}", support::said(&output));
                Some(Self { directory })
            }
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("fault")
    }

    /// From now on this happens; see faults.c.
    fn say(&self, fault: &str) {
        // Whole at once: the library may read at any moment.
        let new = self.directory.path().join("new");
        std::fs::write(&new, fault).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn mend(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    /// A server whose disk may fail.
    fn start(&self, data: &Path) -> Server {
        let library = self.directory.path().join("faults.so");
        let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("FAULT_FILE", self.file().to_str().unwrap())]
            .map(|(name, value)| (name, value.to_owned()));
        Server::start_with(data, &environment).unwrap()
    }
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Refused,
    Closed,
}

/// Draws stroke `n` on top of those before, and waits for what comes of it.
async fn draw(client: &mut Client, n: usize) -> Fate {
    // Long enough for several pages of the log.
    let strokes: Vec<String> = (0..=n).map(|n| format!("{n} {}", "x".repeat(9_000))).collect();
    let id = client.ask("update_paths", &serde_json::json!({ "paths": strokes }).to_string());
    let fate = async {
        loop {
            match client.next().await {
                Incoming::Ack(found) if found == id => return Fate::Acknowledged,
                Incoming::Event(name, _) if name == "error" => return Fate::Refused,
                Incoming::Closed(_) => return Fate::Closed,
                Incoming::Event(..) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(PATIENCE, fate).await.expect("an answer in time")
}

/// How many strokes the board has; all of them must be whole and in their place.
async fn strokes(port: u16) -> usize {
    let (_client, session) = Client::join(port, "physics").await;
    let session: serde_json::Value = serde_json::from_str(&session).unwrap();
    let paths = session["paths"].as_array().unwrap();
    for (n, stroke) in paths.iter().enumerate() {
        assert_eq!(stroke.as_str().unwrap(), format!("{n} {}", "x".repeat(9_000)));
    }
    paths.len()
}

/// Rows are not acknowledged when the disk could not promise to keep them; and since nobody knows then what is on disk,
/// the server ends, to start again from there.
#[tokio::test]
async fn what_the_disk_does_not_promise_is_not_acknowledged() {
    let Some(faults) = Faults::build() else { return };
    let (_directory, data) = data();
    let mut server = faults.start(&data);
    let (mut client, _) = Client::join(server.port, "physics").await;
    for n in 0..3 {
        assert_eq!(draw(&mut client, n).await, Fate::Acknowledged);
    }
    faults.say("fsync");
    assert_eq!(draw(&mut client, 3).await, Fate::Closed);
    assert_eq!(server.wait().code(), Some(1));
    let said: String = server.log.try_iter().collect();
    assert!(said.contains("could not be written") && said.contains("starts again"), "{said}");

    faults.mend();
    let server = faults.start(&data);
    let kept = strokes(server.port).await;
    assert!((3..=4).contains(&kept), "{kept} strokes are there, 3 were acknowledged and 4 were drawn");
    verify(&data);
}

/// The log of the database is cut off in the middle of a write, at each of the first writes of a commit.
#[tokio::test]
async fn a_write_torn_at_the_end_of_the_log_takes_nothing_with_it() {
    let Some(faults) = Faults::build() else { return };
    let (_directory, data) = data();
    let mut acknowledged = 0;
    for torn in 1..=8 {
        let mut server = faults.start(&data);
        let there = strokes(server.port).await;
        assert!((acknowledged..=acknowledged + 1).contains(&there), "{there} of {acknowledged} after write {torn} - 1");
        acknowledged = there;
        let (mut client, _) = Client::join(server.port, "physics").await;
        faults.say(&format!("torn:{torn}"));
        // A commit may have fewer writes than that: then a later one is torn.
        while draw(&mut client, acknowledged).await == Fate::Acknowledged {
            acknowledged += 1;
        }
        assert_eq!(server.wait().code(), None, "it was killed");
        faults.mend();
        verify(&data);
    }
    let server = faults.start(&data);
    let there = strokes(server.port).await;
    assert!((acknowledged..=acknowledged + 1).contains(&there), "{there} of {acknowledged}");
}

/// A file system of a few megabytes; unmounted when dropped.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, with the reason printed, where mounting is not allowed.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { directory }),
            Ok(output) => {
                println!("skipped: no file system can be mounted here ({})", support::said(&output).trim());
                None
            }
            Err(error) => {
                println!("skipped: there is no mount ({error})");
                None
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.directory.path().join("filler")).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.directory.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_changes_until_there_is_room_and_goes_on_being_read() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let mut server = Server::start(&disk.data(), &[]);
    let (mut client, _) = Client::join(server.port, "physics").await;
    let mut acknowledged = 0;
    while acknowledged < 3 {
        assert_eq!(draw(&mut client, acknowledged).await, Fate::Acknowledged);
        acknowledged += 1;
    }
    disk.fill();
    // What has room already may still be written; then it is over.
    let mut tries = 0;
    while draw(&mut client, acknowledged).await == Fate::Acknowledged {
        acknowledged += 1;
        tries += 1;
        assert!(tries < 2_000, "the disk never got full");
    }
    assert_eq!(
        draw(&mut client, acknowledged).await,
        Fate::Refused,
        "the connection stands, and each change is refused"
    );
    assert_eq!(
        strokes(server.port).await,
        acknowledged,
        "it can still be read, and only what was acknowledged is there"
    );

    disk.make_room();
    let drawn = timeout(PATIENCE, async { while draw(&mut client, acknowledged).await != Fate::Acknowledged {} });
    drawn.await.expect("drawing goes on soon after there is room");
    disk.fill();
    server.kill();
    disk.make_room();
    let mut server = Server::start(&disk.data(), &[]);
    assert_eq!(strokes(server.port).await, acknowledged + 1, "nothing is half-written");
    server.stop();
    verify(&disk.data());
}

/// A server that ended on a full disk starts on it: what is there can be read and backed up elsewhere, changes are refused,
/// and drawing goes on once there is room.
#[tokio::test]
async fn a_server_starts_on_a_full_disk_for_reading() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let marks = ["--disk-low-percent", "97", "--disk-full-percent", "97"];
    let backups = tempfile::tempdir().unwrap();
    let kept = disk.data().join(reserve::FILE);
    let mut acknowledged = 0;
    for killed in [false, true] {
        let mut server = Server::start(&disk.data(), &marks);
        let there_is_a_reserve = async {
            while !kept.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, there_is_a_reserve).await.expect("room is kept back");
        let (mut client, _) = Client::join(server.port, "physics").await;
        assert_eq!(draw(&mut client, acknowledged).await, Fate::Acknowledged);
        acknowledged += 1;
        // What a server that ends gives back is taken, too.
        disk.fill();
        if killed {
            server.kill();
            // As after a restart of a machine that did not keep it.
            std::fs::remove_file(disk.data().join("whiteboard.db-shm")).unwrap();
        } else {
            server.stop();
        }
        disk.fill();
        let mut server = Server::start(&disk.data(), &marks);
        assert_eq!(strokes(server.port).await, acknowledged);
        let (mut client, _) = Client::join(server.port, "physics").await;
        assert_eq!(draw(&mut client, acknowledged).await, Fate::Refused);
        let data = disk.data();
        let backup = ["backup", "--from", data.to_str().unwrap(), "--to", backups.path().to_str().unwrap()];
        let backup = support::whiteboard(&backup).output().unwrap();
        assert!(backup.status.success(), "{}", support::said(&backup));
        assert_eq!(strokes(server.port).await, acknowledged, "refused, and nothing of it is there");

        disk.make_room();
        let drawn = timeout(PATIENCE, async { while draw(&mut client, acknowledged).await != Fate::Acknowledged {} });
        drawn.await.expect("drawing goes on soon after there is room");
        acknowledged += 1;
        server.stop();
        verify(&disk.data());
    }
}

/// Every write to the database fails from one moment to the next, in the middle of drawing.
#[tokio::test]
async fn writes_that_fail_for_want_of_room_change_nothing() {
    let Some(faults) = Faults::build() else { return };
    let (_directory, data) = data();
    let mut server = faults.start(&data);
    let (mut client, _) = Client::join(server.port, "physics").await;
    assert_eq!(draw(&mut client, 0).await, Fate::Acknowledged);
    faults.say("full");
    assert_eq!(draw(&mut client, 1).await, Fate::Refused);
    assert_eq!(strokes(server.port).await, 1);
    faults.mend();
    assert_eq!(draw(&mut client, 1).await, Fate::Acknowledged);
    server.kill();
    let server = faults.start(&data);
    assert_eq!(strokes(server.port).await, 2);
    verify(&data);
}

/// Native clients are sent away when something could not be written, come back, and ask again until it is on disk.
#[tokio::test]
async fn what_could_not_be_written_is_asked_again_by_native_clients() {
    let Some(faults) = Faults::build() else { return };
    let (_directory, data) = data();
    let mut server = faults.start(&data);
    create(&data, "physics", None, None);
    let start = |number: u64| {
        let identity = native::Identity {
            key: format!("key-of-a-client-{number}"),
            session: format!("session-{number}"),
            ..native::Identity::default()
        };
        let config = native::Config::new(address(server.port, "physics"), identity, number);
        native::Client::start(native::Config { first_delay: Duration::from_millis(10), ..config })
    };
    let text = |id: &str| format!(r#"{{"id":"{id}","type":"rectangle","version":1,"versionNonce":1}}"#);
    let request = |id: &str| native::Request::change(vec![native::Element::parse(&text(id)).unwrap()]);
    let (one, other) = (start(1), start(2));
    for client in [&one, &other] {
        timeout(PATIENCE, client.settled()).await.unwrap().unwrap();
        client.record();
    }
    faults.say("full");
    // Several are on their way when the first of them fails.
    for id in ["a", "b", "c"] {
        one.ask(|_| request(id));
    }
    other.ask(|_| native::Request::Undo);
    timeout(PATIENCE, one.until(|state| state.welcome().is_none())).await.expect("it is sent away").unwrap();
    assert_eq!(one.look(native::State::waiting), 3, "nothing was answered");
    faults.mend();
    for client in [&one, &other] {
        timeout(PATIENCE, client.settled()).await.expect("an answer in time").unwrap();
    }
    let acknowledged = |happenings: Vec<native::Happening>| -> Vec<u64> {
        let id = |happening| if let native::Happening::Acknowledged { id, .. } = happening { Some(id) } else { None };
        happenings.into_iter().filter_map(id).collect()
    };
    assert_eq!(acknowledged(one.happenings()), [1, 2, 3]);
    assert_eq!(acknowledged(other.happenings()), [1]);
    let seq = one.look(native::State::seq);
    assert_eq!(seq, Some(3), "each once");
    timeout(PATIENCE, other.until(|state| state.seq() == seq)).await.unwrap().unwrap();
    assert_eq!(other.look(|state| state.elements().len()), 3);
    server.kill();
    verify(&data);
}
