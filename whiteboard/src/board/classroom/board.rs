//! A board of the classroom dialect: requests in, records and events out.

use super::action::Action;
use super::delta::Delta;
use super::event::Event;
use super::lock::Keepers;
use super::merge::{Incoming, Match, merge};
use super::record;
use super::session_data;
use super::state::{Change, NO_BACKGROUND, State};
use super::stroke::{Stroke, write_list};
use super::view::{Base, Boards, Version, View};
use crate::board::core::{ClientId, Core, Limits, Moment, Opening, Outcome, Refusal, Request, To};
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Changes of the list that can be stepped back over to find what a client drew on.
const VERSIONS: usize = 64;

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
    limits: Limits,
}

impl Core for Classroom {
    type State = State;
    type Action = Action;
    type Event = Event;

    fn open(state: State, opening: Opening) -> Self {
        Self {
            state,
            versions: Versions::default(),
            clients: HashMap::new(),
            keepers: Keepers::default(),
            unlock_after: opening.unlock_after,
            unlock_at: Some(opening.now.run + opening.unlock_after.saturating_sub(opening.idle)),
            limits: opening.limits,
        }
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn handle(&mut self, request: Request<Action>, now: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        let Request { client, action, ack } = request;
        if action.keeps_lock() {
            self.unlock_at = Some(now.run + self.unlock_after);
        }
        if action.is_drawing() && !self.keepers.may_draw(client, self.state.is_locked()) {
            self.put_back(client, &action, now.run, &mut outcome);
            return outcome;
        }
        match self.act(client, action, now.run, &mut outcome) {
            Ok(()) => {
                if let Some(id) = ack {
                    outcome.push(To::One(client), Event::Ack(id));
                }
            }
            Err(sentence) => outcome.push(To::One(client), Event::Error(sentence)),
        }
        outcome
    }

    fn refuse(&mut self, request: Request<Action>, refusal: Refusal, now: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        if request.action.is_drawing() {
            self.put_back(request.client, &request.action, now.run, &mut outcome);
        }
        outcome.push(To::One(request.client), Event::Error(refusal.sentence().to_owned()));
        outcome
    }

    fn turned_away(refusal: Refusal) -> Event {
        Event::Error(refusal.sentence().to_owned())
    }

    fn leave() -> Action {
        Action::Leave
    }

    fn next_tick(&self) -> Option<Duration> {
        self.unlock_at
    }

    /// Lifts the lock if nothing happened for long; `student_unlocked` comes even when nothing was locked (contract).
    fn tick(&mut self, now: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        if self.unlock_at.is_some_and(|at| at <= now.run) {
            self.unlock_at = None;
            self.unlock(&mut outcome);
        }
        outcome
    }

    fn end_session(&mut self, _now: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        self.unlock_at = None;
        if self.state.is_locked() {
            self.unlock(&mut outcome);
        }
        outcome
    }

    fn reload(&mut self, state: State, _opening: Opening, sentence: &str) -> Outcome<Event> {
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
        outcome.push(To::All, Event::Error(sentence.to_owned()));
        outcome
    }
}

impl Classroom {
    fn act(
        &mut self,
        client: ClientId,
        action: Action,
        now: Duration,
        outcome: &mut Outcome<Event>,
    ) -> Result<(), String> {
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
            Action::BringBack { strokes, background } => return self.bring_back(&strokes, background, now, outcome),
            Action::Seen { version, grace } => {
                if let Some(view) = self.clients.get_mut(&client) {
                    view.seen(version, now, grace);
                }
            }
            Action::Refused(sentence) => return Err(sentence),
        }
        Ok(())
    }

    fn join(&mut self, client: ClientId, now: Duration, outcome: &mut Outcome<Event>) {
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
        outcome: &mut Outcome<Event>,
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
        if let Some(sentence) = self.too_much(&merged.board) {
            self.clients.insert(client, view);
            self.resend(client, now, outcome);
            return Err(sentence);
        }
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

    /// Makes an earlier list and background the present; of what is the same already nobody hears.
    fn bring_back(
        &mut self,
        strokes: &[Stroke],
        background: Arc<str>,
        now: Duration,
        outcome: &mut Outcome<Event>,
    ) -> Result<(), String> {
        if !same(&self.state.strokes, strokes) {
            let delta = Arc::new(Delta::between(&self.state.strokes, strokes));
            self.record(&Change::Update(delta.clone()), outcome)?;
            let version = self.step(delta, false);
            self.sent_to_all_but(None, now);
            outcome.push(To::All, Event::PathsUpdate { version, paths: self.paths() });
        }
        if *self.state.background() != *background {
            let image = background.to_string();
            self.record(&Change::Background(background), outcome)?;
            outcome.push(To::All, Event::BackgroundUpdate { image });
        }
        Ok(())
    }

    /// Why a list is more than a board may hold. One that does not grow is let through: erasing helps.
    fn too_much(&self, list: &[Stroke]) -> Option<String> {
        let Limits { elements, bytes, .. } = self.limits;
        let full = |limit: String| {
            format!("This board is full: {limit}. Nothing was changed; clear it, or begin another one.")
        };
        if list.len() > elements && list.len() > self.state.strokes.len() {
            return Some(full(format!("it may have {elements} strokes")));
        }
        let weigh = |list: &[Stroke]| list.iter().map(|stroke| stroke.text().len()).sum::<usize>();
        let size = weigh(list);
        (size > bytes && size > weigh(&self.state.strokes)).then(|| full(format!("its strokes may have {bytes} bytes")))
    }

    /// Sends the refused client what it should show instead of its own change.
    fn put_back(&mut self, client: ClientId, action: &Action, now: Duration, outcome: &mut Outcome<Event>) {
        if matches!(action, Action::UpdateBackground(_) | Action::ClearBackground) {
            let image = self.state.background().to_owned();
            outcome.push(To::One(client), Event::BackgroundUpdate { image });
        } else {
            self.resend(client, now, outcome);
        }
    }

    fn resend(&mut self, client: ClientId, now: Duration, outcome: &mut Outcome<Event>) {
        if let Some(view) = self.clients.get_mut(&client) {
            view.sent(self.versions.newest, now);
        }
        outcome.push(To::One(client), Event::PathsUpdate { version: self.versions.newest, paths: self.paths() });
    }

    fn unlock(&mut self, outcome: &mut Outcome<Event>) {
        self.keepers.lift();
        // Lifting a lock fits every board: the record cannot be refused.
        if self.state.is_locked() && self.record(&Change::Lock(false), outcome).is_err() {
            return;
        }
        outcome.push(To::All, Event::StudentUnlocked);
    }

    fn record(&mut self, change: &Change, outcome: &mut Outcome<Event>) -> Result<(), String> {
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

fn same(one: &[Stroke], other: &[Stroke]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.is(b))
}

#[cfg(test)]
mod tests;
