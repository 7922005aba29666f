//! What every dialect's board has in common: requests in, an [`Outcome`] out.
//!
//! A board is pure: it owns no socket, file or clock. A room (see [`crate::room`]) gives it requests in one order, writes
//! its records down, and hands its events out once they may leave. Whole lessons therefore run inside a unit test.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// Number of a client within the process; never used twice.
pub type ClientId = u64;

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since the room started. Never goes back: intervals are measured by this.
    pub run: Duration,
    /// Wall clock, milliseconds since 1970. May jump: only for what people read.
    pub unix_ms: i64,
}

/// Who receives an event. Everybody but [`Self::One`] means: of those who have joined completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    One(ClientId),
    Others(ClientId),
    All,
    Only(Arc<[ClientId]>),
}

/// An event with its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect<E> {
    pub to: To,
    pub event: E,
}

/// Why the server ended a connection. Which close code that is, each dialect says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// Too much was waiting for it; it resumes when it comes back.
    SlowReader,
    /// It did not answer a ping, or did not say hello in time.
    NoAnswer,
    /// Nothing happened on its board for long.
    SessionEnded,
    /// The server is stopping.
    Shutdown,
    /// It does not speak the protocol.
    Misuse,
    /// A message was larger than the limit.
    TooLarge,
    /// More large messages were coming from all clients together than there is memory for.
    Busy,
    /// It sent more messages than the limit, for long.
    TooMany,
    /// The board cannot be read from the disk.
    Unreadable,
    /// The board went back to what is on disk while this client was joining.
    Unsaved,
    /// New boards are refused: the disk is almost full, or there are as many boards as are allowed.
    Refused,
    /// It showed no secret that opens this board.
    Access,
    /// There is no such board.
    UnknownBoard,
    /// The board was deleted.
    Deleted,
    /// The client speaks another version of the protocol.
    Version,
}

impl Closed {
    /// Each reason, for tables.
    pub const ALL: [Self; 15] = [
        Self::SlowReader,
        Self::NoAnswer,
        Self::SessionEnded,
        Self::Shutdown,
        Self::Misuse,
        Self::TooLarge,
        Self::Busy,
        Self::TooMany,
        Self::Unreadable,
        Self::Unsaved,
        Self::Refused,
        Self::Access,
        Self::UnknownBoard,
        Self::Deleted,
        Self::Version,
    ];

    /// The reason as one word, for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::NoAnswer => "no_answer",
            Self::SessionEnded => "session_ended",
            Self::Shutdown => "shutdown",
            Self::Misuse => "misuse",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::TooMany => "too_many",
            Self::Unreadable => "unreadable",
            Self::Unsaved => "unsaved",
            Self::Refused => "refused",
            Self::Access => "access",
            Self::UnknownBoard => "unknown_board",
            Self::Deleted => "deleted",
            Self::Version => "version",
        }
    }
}

/// Why a room refuses something on its own, without asking the board's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The board cannot be read from the disk.
    Unreadable,
    /// A new board, while the disk is almost full.
    DiskLow,
    /// A change, while the disk is full but for a reserve.
    DiskFull,
    /// A new board, while there are as many as are allowed.
    TooManyBoards,
    /// A new board, while the address has begun as many within an hour as are allowed.
    TooManyOfAddress,
    /// The last changes could not be written and were taken back.
    Unsaved,
    /// The board was deleted, and can still be brought back.
    Deleted,
}

impl Refusal {
    /// The code of PROTOCOL.md.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable | Self::Unsaved => "internal",
            Self::DiskLow => "disk-low",
            Self::DiskFull => "disk-full",
            Self::TooManyBoards | Self::TooManyOfAddress => "too-many",
            Self::Deleted => "deleted-board",
        }
    }

    /// What the person is told.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreadable => "This board cannot be read at the moment. Ask the person who runs the server.",
            Self::DiskLow => {
                "The server's disk is almost full: it takes no new boards, older ones go on. \
                 Tell the person who runs the server."
            }
            Self::DiskFull => {
                "The server's disk is full: nothing can be changed, looking and exporting go on. \
                 Tell the person who runs the server."
            }
            Self::TooManyBoards => {
                "The server has as many boards as it may have. Use an older one, \
                 or ask the person who runs the server to delete some or to raise MAX_BOARDS."
            }
            Self::TooManyOfAddress => {
                "Your address has begun as many new boards as it may within an hour. Use an older one, try again later, \
                 or ask the person who runs the server to raise NEW_BOARDS_PER_ADDRESS."
            }
            Self::Unsaved => {
                "The last change could not be saved and was taken back. Tell the person who runs the server."
            }
            Self::Deleted => "This board was deleted. Who runs the server can bring it back for a while.",
        }
    }
}

