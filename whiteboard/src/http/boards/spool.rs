//! Bodies of requests on their way to the disk. Who sends slowly holds as much of the disk as came, and no place or memory
//! that others wait for.

use super::Api;
use super::answer::Refused;
use super::turns::{Held, SENDING};
use crate::board::core::Refusal;
use crate::limits::space::Level;
use crate::store::disk::{self, Temporary};
use axum::body::{Body, Bytes, HttpBody};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

/// Disk space that stays free beyond what comes, so that drawing goes on.
pub const SPARE: u64 = 16 << 20;

/// Bytes between two looks at the disk.
const LOOK: u64 = 1 << 20;

/// Refuses what would bring the disk near the mark from which on nobody may draw any more.
fn require(api: &Api, bytes: u64) -> Result<(), Refused> {
    let needed = bytes.saturating_add(SPARE);
    disk::require(&api.data, needed)?;
    let (free, size) = disk::space(&api.data).map_err(|error| Refused::internal(&error))?;
    if api.marks.level(free.saturating_sub(needed), size) == Level::Full {
        return Err(Refusal::DiskFull.into());
    }
    Ok(())
}

/// A body that came whole; its file goes when this is dropped.
#[derive(Debug)]
pub struct Spooled {
    pub file: Temporary,
    pub bytes: u64,
    _disk: Held,
}

/// Why a body is not there.
#[derive(Debug)]
pub enum Unspooled {
    /// It is longer than it may be.
    TooLarge,
    /// It ended early, or took too long (see [`crate::http::timely`]).
    Incomplete,
    /// There is no room for it.
    Refused(Refused),
}

/// Writes a body of at most `limit` bytes to a temporary file; `look` sees each piece of it.
pub async fn spool(api: &Api, body: Body, limit: u64, mut look: impl FnMut(&Bytes)) -> Result<Spooled, Unspooled> {
    let told = body.size_hint();
    if told.lower() > limit {
        return Err(Unspooled::TooLarge);
    }
    let most = told.upper().map_or(limit, |upper| upper.min(limit));
    require(api, most).map_err(Unspooled::Refused)?;
    let failed = |error: std::io::Error| Unspooled::Refused(Refused::internal(&error));
    let file = Temporary::new(&api.data);
    let mut output = tokio::fs::File::create(file.path()).await.map_err(failed)?;
    let (mut held, mut bytes, mut body) = (Held::default(), 0, body.into_data_stream());
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Unspooled::Incomplete)?;
        bytes += piece.len() as u64;
        if bytes > limit {
            return Err(Unspooled::TooLarge);
        }
        // Again and again: what others send at the same time takes room, too.
        if bytes / LOOK > (bytes - piece.len() as u64) / LOOK {
            require(api, LOOK).map_err(Unspooled::Refused)?;
        }
        api.turns.spool.extend(&mut held, bytes, SENDING).await.map_err(Unspooled::Refused)?;
        look(&piece);
        output.write_all(&piece).await.map_err(failed)?;
    }
    output.flush().await.map_err(failed)?;
    Ok(Spooled { file, bytes, _disk: held })
}
