//! Accounts, their sessions, and who may do what on which canvas. Each function is one step inside a transaction of the
//! writer, or one look of a reader.

use super::BoardName;
use crate::board::canvas::Role;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

/// Sessions of one person that are kept; the oldest go first.
const SESSIONS: i64 = 50;

/// An account as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: i64,
    pub email: String,
    pub username: String,
    /// PHC text.
    pub password: String,
    /// The colour that the person chose.
    pub color: Option<String>,
}

/// What a new account cannot have because somebody has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Email,
    Username,
}

/// What somebody finds who opens a canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A canvas on which nothing was said about this person: whoever knows its address may edit it (contract).
    Default,
    Role(Role),
    /// There is no such canvas yet.
    New,
    /// It was deleted.
    Deleted,
}

/// Why a role was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    NoCanvas,
    NoUser,
    NotOwner,
    /// Somebody must remain who can say who may do what.
    LastOwner,
}

/// Adds an account; returns its number. The e-mail address is in lower case already; of user names that differ in case
/// only one is given away.
pub fn add(
    connection: &Connection,
    email: &str,
    username: &str,
    password: &str,
    now: i64,
) -> Result<std::result::Result<i64, Taken>> {
    let taken = |sql: &str, value: &str| connection.prepare_cached(sql)?.exists([value]);
    if taken("SELECT 1 FROM users WHERE email = ?1", email)? {
        return Ok(Err(Taken::Email));
    }
    if taken("SELECT 1 FROM users WHERE username = ?1 COLLATE NOCASE", username)? {
        return Ok(Err(Taken::Username));
    }
    connection
        .prepare_cached("INSERT INTO users (email, username, password, color, created) VALUES (?1, ?2, ?3, '', ?4)")?
        .execute(params![email, username, password, now])?;
    Ok(Ok(connection.last_insert_rowid()))
}

/// The account of that e-mail address (in lower case) or user name.
pub fn find(connection: &Connection, email: &str, username: &str) -> Result<Option<Account>> {
    connection
        .prepare_cached("SELECT id, email, username, password, color FROM users WHERE email = ?1 OR username = ?2")?
        .query_row([email, username], account)
        .optional()
}

/// Begins a session; sessions begun before `expired` are forgotten on the occasion.
pub fn begin_session(connection: &Connection, user: i64, token: &[u8; 32], now: i64, expired: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM sessions WHERE created < ?1")?.execute([expired])?;
    connection
        .prepare_cached("INSERT INTO sessions (token, user, created, seen) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![token, user, now])?;
    connection
        .prepare_cached(
            "DELETE FROM sessions WHERE user = ?1 AND token NOT IN
             (SELECT token FROM sessions WHERE user = ?1 ORDER BY created DESC, rowid DESC LIMIT ?2)",
        )?
        .execute(params![user, SESSIONS])?;
    Ok(())
}

/// The account of a session, and when that session began, unless that was before `expired`.
pub fn session(connection: &Connection, token: &[u8; 32], expired: i64) -> Result<Option<(Account, i64)>> {
    connection
        .prepare_cached(
            "SELECT users.id, email, username, password, color, sessions.created
             FROM sessions JOIN users ON users.id = sessions.user WHERE token = ?1 AND sessions.created >= ?2",
        )?
        .query_row(params![token, expired], |row| Ok((account(row)?, row.get(5)?)))
        .optional()
}

/// Notes that a session was used.
pub fn see_session(connection: &Connection, token: &[u8; 32], now: i64) -> Result<()> {
    connection.prepare_cached("UPDATE sessions SET seen = ?2 WHERE token = ?1")?.execute(params![token, now])?;
    Ok(())
}

/// Ends a session; false if there was none.
pub fn end_session(connection: &Connection, token: &[u8; 32]) -> Result<bool> {
    Ok(connection.prepare_cached("DELETE FROM sessions WHERE token = ?1")?.execute([token])? > 0)
}

pub fn set_color(connection: &Connection, user: i64, color: &str) -> Result<()> {
    connection.prepare_cached("UPDATE users SET color = ?2 WHERE id = ?1")?.execute(params![user, color])?;
    Ok(())
}

/// What somebody finds who opens a canvas.
pub fn entry(connection: &Connection, canvas: &str, user: i64) -> Result<Entry> {
    let found: Option<(Option<i64>, Option<String>)> = connection
        .prepare_cached(
            "SELECT deleted, (SELECT role FROM roles WHERE board = boards.id AND user = ?3)
             FROM boards WHERE dialect = ?1 AND code = ?2",
        )?
        .query_row(params![BoardName::CANVAS, canvas, user], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Entry::New,
        Some((Some(_), _)) => Entry::Deleted,
        // A role that this release does not know gives no right to change anything.
        Some((None, Some(name))) => Entry::Role(Role::named(&name).unwrap_or(Role::Viewer)),
        Some((None, None)) => Entry::Default,
    })
}

