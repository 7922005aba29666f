//! A board of the classroom dialect: requests in, records and events out.

use super::action::{Action, ClientId, Request};
use super::delta::Delta;
use super::event::{Effect, Event, To};
use super::lock::Keepers;
use super::merge::{Incoming, Match, merge};
use super::record;
use super::session_data;
use super::state::{Change, NO_BACKGROUND, State};
use super::stroke::{Stroke, write_list};
use super::view::{Base, Boards, Version, View};
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Changes of the list that can be stepped back over to find what a client drew on.
const VERSIONS: usize = 64;

/// What a request leads to. The effects may leave once the records are on disk, and all that came before them.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows for the log.
    pub records: Vec<String>,
    pub effects: Vec<Effect>,
}

/// One step of the list's versions: the delta, and whether it was taken back.
#[derive(Debug)]
struct Step {
    delta: Arc<Delta>,
    reverted: bool,
    length_before: usize,
}

/// The list's versions: the newest one, and the steps that led to it.
#[derive(Debug, Default)]
struct Versions {
    newest: Version,
    steps: VecDeque<Step>,
}

/// [`Versions`] together with the list of the newest.
struct Known<'a> {
    versions: &'a Versions,
    list: &'a [Stroke],
}

/// A board in use. Times are durations since any fixed moment, as long as it is always the same.
#[derive(Debug)]
pub struct Classroom {
    state: State,
    versions: Versions,
    clients: HashMap<ClientId, View>,
    keepers: Keepers,
    unlock_after: Duration,
    unlock_at: Option<Duration>,
}

impl Classroom {
    /// A board as it was loaded; `idle`: for how long nothing had happened on it. After `unlock_after` without
    /// activity the lock is lifted.
    pub fn new(state: State, now: Duration, idle: Duration, unlock_after: Duration) -> Self {
        Self {
            state,
            versions: Versions::default(),
            clients: HashMap::new(),
            keepers: Keepers::default(),
            unlock_after,
            unlock_at: Some(now + unlock_after.saturating_sub(idle)),
        }
    }

    /// The durable part.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When [`Self::tick`] wants to be called next.
    pub fn next_tick(&self) -> Option<Duration> {
        self.unlock_at
    }

    /// Lifts the lock if nothing happened for long; `student_unlocked` comes even when nothing was locked (contract).
    pub fn tick(&mut self, now: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        if self.unlock_at.is_some_and(|at| at <= now) {
            self.unlock_at = None;
            self.unlock(&mut outcome);
        }
        outcome
    }

    /// Lifts the lock because the session has ended.
    pub fn end_session(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        self.unlock_at = None;
        if self.state.is_locked() {
            self.unlock(&mut outcome);
        }
        outcome
    }

    /// Puts the board back to what is on disk, after a write that failed. Everybody gets the board as it is.
    pub fn reload(&mut self, state: State, message: &str) -> Outcome {
        self.state = state;
        self.versions.steps.clear();
        self.keepers.lift();
        let mut outcome = Outcome::default();
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        // A version of its own: nobody can have a list of the time before any more.
        self.versions.newest += 1;
        for client in clients {
            self.clients.insert(client, View::default());
            self.resend(client, Duration::ZERO, &mut outcome);
        }
        outcome.push(To::All, Event::BackgroundUpdate { image: self.state.background().to_owned() });
        outcome.push(To::All, Event::LockStatus(self.state.is_locked()));
        outcome.push(To::All, Event::QuizUpdated(self.state.is_quiz()));
        outcome.push(To::All, Event::Error(message.to_owned()));
        outcome
    }

    /// Does what a client asks for.
    pub fn handle(&mut self, request: Request, now: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let Request { client, action, ack } = request;
        if action.is_activity() {
            self.unlock_at = Some(now + self.unlock_after);
        }
        if action.is_drawing() && !self.keepers.may_draw(client, self.state.is_locked()) {
            self.refuse(client, &action, now, &mut outcome);
            return outcome;
        }
        match self.act(client, action, now, &mut outcome) {
            Ok(()) => {
                if let Some(id) = ack {
                    outcome.push(To::One(client), Event::Ack(id));
                }
            }
            Err(sentence) => outcome.push(To::One(client), Event::Error(sentence)),
        }
        outcome
    }

