//! Who comes, and what they may do.

use super::message::{Hello, Misunderstood};
use crate::board::core::BoardMeta;
use crate::board::scene::event::Code;
use crate::board::scene::identity::{Role, UserId};
use sha2::{Digest, Sha256};

/// The public id of whoever has this key: the first 64 bits of its SHA-256.
pub fn user_of(key: &str) -> UserId {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    UserId(u64::from_be_bytes(first))
}

/// What a client may do on a board [A1] [A2] [A3], or why it cannot come in.
pub fn role_of(hello: &Hello, board: &BoardMeta) -> Result<Role, Misunderstood> {
    let refused = |code, message: &str| Err(Misunderstood { code, id: None, message: message.to_owned() });
    if board.deleted.is_some() {
        return refused(
            Code::DeletedBoard,
            "This board was deleted. Whoever runs the server can bring it back for a while.",
        );
    }
    if !board.exists {
        return refused(Code::UnknownBoard, "There is no such board. Check the address, or create a board.");
    }
    let Some(secret) = &hello.access else {
        return Ok(match (hello.look, board.teacher) {
            (true, _) => Role::Viewer,
            (false, None) => Role::Teacher,
            (false, Some(_)) => Role::Pupil,
        });
    };
    // The digests of two different secrets differ at a place that nobody can choose: comparing them tells nothing.
    let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    if board.teacher == Some(digest) {
        return Ok(if hello.look { Role::Viewer } else { Role::Teacher });
    }
    if board.look == Some(digest) {
        return Ok(Role::Viewer);
    }
    refused(Code::Access, "The secret in the link does not open this board. Ask for a new link.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(access: Option<&str>, look: bool) -> Hello {
        Hello {
            key: "0123456789abcdef".into(),
            session: "tab-0001".into(),
            name: "".into(),
            color: None,
            access: access.map(Into::into),
            look,
            since: None,
        }
    }

    fn board(teacher: Option<&str>, look: Option<&str>) -> BoardMeta {
        let digest = |secret: &str| Sha256::digest(secret.as_bytes()).into();
        BoardMeta { exists: true, teacher: teacher.map(digest), look: look.map(digest), ..BoardMeta::default() }
    }

    #[test]
    fn a_user_is_known_by_the_digest_of_the_key() {
        // printf abc | sha256sum
        assert_eq!(user_of("abc").to_string(), "ba7816bf8f01cfea");
    }

    #[test]
    fn a1_a2_a3_what_is_shown_decides_what_may_be_done() {
        let open = board(None, None);
        let closed = board(Some("T"), Some("L"));
        for (board, access, look, expected) in [
            (&open, None, false, Ok(Role::Teacher)),
            (&open, None, true, Ok(Role::Viewer)),
            (&open, Some("x"), false, Err(Code::Access)),
            (&closed, None, false, Ok(Role::Pupil)),
            (&closed, None, true, Ok(Role::Viewer)),
            (&closed, Some("T"), false, Ok(Role::Teacher)),
            (&closed, Some("T"), true, Ok(Role::Viewer)),
            (&closed, Some("L"), false, Ok(Role::Viewer)),
            (&closed, Some("t"), false, Err(Code::Access)),
            (&board(None, Some("L")), Some("L"), false, Ok(Role::Viewer)),
            (&board(None, Some("L")), None, false, Ok(Role::Teacher)),
        ] {
            let found = role_of(&hello(access, look), board).map_err(|error| error.code);
            assert_eq!(found, expected, "{access:?} {look}");
        }
    }

    #[test]
    fn h3_boards_that_are_not_there_say_so() {
        let missing = BoardMeta::default();
        let deleted = BoardMeta { deleted: Some(1), ..board(None, None) };
        for (board, code) in [(missing, Code::UnknownBoard), (deleted, Code::DeletedBoard)] {
            let error = role_of(&hello(None, false), &board).unwrap_err();
            assert!(error.code == code && error.message.ends_with('.'), "{error:?}");
        }
    }
}