/// What a request leads to.
#[derive(Debug)]
pub struct Outcome<E> {
    /// Rows for the log, in order.
    pub records: Vec<String>,
    /// Leave once these records, and everything before them, are on disk.
    pub effects: Vec<Effect<E>>,
    /// Leave at once and may be lost: a newer one of the same slot (see [`Tell::slot`]) takes the place of one that a
    /// slow reader has not taken yet.
    pub volatile: Vec<Effect<E>>,
    /// Connections to close, after the effects.
    pub closes: Vec<(ClientId, Closed)>,
}

impl<E> Default for Outcome<E> {
    fn default() -> Self {
        Self { records: Vec::new(), effects: Vec::new(), volatile: Vec::new(), closes: Vec::new() }
    }
}

impl<E> Outcome<E> {
    /// An event that waits for the disk.
    pub fn push(&mut self, to: To, event: E) {
        self.effects.push(Effect { to, event });
    }

    /// An event that waits for nothing.
    pub fn push_volatile(&mut self, to: To, event: E) {
        self.volatile.push(Effect { to, event });
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.effects.is_empty() && self.volatile.is_empty() && self.closes.is_empty()
    }
}

/// One request of one client, in the order in which the client made them.
#[derive(Debug)]
pub struct Request<A> {
    pub client: ClientId,
    pub action: A,
    /// The number under which the client wants to hear that this is on disk.
    pub ack: Option<u64>,
}

/// Why a row of the log or a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("an entry of the log is not readable: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an entry of the log does not fit its board: {0}")]
    Misfit(String),
}

/// The durable part of a board: what comes back after `kill -9`.
pub trait Durable: Default + Send + 'static {
    /// Goes through one row of the log. After an error the value is not to be used.
    fn replay(&mut self, record: &str) -> Result<(), RecordError>;
    /// All of it as one text. Equal states give equal texts.
    fn encode(&self) -> String;
    /// The inverse of [`Self::encode`].
    fn decode(text: &str) -> Result<Self, RecordError>;
    /// [`Self::decode`] of a text that nobody else needs: what the board is made of may stay in it.
    fn take(text: String) -> Result<Self, RecordError> {
        Self::decode(&text)
    }
    /// Looks at what [`Self::decode`] takes on trust because looking takes long; for backups.
    fn inspect(&self) -> Result<(), RecordError> {
        Ok(())
    }
    /// How many strokes, elements or objects there are; for the manifests of backups.
    fn count(&self) -> u64;
}

/// What a client asks for.
pub trait Act: Debug + Send + 'static {
    /// Bytes of what the client sent along.
    fn weight(&self) -> usize;
    /// Whether a person did something: it puts off the end of an idle session, and is counted.
    fn is_activity(&self) -> bool;
    /// Whether it may write to the disk; refused (see [`Core::refuse`]) while the disk is full.
    fn is_change(&self) -> bool;
}

/// What a board tells its clients.
pub trait Tell: Clone + Debug + Send + 'static {
    /// Bytes of the lists, images and elements in it, about.
    fn weight(&self) -> usize;
    /// For volatile events: one key for each sender and kind; of each key only the newest counts. None: each counts.
    fn slot(&self) -> Option<u64>;
    /// Whether a later replaceable event says everything that this one says (a whole board).
    fn replaceable(&self) -> bool;
    /// Whether it is a part of the whole board, which may be longer than what may wait for a client otherwise (see
    /// [`crate::room::outbox`]). Cloning shares it: for who joins it is put into words when the ones before have left.
    fn is_whole(&self) -> bool {
        false
    }
    /// Whether it tells a client that something was refused; counted.
    fn is_error(&self) -> bool {
        false
    }
}

/// What the store knows about a board besides its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardMeta {
    /// What people call the board's address; its session code or id.
    pub code: Arc<str>,
    /// Its title, if somebody gave it one outside of its log.
    pub title: Option<String>,
    /// Whether it is on disk already.
    pub exists: bool,
    /// SHA-256 of the secret that makes a teacher, if it has one.
    pub teacher: Option<[u8; 32]>,
    /// SHA-256 of the secret that lets people look only, if it has one.
    pub look: Option<[u8; 32]>,
    /// When it was deleted, milliseconds since 1970.
    pub deleted: Option<i64>,
}

