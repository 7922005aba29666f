//! Register, log in, log out; what a session is; who may do what.

use super::password::{PasswordError, Passwords};
use super::{Live, Token, color, rules};
use crate::board::canvas::{Role, User};
use crate::board::core::Refusal;
use crate::limits::attempts::Attempts;
use crate::limits::space::Space;
use crate::store::accounts::{self as rows, Account, Entry, Taken, Unchanged};
use crate::store::clock::now as unix_ms;
use crate::store::{Store, StoreError};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// In how long a time guesses are counted.
const WINDOW: Duration = Duration::from_mins(15);

/// Wrong passwords within [`WINDOW`]: of one address for one account, for one account from everywhere, and of one
/// address for all accounts (a school may have one).
const GUESSES: u32 = 10;
const GUESSES_OF_ACCOUNT: u32 = 100;
const GUESSES_OF_ADDRESS: u32 = 200;

/// Why something about an account was refused, for the person.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("Email, username, and password are required.")]
    Missing,
    #[error("This is no e-mail address.")]
    Email,
    #[error("A username has 3 to 30 letters, digits, _ or -.")]
    Username,
    #[error("Password must be at least 8 characters, and at most 1024 bytes.")]
    Password,
    #[error("A colour is written like #f80 or #ff8800.")]
    Color,
    #[error("Email already registered.")]
    EmailTaken,
    #[error("Username already taken.")]
    UsernameTaken,
    #[error("Invalid credentials.")]
    Credentials,
    #[error("Too many attempts. Try again in {} s.", wait.as_secs() + 1)]
    TooMany { wait: Duration },
    #[error("Invalid or expired session")]
    NoSession,
    #[error("There is no such canvas.")]
    NoCanvas,
    #[error("There is nobody of that name.")]
    NoUser,
    #[error("Only an owner of the canvas may do that.")]
    NotOwner,
    #[error("A canvas needs an owner: name another one first.")]
    LastOwner,
    #[error("This canvas was deleted. The person who runs the server can bring it back.")]
    Deleted,
    /// No new canvases at the moment, and why.
    #[error("{0}")]
    Refused(&'static str),
    /// The disk is full: nothing about accounts and roles can be changed.
    #[error("{}", Refusal::DiskFull.sentence())]
    DiskFull,
    #[error(transparent)]
    Hashing(#[from] PasswordError),
    #[error("The session could not be made: {0}. Tell the person who runs the server.")]
    Token(String),
    #[error("{0} Tell the person who runs the server.")]
    Store(#[from] StoreError),
}

/// A valid session.
#[derive(Clone, Debug)]
pub struct Session {
    pub token: Token,
    pub user: User,
    pub email: String,
    /// When it ends, milliseconds since 1970.
    pub ends: i64,
}

#[derive(Debug)]
struct Guard {
    guesses: Attempts<(IpAddr, String)>,
    of_account: Attempts<String>,
    of_address: Attempts<IpAddr>,
    registrations: Attempts<IpAddr>,
}

/// The accounts of a server.
///
/// While the disk is full, accounts, colours and roles stay as they are. Logging in and out goes on: people must get at what
/// they have drawn, to look at it or to take it away, and a session is one row, of which each person has few.
#[derive(Debug)]
pub struct Accounts {
    store: Store,
    space: Arc<Space>,
    passwords: Passwords,
    guard: Mutex<Guard>,
    start: Instant,
    timeout: Duration,
    /// Connections opened with a session.
    pub live: Live,
}

impl Accounts {
    /// Sessions end `timeout` after they began; `registrations`: accounts that one address may make within an hour.
    pub fn new(store: Store, space: Arc<Space>, timeout: Duration, registrations: u32) -> Self {
        let guard = Guard {
            guesses: Attempts::new(GUESSES, WINDOW),
            of_account: Attempts::new(GUESSES_OF_ACCOUNT, WINDOW),
            of_address: Attempts::new(GUESSES_OF_ADDRESS, WINDOW),
            registrations: Attempts::new(registrations, Duration::from_hours(1)),
        };
        Self {
            store,
            space,
            passwords: Passwords::default(),
            guard: Mutex::new(guard),
            start: Instant::now(),
            timeout,
            live: Live::default(),
        }
    }

    /// For how long a session lasts.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Makes an account and logs its person in.
    pub async fn register(
        &self,
        email: &str,
        username: &str,
        password: String,
        address: IpAddr,
    ) -> Result<Session, AccountError> {
        if email.is_empty() || username.is_empty() || password.is_empty() {
            return Err(AccountError::Missing);
        }
        let email = rules::email(email).ok_or(AccountError::Email)?;
        if !rules::is_username(username) {
            return Err(AccountError::Username);
        }
        if !rules::is_password(&password) {
            return Err(AccountError::Password);
        }
        self.takes_changes()?;
        let now = self.start.elapsed();
        let address = network(address);
        self.guard().registrations.begin(&address, now).map_err(|wait| AccountError::TooMany { wait })?;
        let hash = self.passwords.hash(password).await?;
        let (row_email, username) = (email.clone(), username.to_owned());
        let (token, began) = (new_token()?, unix_ms());
        let (shown, expired) = (token.clone(), self.expired(began));
        let account = self
            .store
            .writer
            .transact(move |transaction| {
                let id = match rows::add(transaction, &row_email, &username, &hash, began)? {
                    Ok(id) => id,
                    Err(taken) => return Ok(Err(taken)),
                };
                rows::begin_session(transaction, id, &shown.hash(), began, expired)?;
                Ok(Ok(Account { id, email: row_email, username, password: hash, color: None }))
            })
            .await?
            .map_err(|taken| match taken {
                Taken::Email => AccountError::EmailTaken,
                Taken::Username => AccountError::UsernameTaken,
            })?;
        Ok(self.session_of(account, token, began))
    }

    /// Begins a session for who knows the password of an account; `name` is its e-mail address or user name.
    pub async fn log_in(&self, name: &str, password: String, address: IpAddr) -> Result<Session, AccountError> {
        let name = name.trim().to_owned();
        if name.is_empty() || password.is_empty() {
            return Err(AccountError::Missing);
        }
        let key = (network(address), name.to_lowercase());
        self.begin_guess(&key)?;
        let email = key.1.clone();
        let account = self.read(move |connection| rows::find(connection, &email, &name)).await?;
        let stored = account.as_ref().map(|account| account.password.clone());
        let good = self.passwords.verify(password, stored).await?;
        let Some(account) = account.filter(|_| good) else { return Err(AccountError::Credentials) };
        self.guessed(&key);
        let (token, began) = (new_token()?, unix_ms());
        let (user, hash, expired) = (account.id, token.hash(), self.expired(began));
        self.store
            .writer
            .transact(move |transaction| rows::begin_session(transaction, user, &hash, began, expired))
            .await?;
        Ok(self.session_of(account, token, began))
    }

    /// The first of these tokens that is a valid session.
    pub async fn session(&self, tokens: Vec<Token>) -> Result<Session, AccountError> {
        if tokens.is_empty() {
            return Err(AccountError::NoSession);
        }
        let expired = self.expired(unix_ms());
        let found = self
            .read(move |connection| {
                for token in tokens {
                    if let Some((account, began)) = rows::session(connection, &token.hash(), expired)? {
                        return Ok(Some((account, token, began)));
                    }
                }
                Ok(None)
            })
            .await?;
        let (account, token, began) = found.ok_or(AccountError::NoSession)?;
        Ok(self.session_of(account, token, began))
    }

    /// Notes when a session was used last, for who looks after the server. That it fails, or that nothing is noted while
    /// the disk is full, harms nobody.
    pub async fn see(&self, token: &Token) {
        if self.space.is_full() {
            return;
        }
        let (hash, now) = (token.hash(), unix_ms());
        let seen = self.store.writer.transact(move |transaction| rows::see_session(transaction, &hash, now)).await;
        if let Err(error) = seen {
            tracing::debug!("the use of a session was not noted: {error}");
        }
    }

    /// Ends these sessions and closes their connections; false if none of them was one.
    pub async fn log_out(&self, tokens: Vec<Token>) -> Result<bool, AccountError> {
        let hashes: Vec<[u8; 32]> = tokens.iter().map(Token::hash).collect();
        let mut ended = false;
        for hash in hashes {
            ended |= self.store.writer.transact(move |transaction| rows::end_session(transaction, &hash)).await?;
            self.live.logged_out(&hash);
        }
        Ok(ended)
    }

    /// Keeps the colour that somebody chose.
    pub async fn set_color(&self, user: i64, color: &str) -> Result<(), AccountError> {
        if !crate::board::canvas::rules::is_color(color) {
            return Err(AccountError::Color);
        }
        self.takes_changes()?;
        let color = color.to_owned();
        Ok(self.store.writer.transact(move |transaction| rows::set_color(transaction, user, &color)).await?)
    }

    /// What somebody may do on a canvas, before it is opened; none: it would be a new one.
    pub async fn role(&self, canvas: &str, user: i64) -> Result<Option<Role>, AccountError> {
        let canvas = canvas.to_owned();
        let entry = self.read(move |connection| rows::entry(connection, &canvas, user)).await?;
        role_of(entry)
    }

    /// [`Self::role`]; a canvas that there is not yet is made, and this person owns it.
    pub async fn open(&self, canvas: &str, user: i64) -> Result<Role, AccountError> {
        let (canvas, now) = (canvas.to_owned(), unix_ms());
        let opened = self.store.writer.transact(move |transaction| rows::open(transaction, &canvas, user, now));
        role_of(opened.await?)?.ok_or(AccountError::NoCanvas)
    }

    /// Gives somebody a role (none: that of everybody), if `by` owns the canvas. Their connections begin anew.
    pub async fn set_role(
        &self,
        canvas: &str,
        by: i64,
        username: &str,
        role: Option<Role>,
    ) -> Result<(), AccountError> {
        self.takes_changes()?;
        let (code, username) = (canvas.to_owned(), username.to_owned());
        let user = self
            .store
            .writer
            .transact(move |transaction| rows::set_role(transaction, &code, by, &username, role))
            .await?
            .map_err(|unchanged| match unchanged {
                Unchanged::NoCanvas => AccountError::NoCanvas,
                Unchanged::NoUser => AccountError::NoUser,
                Unchanged::NotOwner => AccountError::NotOwner,
                Unchanged::LastOwner => AccountError::LastOwner,
            })?;
        self.live.role_changed(user, canvas);
        Ok(())
    }

    /// Who has a role on a canvas: number, name, role.
    pub async fn roles(&self, canvas: &str) -> Result<Vec<(i64, String, Role)>, AccountError> {
        let canvas = canvas.to_owned();
        self.read(move |connection| rows::roles(connection, &canvas)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AccountError> {
        let reader = self.store.reader.clone();
        let path = reader.path().to_owned();
        match tokio::task::spawn_blocking(move || reader.read(look)).await {
            Ok(read) => Ok(read?),
            Err(panic) => Err(StoreError::Directory { path, source: std::io::Error::other(panic) }.into()),
        }
    }

    /// An error while the disk is full.
    fn takes_changes(&self) -> Result<(), AccountError> {
        if self.space.is_full() { Err(AccountError::DiskFull) } else { Ok(()) }
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        // Each change of the counters is a single call.
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a guess before it is made: many at once are as many as one after the other.
    fn begin_guess(&self, key: &(IpAddr, String)) -> Result<(), AccountError> {
        let now = self.start.elapsed();
        let mut guard = self.guard();
        let allowed = guard
            .guesses
            .begin(key, now)
            .and_then(|()| guard.of_account.begin(&key.1, now))
            .and_then(|()| guard.of_address.begin(&key.0, now));
        allowed.map_err(|wait| AccountError::TooMany { wait })
    }

    /// The guess was right.
    fn guessed(&self, key: &(IpAddr, String)) {
        let mut guard = self.guard();
        guard.guesses.clear(key);
        guard.of_account.take_back(&key.1);
        guard.of_address.take_back(&key.0);
    }

    /// Sessions that began before this have ended.
    fn expired(&self, now: i64) -> i64 {
        now.saturating_sub(i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX))
    }

    fn session_of(&self, account: Account, token: Token, began: i64) -> Session {
        let color = account.color.as_deref().unwrap_or(color::of(account.id)).into();
        let user = User { id: account.id, username: account.username.into(), color };
        let lasts = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        Session { token, user, email: account.email, ends: began.saturating_add(lasts) }
    }
}

fn new_token() -> Result<Token, AccountError> {
    Token::random().map_err(|error| AccountError::Token(error.to_string()))
}

fn role_of(entry: Entry) -> Result<Option<Role>, AccountError> {
    match entry {
        Entry::Role(role) => Ok(Some(role)),
        Entry::Default => Ok(Some(Role::Editor)),
        Entry::New => Ok(None),
        Entry::Deleted => Err(AccountError::Deleted),
    }
}

/// Whom an address stands for: of IPv6 one has a whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests;