/// [`entry`], and where there is no canvas yet, it is made and this person owns it.
pub fn open(connection: &Connection, canvas: &str, user: i64, now: i64) -> Result<Entry> {
    let entry = entry(connection, canvas, user)?;
    if entry != Entry::New {
        return Ok(entry);
    }
    connection
        .prepare_cached("INSERT INTO boards (dialect, code, created, changed) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![BoardName::CANVAS, canvas, now])?;
    write_role(connection, connection.last_insert_rowid(), user, Some(Role::Owner))?;
    Ok(Entry::Role(Role::Owner))
}

/// Gives somebody a role, or takes what was said about them back, if `by` owns the canvas. Returns the person's number.
pub fn set_role(
    connection: &Connection,
    canvas: &str,
    by: i64,
    username: &str,
    role: Option<Role>,
) -> Result<std::result::Result<i64, Unchanged>> {
    let Some(board) = board(connection, canvas)? else { return Ok(Err(Unchanged::NoCanvas)) };
    if entry(connection, canvas, by)? != Entry::Role(Role::Owner) {
        return Ok(Err(Unchanged::NotOwner));
    }
    let Some(user) = connection
        .prepare_cached("SELECT id FROM users WHERE username = ?1 COLLATE NOCASE")?
        .query_row([username], |row| row.get::<_, i64>(0))
        .optional()?
    else {
        return Ok(Err(Unchanged::NoUser));
    };
    let has_other_owner = connection
        .prepare_cached("SELECT 1 FROM roles WHERE board = ?1 AND role = 'owner' AND user <> ?2")?
        .exists(params![board, user])?;
    if role != Some(Role::Owner) && !has_other_owner {
        return Ok(Err(Unchanged::LastOwner));
    }
    write_role(connection, board, user, role)?;
    Ok(Ok(user))
}

/// Who has a role on a canvas: number, name, role.
pub fn roles(connection: &Connection, canvas: &str) -> Result<Vec<(i64, String, Role)>> {
    connection
        .prepare_cached(
            "SELECT users.id, username, role FROM roles JOIN users ON users.id = roles.user
             JOIN boards ON boards.id = roles.board WHERE dialect = ?1 AND code = ?2 ORDER BY username",
        )?
        .query_map(params![BoardName::CANVAS, canvas], |row| {
            let role: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, Role::named(&role).unwrap_or(Role::Viewer)))
        })?
        .collect()
}

fn board(connection: &Connection, canvas: &str) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM boards WHERE dialect = ?1 AND code = ?2 AND deleted IS NULL")?
        .query_row(params![BoardName::CANVAS, canvas], |row| row.get(0))
        .optional()
}

fn write_role(connection: &Connection, board: i64, user: i64, role: Option<Role>) -> Result<()> {
    match role {
        Some(role) => connection
            .prepare_cached("INSERT OR REPLACE INTO roles (board, user, role) VALUES (?1, ?2, ?3)")?
            .execute(params![board, user, role.name()])?,
        None => connection
            .prepare_cached("DELETE FROM roles WHERE board = ?1 AND user = ?2")?
            .execute(params![board, user])?,
    };
    Ok(())
}

