//! Who asks, and what that person may do with a board.
//!
//! A board without a secret for teachers is everybody's. One with it is managed, and looked at as a whole, by those who
//! show it (`Authorization: Bearer <secret>`). Boards of other dialects know no secrets; what the API does with them
//! needs the token of the person who runs the server, which opens everything.

use super::answer::Refused;
use crate::board::core::BoardMeta;
use crate::store::BoardName;
use crate::store::registry::hash;
use axum::http::{HeaderMap, StatusCode, header};
use std::path::Path;

/// As whom somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The person who runs the server.
    Admin,
    Teacher,
    /// May look, and nothing else.
    Viewer,
    Anybody,
}

/// What `Authorization: Bearer` carries.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let text = text.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then_some(text)
}

/// Whether a secret is the token in a file, which is read each time: a rotated one is valid at once.
pub fn is_admin(secret: &str, token_file: Option<&Path>) -> bool {
    let Some(token) = token_file.and_then(|file| std::fs::read_to_string(file).ok()) else { return false };
    let token = token.trim();
    !token.is_empty() && hash(secret) == hash(token)
}

/// As whom a request comes to a board. A secret that opens nothing is refused: a link with a wrong one should say so.
pub fn who(
    name: &BoardName,
    board: &BoardMeta,
    headers: &HeaderMap,
    token_file: Option<&Path>,
) -> Result<Who, Refused> {
    let open = name.dialect == BoardName::BOARD && board.teacher.is_none();
    let Some(secret) = bearer(headers) else { return Ok(if open { Who::Teacher } else { Who::Anybody }) };
    let digest = Some(hash(secret));
    if board.teacher == digest {
        Ok(Who::Teacher)
    } else if is_admin(secret, token_file) {
        Ok(Who::Admin)
    } else if board.look == digest {
        Ok(Who::Viewer)
    } else if open {
        // There is nothing to open: whatever is shown (a user's key, perhaps) is not needed.
        Ok(Who::Teacher)
    } else {
        Err(Refused::new(
            StatusCode::FORBIDDEN,
            "access",
            "The secret that was sent does not open this board. Ask for a new link.",
        ))
    }
}

impl Who {
    /// Whether this person may change the board as a whole, and see all of it.
    pub fn manage(self) -> Result<(), Refused> {
        match self {
            Self::Admin | Self::Teacher => Ok(()),
            Self::Viewer => Err(Refused::new(
                StatusCode::FORBIDDEN,
                "access",
                "The link for looking does not allow this. Use the link for teachers.",
            )),
            Self::Anybody => Err(Refused::new(
                StatusCode::UNAUTHORIZED,
                "access",
                "Send the board's secret for teachers, or the server's admin token: `Authorization: Bearer <secret>`.",
            )),
        }
    }

    /// Whether this person may see the board as it is now. During a quiz only those who may see everything.
    pub fn see(self, quiz: bool) -> Result<(), Refused> {
        match self {
            Self::Viewer if !quiz => Ok(()),
            other => other.manage(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: Option<&str>) -> HeaderMap {
        text.map(|text| (header::AUTHORIZATION, text.parse().unwrap())).into_iter().collect()
    }

    #[test]
    fn a_bearer_is_read() {
        for (text, expected) in [
            (Some("Bearer abc"), Some("abc")),
            (Some("bearer  abc "), Some("abc")),
            (Some("Bearer"), None),
            (Some("Bearer  "), None),
            (Some("Basic abc"), None),
            (None, None),
        ] {
            assert_eq!(bearer(&headers(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_decides() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "admin-token\n").unwrap();
        let open = BoardMeta { exists: true, ..BoardMeta::default() };
        let closed = BoardMeta { teacher: Some(hash("T")), look: Some(hash("L")), ..open.clone() };
        let (board, classroom) = (BoardName::board("a"), BoardName::classroom("a"));
        for (name, meta, shown, expected) in [
            (&board, &open, None, Some(Who::Teacher)),
            (&board, &open, Some("Bearer anything"), Some(Who::Teacher)),
            (&board, &open, Some("Bearer admin-token"), Some(Who::Admin)),
            (&board, &closed, None, Some(Who::Anybody)),
            (&board, &closed, Some("Bearer T"), Some(Who::Teacher)),
            (&board, &closed, Some("Bearer L"), Some(Who::Viewer)),
            (&board, &closed, Some("Bearer t"), None),
            (&board, &closed, Some("Bearer admin-token"), Some(Who::Admin)),
            (&classroom, &open, None, Some(Who::Anybody)),
            (&classroom, &open, Some("Bearer x"), None),
            (&classroom, &open, Some("Bearer admin-token"), Some(Who::Admin)),
        ] {
            let found = who(name, meta, &headers(shown), Some(&file));
            assert_eq!(found.as_ref().ok(), expected.as_ref(), "{} {shown:?}", name.dialect);
            assert!(found.is_ok() || found.unwrap_err().status == StatusCode::FORBIDDEN);
        }
    }

    #[test]
    fn an_empty_or_missing_token_opens_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        assert!(!is_admin("", Some(&file)) && !is_admin("x", Some(&file)) && !is_admin("x", None));
        std::fs::write(&file, " \n").unwrap();
        assert!(!is_admin("", Some(&file)) && !is_admin(" ", Some(&file)));
        std::fs::write(&file, "x\n").unwrap();
        assert!(is_admin("x", Some(&file)) && !is_admin("x ", Some(&file)));
    }

    #[test]
    fn a_quiz_is_for_teachers_to_see() {
        for (who, quiz, sees, manages) in [
            (Who::Admin, true, true, true),
            (Who::Teacher, true, true, true),
            (Who::Viewer, true, false, false),
            (Who::Viewer, false, true, false),
            (Who::Anybody, false, false, false),
        ] {
            assert_eq!((who.see(quiz).is_ok(), who.manage().is_ok()), (sees, manages), "{who:?} {quiz}");
        }
        assert_eq!(Who::Anybody.manage().unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert_eq!(Who::Viewer.manage().unwrap_err().status, StatusCode::FORBIDDEN);
    }
}
