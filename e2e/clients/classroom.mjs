// One participant of a lesson, with the client library that people use.
import https from 'node:https';
import http from 'node:http';
import { isIP } from 'node:net';
import { io } from 'socket.io-client';

/** How long a client waits for one acknowledgement before it looks whether its stroke arrived all the same. */
const ACKNOWLEDGEMENT_MS = 5_000;

/** @typedef {{url: string, address?: string, ca?: Buffer}} Site  where the site is; `address` stands in for DNS */

/** An agent that trusts the site's authority and finds its host at the given address. */
export function agent({ url, address, ca }) {
  const lookup = address && ((host, options, answer) => {
    const family = isIP(address);
    options.all ? answer(null, [{ address, family }]) : answer(null, address, family);
  });
  const options = { keepAlive: true, maxSockets: 1000, ...(lookup && { lookup }), ...(ca && { ca }) };
  return url.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
}

export class Participant {
  /** @param {Site & {session: string, name: string, transports?: string[]}} options */
  constructor({ session, name, transports, ...site }) {
    this.session = session;
    this.name = name;
    this.joins = 0;
    this.reconnects = 0;
    this.unanswered = 0;
    /** Identities of the strokes that the server has acknowledged. */
    this.acknowledged = new Set();
    this.errors = [];
    this.seen = {};
    this.forget();
    this.socket = io(site.url, {
      agent: agent(site),
      query: { session_code: session },
      reconnectionDelay: 100,
      reconnectionDelayMax: 1000,
      timeout: 10_000,
      ...(transports && { transports }),
      forceNew: true,
    });
    const { socket } = this;
    socket.on('connect_error', (error) => { this.refusal = error; });
    socket.on('disconnect', (reason) => {
      this.forget();
      // The server must never say good-bye in a way after which the library stays away.
      if (reason === 'io server disconnect') this.errors.push('the server sent a disconnect packet');
    });
    socket.on('session_data', (data) => {
      this.reconnects += this.joins++ > 0 ? 1 : 0;
      Object.assign(this, {
        paths: data.paths,
        background: data.background_image,
        locked: data.is_student_locked,
        quiz: data.is_quiz,
      });
      this.present = true;
    });
    const board = ({ paths }) => { this.paths = paths; };
    for (const event of ['paths_update', 'paths_cleared', 'undo', 'redo']) this.on(event, board);
    this.on('background_update', ({ background_image }) => { this.background = background_image; });
    this.on('background_cleared', ({ background_image }) => { this.background = background_image; });
    this.on('student_lock_status', ({ is_student_locked }) => { this.locked = is_student_locked; });
    this.on('student_unlocked', ({ is_student_locked }) => { this.locked = is_student_locked; });
    this.on('quiz_status_updated', ({ is_quiz }) => { this.quiz = is_quiz; });
    this.on('quiz_status', ({ is_quiz }) => { this.quiz = is_quiz; });
    socket.on('error', (error) => { this.seen.error = (this.seen.error ?? 0) + 1; this.lastError = error; });
  }

  on(event, handle) {
    this.socket.on(event, (payload) => {
      this.seen[event] = (this.seen[event] ?? 0) + 1;
      handle(payload);
    });
  }

  forget() {
    this.present = false;
    this.paths = undefined;
  }

  async joined() {
    await until(`${this.name} joins ${this.session}`, () => this.present, () => this.refusal?.message);
  }

  /** Sends an event of the contract; resolves once the server has it on disk. */
  async send(event, payload = {}) {
    await this.joined();
    await this.socket.timeout(ACKNOWLEDGEMENT_MS).emitWithAck(event, { session_code: this.session, ...payload });
  }

  /** Sets the background as a page does: its own at once, for the server tells the others alone. */
  async setBackground(image) {
    this.background = image;
    await this.send('update_background', { background_image: image });
  }

  /** Draws one stroke as a page does: the whole list with the new stroke at its end. Goes on until it is acknowledged. */
  async draw(stroke) {
    for (let tries = 0; tries < 100; tries++) {
      await this.joined();
      const before = this.paths.some(({ id }) => id === stroke.id);
      if (!before) this.paths = [...this.paths, stroke];
      try {
        await this.socket.timeout(ACKNOWLEDGEMENT_MS)
          .emitWithAck('update_paths', { session_code: this.session, paths: this.paths });
        this.acknowledged.add(stroke.id);
        return;
      } catch {
        // Cut off or too slow. What the server has, it sends at the next join.
        this.unanswered++;
      }
    }
    throw new Error(`${this.name} could not draw ${stroke.id} in 100 tries`);
  }

  leave() {
    this.socket.disconnect();
  }
}

/** Waits for a condition; fails with what was waited for. */
export async function until(what, condition, detail = () => '', milliseconds = 120_000) {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what}: not within ${milliseconds / 1000} s ${detail() ?? ''}`);
    await sleep(20);
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}