    fn act(&mut self, client: ClientId, action: Action, now: Duration, outcome: &mut Outcome) -> Result<(), String> {
        match action {
            Action::Join => self.join(client, now, outcome),
            Action::Leave => {
                self.clients.remove(&client);
                self.keepers.leave(client);
            }
            Action::UpdatePaths(paths) => return self.update(client, &paths, now, outcome),
            Action::ClearPaths => {
                let delta = Arc::new(self.state.clearing());
                self.record(&Change::Clear, outcome)?;
                let version = self.step(delta, false);
                self.sent_to_all_but(None, now);
                outcome.push(To::All, Event::PathsCleared { version });
            }
            Action::Undo => {
                if let Some(delta) = self.state.next_undo().cloned() {
                    self.record(&Change::Undo, outcome)?;
                    let version = self.step(delta, true);
                    self.sent_to_all_but(None, now);
                    outcome.push(To::All, Event::Undone { version, paths: self.paths() });
                }
            }
            Action::Redo => {
                if let Some(delta) = self.state.next_redo().cloned() {
                    self.record(&Change::Redo, outcome)?;
                    let version = self.step(delta, false);
                    self.sent_to_all_but(None, now);
                    outcome.push(To::All, Event::Redone { version, paths: self.paths() });
                }
            }
            Action::UpdateBackground(image) => {
                self.record(&Change::Background(image.get().into()), outcome)?;
                outcome.push(To::Others(client), Event::BackgroundUpdate { image: image.get().to_owned() });
            }
            Action::ClearBackground => {
                self.record(&Change::Background(NO_BACKGROUND.into()), outcome)?;
                outcome.push(To::All, Event::BackgroundCleared);
            }
            Action::SetLock(locked) => {
                self.record(&Change::Lock(locked), outcome)?;
                self.keepers.set(client, locked);
                outcome.push(To::All, Event::LockStatus(locked));
            }
            Action::SetQuiz(quiz) => {
                self.record(&Change::Quiz(quiz), outcome)?;
                outcome.push(To::All, Event::QuizUpdated(quiz));
            }
            Action::GetQuiz => outcome.push(To::All, Event::QuizStatus(self.state.is_quiz())),
            Action::Seen { version, grace } => {
                if let Some(view) = self.clients.get_mut(&client) {
                    view.seen(version, now, grace);
                }
            }
            Action::Refused(sentence) => return Err(sentence),
        }
        Ok(())
    }

    fn join(&mut self, client: ClientId, now: Duration, outcome: &mut Outcome) {
        let mut view = View::default();
        view.sent(self.versions.newest, now);
        self.clients.insert(client, view);
        let json = session_data::write(&self.state);
        outcome.push(To::One(client), Event::SessionData { version: self.versions.newest, json });
    }

    fn update(
        &mut self,
        client: ClientId,
        paths: &RawValue,
        now: Duration,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let texts: Vec<&RawValue> = serde_json::from_str(paths.get())
            .map_err(|_| "update_paths: `paths` must be a list. Nothing was changed.".to_owned())?;
        let incoming = Incoming::new(texts.into_iter().map(RawValue::get).collect());
        let mut view = self.clients.remove(&client).unwrap_or_default();
        let current = &self.state.strokes;
        let base = view.base(&incoming, now, &Known { versions: &self.versions, list: current });
        let merged = if let Some(Base { list, matched, .. }) = &base {
            merge(list, matched, &incoming, current)
        } else {
            merge(current, &Match::of(current, &incoming), &incoming, current)
        };
        let agrees = base.as_ref().is_none_or(|base| base.is_certain) && same(&merged.own, &merged.board);
        let delta = Arc::new(Delta::between(&self.state.strokes, &merged.board));
        let recorded = self.record(&Change::Update(delta.clone()), outcome);
        if recorded.is_ok() {
            let version = self.step(delta, false);
            if agrees {
                view.agreed(version, now);
            } else {
                view.differs(merged.own, now);
            }
            outcome.push(To::Others(client), Event::PathsUpdate { version, paths: self.paths() });
            self.sent_to_all_but(Some(client), now);
        }
        self.clients.insert(client, view);
        if recorded.is_ok() && !agrees {
            // The client's own list lacks what others did at the same moment, or something older is on its way that
            // will replace it: without this the client would keep that until the next update.
            self.resend(client, now, outcome);
        }
        recorded
    }