/// What a board may hold. All of them are settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Elements, strokes or objects that are not deleted.
    pub elements: usize,
    /// Bytes of all of them together.
    pub bytes: usize,
    /// Bytes of one element.
    pub element_bytes: usize,
    /// Bytes of one message from a client of the native dialect.
    pub message_bytes: usize,
    /// Bytes of one file (image), and of all files of a board.
    pub file_bytes: u64,
    pub files_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            elements: 50_000,
            bytes: 64 << 20,
            element_bytes: 1 << 20,
            message_bytes: 16 << 20,
            file_bytes: 16 << 20,
            files_bytes: 256 << 20,
        }
    }
}

/// What a board is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Number of the last operation on disk; the next record is number `seq + 1`.
    pub seq: u64,
    /// The life of the database: another one after a restore, so that numbers of operations mean something else.
    pub epoch: Arc<str>,
    pub now: Moment,
    /// For how long nothing had been recorded.
    pub idle: Duration,
    pub meta: BoardMeta,
    pub limits: Limits,
    /// Without activity for so long, a lock is lifted (classroom contract: 90 minutes).
    pub unlock_after: Duration,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            seq: 0,
            epoch: Arc::default(),
            now: Moment::default(),
            idle: Duration::ZERO,
            meta: BoardMeta::default(),
            limits: Limits::default(),
            unlock_after: Duration::from_mins(90),
        }
    }
}

/// A board in use: what a room runs.
///
/// The room gives each record the number that follows the last one: the first record after opening is
/// `opening.seq + 1`. It hands out effects, volatile ones too, to those clients only whose joining is done: a
/// client gets what is for all once the effects of its own first request have left.
pub trait Core: Sized + Send + 'static {
    type State: Durable;
    type Action: Act;
    type Event: Tell;

    /// A board as it was loaded.
    fn open(state: Self::State, opening: Opening) -> Self;
    /// The durable part, as of the last record returned.
    fn state(&self) -> &Self::State;
    /// Does what a client asks for. A client's first request is its joining, its last one is [`Self::leave`].
    fn handle(&mut self, request: Request<Self::Action>, now: Moment) -> Outcome<Self::Event>;
    /// Answers a request that the room refuses; nothing may be changed and nothing recorded. A client that shows its
    /// own changes at once must be told how the board is.
    fn refuse(&mut self, request: Request<Self::Action>, refusal: Refusal, now: Moment) -> Outcome<Self::Event>;
    /// The event that tells somebody who cannot join why.
    fn turned_away(refusal: Refusal) -> Self::Event;
    /// The request that is made for a client whose connection has ended.
    fn leave() -> Self::Action;
    /// When [`Self::tick`] wants to be called next, as [`Moment::run`].
    fn next_tick(&self) -> Option<Duration>;
    /// Does what time demands.
    fn tick(&mut self, now: Moment) -> Outcome<Self::Event>;
    /// Nothing happened for long: all clients are about to be closed.
    fn end_session(&mut self, now: Moment) -> Outcome<Self::Event>;
    /// Puts the board back to what is on disk, after a write that failed. Events that waited for the disk were never
    /// sent. Everybody still here gets the board as it is, and `sentence`; clients whose joining was not done have been
    /// closed and leave by themselves.
    fn reload(&mut self, state: Self::State, opening: Opening, sentence: &str) -> Outcome<Self::Event>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_reason_has_a_label_of_its_own() {
        let labels: HashSet<&str> = Closed::ALL.into_iter().map(Closed::label).collect();
        assert_eq!(labels.len(), Closed::ALL.len());
        assert!(labels.iter().all(|label| label.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
    }

    #[test]
    fn refusals_are_sentences_with_codes_of_the_protocol() {
        for (refusal, code) in [
            (Refusal::Unreadable, "internal"),
            (Refusal::DiskLow, "disk-low"),
            (Refusal::DiskFull, "disk-full"),
            (Refusal::TooManyBoards, "too-many"),
            (Refusal::TooManyOfAddress, "too-many"),
            (Refusal::Unsaved, "internal"),
        ] {
            assert_eq!(refusal.code(), code);
            assert!(refusal.sentence().ends_with('.') && !refusal.sentence().contains("  "), "{refusal:?}");
        }
    }

    #[test]
    fn an_outcome_knows_whether_it_asks_for_anything() {
        let mut outcome = Outcome::default();
        assert!(outcome.is_empty());
        outcome.push_volatile(To::All, 1);
        assert!(!outcome.is_empty());
        outcome.push(To::One(3), 2);
        assert_eq!(outcome.effects, [Effect { to: To::One(3), event: 2 }]);
        assert_eq!(outcome.volatile, [Effect { to: To::All, event: 1 }]);
        let closing = Outcome::<u8> { closes: vec![(1, Closed::Access)], ..Outcome::default() };
        assert!(!closing.is_empty());
    }
}
