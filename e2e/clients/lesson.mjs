#!/usr/bin/env node
// Lessons as classes hold them: real drawings, stroke by stroke, in several sessions at once.
//
//   lesson.mjs draw   every participant draws; all agree at the end, and nothing acknowledged is lost
//   lesson.mjs teach  a whole lesson: draw, undo, redo, background, lock, quiz, clear
//   lesson.mjs read   prints what the sessions hold
//
// The last line of output is one JSON object. Exits with 1 and a sentence when something is not as it should be.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Participant, sleep, until } from './classroom.mjs';
import { strokes } from './drawings.mjs';

const { values: options, positionals: [command] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    address: { type: 'string' },
    ca: { type: 'string' },
    sessions: { type: 'string', default: 'algebra,botany,chemistry' },
    clients: { type: 'string', default: '10' },
    strokes: { type: 'string', default: '5' },
    pace: { type: 'string', default: '50' },
    tag: { type: 'string', default: 'a' },
  },
});
const sessions = options.sessions.split(',');
const [clients, count, pace] = [options.clients, options.strokes, options.pace].map(Number);
const site = { url: options.url, address: options.address, ca: options.ca && readFileSync(options.ca) };

/** Half of them start by polling and upgrade, as the library does by itself; half open a WebSocket at once. */
function participant(session, number) {
  const transports = number % 2 ? ['websocket'] : undefined;
  return new Participant({ ...site, session, name: `${session}-${number}`, transports });
}

async function enter() {
  const everybody = sessions.flatMap((session) => Array.from({ length: clients }, (_, number) => participant(session, number)));
  await Promise.all(everybody.map((one) => one.joined()));
  return everybody;
}

function inSession(everybody, session) {
  return everybody.filter((one) => one.session === session);
}

/** Everybody draws their share of the drawings, all at once. */
async function drawAll(everybody, tag) {
  const drawings = strokes();
  await Promise.all(everybody.map(async (one, index) => {
    for (let number = 0; number < count; number++) {
      const drawing = drawings[(index * count + number) % drawings.length];
      await one.draw({ id: `${tag}-${one.name}-${number}`, ...drawing });
      await sleep(pace * (0.5 + Math.random()));
    }
  }));
}

/** Waits until all participants of each session hold the same board, which a newcomer is given too. */
async function agree(everybody) {
  const boards = {};
  for (const session of sessions) {
    const all = inSession(everybody, session);
    const newcomer = participant(session, 99);
    await newcomer.joined();
    const state = (one) => JSON.stringify([one.paths, one.background, one.locked, one.quiz]);
    await until(`${session} agrees`, () => all.every((one) => one.present && state(one) === state(newcomer)), () =>
      [newcomer, ...all].map(described).join('; '), 30_000);
    boards[session] = summary(newcomer);
    newcomer.leave();
  }
  return boards;
}

function described(one) {
  if (!one.present) return `${one.name}: away`;
  const { strokes: number, background, locked, quiz, hash } = summary(one);
  return `${one.name}: ${number} strokes, background of ${background}, lock ${locked}, quiz ${quiz}, ${hash.slice(0, 8)}`;
}

function summary(one) {
  const hash = createHash('sha256').update(JSON.stringify([one.paths, one.background])).digest('hex');
  return { strokes: one.paths.length, background: one.background.length, locked: one.locked, quiz: one.quiz, hash };
}

/** Fails if a stroke that was acknowledged is not on its board. */
function nothingLost(everybody) {
  for (const session of sessions) {
    const [first, ...others] = inSession(everybody, session);
    const there = new Map();
    for (const { id } of first.paths) there.set(id, (there.get(id) ?? 0) + 1);
    for (const one of [first, ...others]) {
      for (const id of one.acknowledged) {
        assert.ok(there.has(id), `the stroke ${id} was acknowledged and is lost`);
      }
    }
    for (const [id, times] of there) assert.equal(times, 1, `the stroke ${id} is there ${times} times`);
  }
}