fn account(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        email: row.get(1)?,
        username: row.get(2)?,
        password: row.get(3)?,
        // Empty as long as the person chose none.
        color: Some(row.get(4)?).filter(|color: &String| !color.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn database() -> (tempfile::TempDir, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::open(&directory.path().join("test.db")).unwrap();
        (directory, connection)
    }

    fn person(connection: &Connection, name: &str) -> i64 {
        add(connection, &format!("{name}@x.de"), name, "$phc", 1).unwrap().unwrap()
    }

    #[test]
    fn nobody_takes_anothers_name_or_address() {
        let (_directory, db) = database();
        let ann = person(&db, "Ann");
        assert_eq!(add(&db, "Ann@x.de", "other", "$phc", 2).unwrap(), Err(Taken::Email));
        assert_eq!(add(&db, "other@x.de", "aNN", "$phc", 2).unwrap(), Err(Taken::Username));
        for (email, username) in [("Ann@x.de", "-"), ("-", "Ann")] {
            let found = find(&db, email, username).unwrap().unwrap();
            assert_eq!((found.id, found.username.as_str(), found.color), (ann, "Ann", None));
        }
        assert_eq!(find(&db, "nobody@x.de", "nobody").unwrap(), None);
        set_color(&db, ann, "#123456").unwrap();
        assert_eq!(find(&db, "-", "Ann").unwrap().unwrap().color.as_deref(), Some("#123456"));
    }

    #[test]
    fn sessions_begin_end_and_expire() {
        let (_directory, db) = database();
        let (ann, bob) = (person(&db, "Ann"), person(&db, "Bob"));
        begin_session(&db, ann, &[1; 32], 1000, 0).unwrap();
        begin_session(&db, bob, &[2; 32], 2000, 0).unwrap();
        let user = |token: u8, expired: i64| {
            session(&db, &[token; 32], expired).unwrap().map(|(account, began)| (account.id, began))
        };
        assert_eq!(user(1, 1000), Some((ann, 1000)));
        assert_eq!(user(1, 1001), None, "expired");
        assert_eq!(user(3, 0), None, "unknown");
        see_session(&db, &[1; 32], 1500).unwrap();
        assert!(end_session(&db, &[2; 32]).unwrap() && !end_session(&db, &[2; 32]).unwrap());
        assert_eq!(user(2, 0), None);
        begin_session(&db, ann, &[4; 32], 9000, 5000).unwrap();
        let count = |db: &Connection| db.query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0));
        assert_eq!(count(&db).unwrap(), 1, "expired ones are forgotten");
        for n in 0..SESSIONS {
            let token = [u8::try_from(100 + n).unwrap(); 32];
            begin_session(&db, ann, &token, 9001 + n, 5000).unwrap();
        }
        assert_eq!(count(&db).unwrap(), SESSIONS);
        assert_eq!(user(4, 0), None, "the oldest made room");
    }

    #[test]
    fn the_first_owns_a_canvas_and_says_who_may_do_what() {
        let (_directory, db) = database();
        let (ann, bob) = (person(&db, "Ann"), person(&db, "Bob"));
        assert_eq!(entry(&db, "plan", ann).unwrap(), Entry::New);
        assert_eq!(open(&db, "plan", ann, 5).unwrap(), Entry::Role(Role::Owner));
        assert_eq!(open(&db, "plan", bob, 6).unwrap(), Entry::Default, "as before: editor");
        let set = |by, name: &str, role| set_role(&db, "plan", by, name, role).unwrap();
        for (by, name, role, expected) in [
            (bob, "Bob", Some(Role::Owner), Err(Unchanged::NotOwner)),
            (ann, "Eve", Some(Role::Viewer), Err(Unchanged::NoUser)),
            (ann, "Ann", Some(Role::Viewer), Err(Unchanged::LastOwner)),
            (ann, "Ann", None, Err(Unchanged::LastOwner)),
            (ann, "bob", Some(Role::Viewer), Ok(bob)),
        ] {
            assert_eq!(set(by, name, role), expected, "{name} {role:?}");
        }
        assert_eq!(entry(&db, "plan", bob).unwrap(), Entry::Role(Role::Viewer));
        let all = roles(&db, "plan").unwrap();
        assert_eq!(all, [(ann, "Ann".into(), Role::Owner), (bob, "Bob".into(), Role::Viewer)]);
        assert_eq!(set(ann, "Bob", Some(Role::Owner)), Ok(bob));
        assert_eq!(set(bob, "Ann", None), Ok(ann), "another owner remains");
        assert_eq!(entry(&db, "plan", ann).unwrap(), Entry::Default);
        assert_eq!(set_role(&db, "other", ann, "Bob", None).unwrap(), Err(Unchanged::NoCanvas));
        db.execute("UPDATE boards SET deleted = 1", []).unwrap();
        assert_eq!(open(&db, "plan", bob, 9).unwrap(), Entry::Deleted);
        assert_eq!(set(bob, "Ann", None), Err(Unchanged::NoCanvas));
    }
}
