//! Bodies of requests come in time, or not at all: nobody keeps memory or a place by sending slowly.

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// How slowly a body may come.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// How long a sender may rest, at the beginning or later.
    pub rest: Duration,
    /// Bytes a second in the long run, such rests not counted.
    pub bytes_a_second: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        // A class of thirty on a line of two megabits a second, all sending an image at once, has this much each. Who sends
        // slowly keeps no place that others wait for (see `boards/spool.rs`), so it need not be more.
        Self { rest: Duration::from_secs(30), bytes_a_second: 8 << 10 }
    }
}

impl Allowance {
    /// Until when more must come, of a body of which so many bytes have come now and that had time until `until`. What
    /// came earns time, but nobody can save up more than one rest: who sent much may not stop for long either. Times are
    /// since the body's beginning.
    fn extended(self, until: Duration, now: Duration, bytes: u64) -> Duration {
        let earned = u128::from(bytes) * 1000 / u128::from(self.bytes_a_second.max(1));
        let earned = Duration::from_millis(u64::try_from(earned).unwrap_or(u64::MAX));
        until.saturating_add(earned).min(now.saturating_add(self.rest))
    }
}

/// What a body has been given.
struct Clock {
    began: Instant,
    /// Since then.
    until: Duration,
    alarm: Pin<Box<Sleep>>,
}

/// A body that ends with an error when it comes more slowly than it may.
struct Timely {
    body: Body,
    allowance: Allowance,
    /// Since the first look.
    clock: Option<Clock>,
    late: Arc<AtomicBool>,
}

impl Timely {
    fn poll_late(&mut self, cx: &mut Context<'_>) -> bool {
        let rest = self.allowance.rest;
        let clock = self.clock.get_or_insert_with(|| {
            let began = Instant::now();
            Clock { began, until: rest, alarm: Box::pin(sleep_until(began + rest)) }
        });
        let until = clock.began + clock.until;
        if clock.alarm.deadline() != until {
            clock.alarm.as_mut().reset(until);
        }
        clock.alarm.as_mut().poll(cx).is_ready()
    }

    fn came(&mut self, bytes: usize) {
        let allowance = self.allowance;
        if let Some(clock) = &mut self.clock {
            clock.until = allowance.extended(clock.until, clock.began.elapsed(), bytes as u64);
        }
    }
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The time first: who always has a byte ready is bound by it too.
        if self.poll_late(cx) {
            self.late.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.came(bytes);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Middleware: the body of a request has its time. Who is late is told, whatever the handler made of it.
pub async fn in_time(State(allowance): State<Allowance>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let told = late.clone();
    let request = request.map(|body| Body::new(Timely { body, allowance, clock: None, late: told }));
    let mut answer = next.run(request).await;
    if late.load(Ordering::Relaxed) {
        // The headers for pages of other origins stay, so that those can read the sentence too.
        let sentence =
            "The request did not come whole in time. Send it again, over a faster connection if it is large.";
        let body = serde_json::json!({ "error": sentence, "code": "too-slow" }).to_string();
        *answer.status_mut() = StatusCode::REQUEST_TIMEOUT;
        let headers = answer.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        *answer.body_mut() = Body::from(body);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::to_bytes;
    use axum::middleware;
    use axum::routing::post;
    use futures_util::{StreamExt, stream};
    use tower::ServiceExt;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn send(rest: Duration, bytes_a_second: u64, body: Body) -> (u16, String) {
        let allowance = Allowance { rest, bytes_a_second };
        let router = Router::new()
            .route("/", post(async |body: Bytes| body.len().to_string()))
            .layer(middleware::from_fn_with_state(allowance, in_time));
        let request = Request::post("/").body(body).unwrap();
        let answer = tokio::time::timeout(PATIENCE, router.oneshot(request)).await.expect("no end").unwrap();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// A piece of so many bytes again and again, without a pause and without an end.
    fn endless(bytes: usize) -> Body {
        let piece = Bytes::from(vec![7; bytes]);
        Body::from_stream(stream::repeat(piece).then(async |piece| {
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(piece)
        }))
    }

    #[tokio::test]
    async fn what_comes_in_time_is_taken_and_the_rest_is_refused() {
        let (short, long) = (Duration::from_millis(50), Duration::from_hours(1));
        assert_eq!(send(long, 1, Body::from("whole")).await, (200, "5".into()));
        assert_eq!(send(short, 1, Body::empty()).await, (200, "0".into()), "nothing has all the time");
        for body in [Body::from_stream(stream::pending::<Result<Bytes, io::Error>>()), endless(1)] {
            // A byte earns a microsecond: that is less than it takes to come.
            let (status, told) = send(short, 1_000_000, body).await;
            assert!(status == 408 && told.contains("Send it again"), "{status} {told}");
        }
    }

    #[test]
    fn what_came_earns_time_but_nobody_saves_up_more_than_a_rest() {
        const SECOND: u64 = 8 << 10;
        let seconds = Duration::from_secs;
        for (until, now, bytes, expected) in [
            (30, 0, 0, 30),
            (30, 0, 64 << 20, 30),
            (30, 1, SECOND, 31),
            (30, 10, SECOND, 31),
            (30, 10, 20 * SECOND, 40),
            // As slowly as one may: for ever.
            (30, 29, SECOND, 31),
            (1000, 999, SECOND, 1001),
            (1000, 999, 64 << 20, 1029),
        ] {
            let extended = Allowance::default().extended(seconds(until), seconds(now), bytes);
            assert_eq!(extended, seconds(expected), "{until} {now} {bytes}");
        }
    }
}