function noGoodByes(everybody) {
  for (const one of everybody) assert.deepEqual(one.errors, [], one.name);
}

async function draw() {
  const everybody = await enter();
  await drawAll(everybody, options.tag);
  const boards = await agree(everybody);
  nothingLost(everybody);
  noGoodByes(everybody);
  const sum = (of) => everybody.reduce((total, one) => total + of(one), 0);
  everybody.forEach((one) => one.leave());
  return {
    boards,
    acknowledged: sum((one) => one.acknowledged.size),
    reconnects: sum((one) => one.reconnects),
    unanswered: sum((one) => one.unanswered),
  };
}

async function teach() {
  const everybody = await enter();
  await drawAll(everybody, options.tag);
  await agree(everybody);
  nothingLost(everybody);

  for (const session of sessions) {
    const [teacher, pupil, other] = inSession(everybody, session);
    const all = [teacher, pupil, other];
    const size = async (length) => until(`${session} has ${length} strokes`, () => all.every((one) => one.paths?.length === length), () =>
      all.map((one) => one.paths?.length).join(', '));
    const full = teacher.paths.length;
    const whole = JSON.stringify(teacher.paths);

    await teacher.send('undo_request');
    await size(full - 1);
    await teacher.send('undo_request');
    await size(full - 2);
    await teacher.send('redo_request');
    await teacher.send('redo_request');
    await size(full);
    assert.equal(JSON.stringify(pupil.paths), whole, 'undo and redo bring the same board back');

    const image = `data:image/png;base64,${'A'.repeat(200_000)}`;
    await teacher.setBackground(image);
    await until('the background arrives', () => pupil.background === image && other.background === image);
    await teacher.send('clear_background');
    await until('the background is gone', () => all.every((one) => one.background === ''));
    await teacher.setBackground(image);

    await teacher.send('set_student_lock', { is_locked: true });
    await until('the lock arrives', () => all.every((one) => one.locked === true));
    const forbidden = { id: 'forbidden', paths: [] };
    await assert.rejects(pupil.socket.timeout(1500).emitWithAck('update_paths',
      { session_code: session, paths: [...pupil.paths, forbidden] }), 'a locked pupil is not acknowledged');
    await teacher.draw({ id: `${options.tag}-${session}-locked`, paths: [{ x: 1, y: 2 }] });
    await size(full + 1);
    assert.ok(!other.paths.some(({ id }) => id === 'forbidden'), 'a locked pupil drew');
    await teacher.send('set_student_lock', { is_locked: false });
    await until('the lock is lifted', () => all.every((one) => one.locked === false));

    await teacher.send('set_quiz_status', { is_quiz: true });
    await until('the quiz begins', () => all.every((one) => one.quiz === true));
    await pupil.send('get_quiz_status');
    await until('the quiz is asked for', () => other.seen.quiz_status > 0);

    await teacher.send('clear_paths');
    await size(0);
    await pupil.send('undo_request');
    await size(full + 1);
    // What is acknowledged and undone is not lost; what was cleared and brought back is there.
    nothingLost(inSession(everybody, session).concat(everybody.filter((one) => one.session !== session)));
  }
  const boards = await agree(everybody);
  noGoodByes(everybody);
  everybody.forEach((one) => one.leave());
  return { boards };
}

async function read() {
  const boards = {};
  for (const session of sessions) {
    const one = participant(session, 0);
    await one.joined();
    boards[session] = summary(one);
    one.leave();
  }
  return { boards };
}

const commands = { draw, teach, read };
if (!commands[command] || !options.url) {
  console.error('usage: lesson.mjs draw|teach|read --url https://HOST [--address IP] [--ca FILE] [--sessions a,b] [--clients N] [--strokes N] [--pace MS] [--tag TEXT]');
  process.exit(2);
}
try {
  const result = await commands[command]();
  console.log(JSON.stringify(result));
  process.exit(0);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
