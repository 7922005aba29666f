//! What a connection costs that does nothing.

use crate::broadcast::Dialect;
use crate::process::Server;
use crate::swarm::Swarm;
use std::error::Error;
use std::time::Duration;

/// Users a board.
pub const CLASS: usize = 50;

/// Bytes of resident memory for each of `count` idle connections. Boards are opened and allocators warmed by a first
/// class on each board; these stay, and are not counted.
pub fn idle(server: &Server, count: usize, dialect: impl Fn(usize) -> Box<dyn Dialect>) -> Result<f64, Box<dyn Error>> {
    let mut swarm = Swarm::new()?;
    let boards = count.div_ceil(CLASS);
    for board in 0..boards {
        for _ in 0..4 {
            let user = swarm.len();
            dialect(board).join(&mut swarm, server.port, user)?;
        }
    }
    swarm.settle(Duration::from_millis(500))?;
    let before = server.resident();
    for board in 0..boards {
        for _ in 0..CLASS.min(count - board * CLASS) {
            let user = swarm.len();
            dialect(board).join(&mut swarm, server.port, user)?;
        }
    }
    swarm.settle(Duration::from_secs(1))?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(server.resident().saturating_sub(before) as f64 / count as f64)
}