    /// Sends the refused client what it should show instead of its own change.
    fn refuse(&mut self, client: ClientId, action: &Action, now: Duration, outcome: &mut Outcome) {
        if matches!(action, Action::UpdateBackground(_) | Action::ClearBackground) {
            let image = self.state.background().to_owned();
            outcome.push(To::One(client), Event::BackgroundUpdate { image });
        } else {
            self.resend(client, now, outcome);
        }
    }

    fn resend(&mut self, client: ClientId, now: Duration, outcome: &mut Outcome) {
        if let Some(view) = self.clients.get_mut(&client) {
            view.sent(self.versions.newest, now);
        }
        outcome.push(To::One(client), Event::PathsUpdate { version: self.versions.newest, paths: self.paths() });
    }

    fn unlock(&mut self, outcome: &mut Outcome) {
        self.keepers.lift();
        // Lifting a lock fits every board: the record cannot be refused.
        if self.state.is_locked() && self.record(&Change::Lock(false), outcome).is_err() {
            return;
        }
        outcome.push(To::All, Event::StudentUnlocked);
    }

    fn record(&mut self, change: &Change, outcome: &mut Outcome) -> Result<(), String> {
        self.state.apply(change).map_err(|error| format!("The board could not be changed: {error}."))?;
        outcome.records.push(record::encode(change));
        Ok(())
    }

    /// Notes how the list, already changed, got to its next version.
    fn step(&mut self, delta: Arc<Delta>, reverted: bool) -> Version {
        let growth = if reverted { -delta.growth() } else { delta.growth() };
        let length_before = self.state.strokes.len().saturating_add_signed(-growth);
        self.versions.push(Step { delta, reverted, length_before })
    }

    fn sent_to_all_but(&mut self, sender: Option<ClientId>, now: Duration) {
        for (client, view) in &mut self.clients {
            if Some(*client) != sender {
                view.sent(self.versions.newest, now);
            }
        }
    }

    fn paths(&self) -> String {
        let mut text = String::new();
        write_list(&self.state.strokes, &mut text);
        text
    }
}

impl Versions {
    fn push(&mut self, step: Step) -> Version {
        self.steps.push_back(step);
        if self.steps.len() > VERSIONS {
            self.steps.pop_front();
        }
        self.newest += 1;
        self.newest
    }

    /// Place of the first step that came after a version, if the steps reach back to it.
    fn first_step_after(&self, version: Version) -> Option<usize> {
        let back = usize::try_from(self.newest.checked_sub(version)?).ok()?;
        self.steps.len().checked_sub(back)
    }
}

impl Boards for Known<'_> {
    fn length_at(&self, version: Version) -> Option<usize> {
        let first = self.versions.first_step_after(version)?;
        Some(self.versions.steps.get(first).map_or(self.list.len(), |step| step.length_before))
    }

    fn list_at(&self, version: Version) -> Option<Vec<Stroke>> {
        let first = self.versions.first_step_after(version)?;
        let mut list = self.list.to_vec();
        for step in self.versions.steps.range(first..).rev() {
            let stepped = if step.reverted { step.delta.apply(&mut list) } else { step.delta.revert(&mut list) };
            stepped.ok()?;
        }
        Some(list)
    }
}

impl Outcome {
    fn push(&mut self, to: To, event: Event) {
        self.effects.push(Effect { to, event });
    }
}

fn same(one: &[Stroke], other: &[Stroke]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.is(b))
}

#[cfg(test)]
mod tests;
