#!/usr/bin/env node
// A canvas of CollabCanvas as its pages use it: accounts, a WebSocket, shapes, and reconnecting after a cut.
//
//   canvas.mjs --url http://127.0.0.1:8080 [--canvas plan] [--people 5] [--shapes 20]
//
// People register, draw at the same moment, move and delete each other's shapes. At the end all pages, a newcomer and
// /api/canvas/state show the same. The last line of output is one JSON object. Exits with 1 and a sentence otherwise.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { until } from './classroom.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    canvas: { type: 'string', default: 'plan' },
    people: { type: 'string', default: '5' },
    shapes: { type: 'string', default: '20' },
  },
});
const [people, shapes] = [options.people, options.shapes].map(Number);

async function post(path, body) {
  const answer = await fetch(options.url + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  const { success, data, error } = await answer.json();
  assert.ok(success, `${path}: ${answer.status} ${error}`);
  return data;
}

/** One tab. It shows its own changes at once, as the pages do, and does what it is told. */
class Page {
  constructor({ username, 'session-id': session }) {
    Object.assign(this, { username, session, objects: new Map(), seen: {}, errors: [], joins: 0 });
    this.connect(1000);
  }

  connect(delay) {
    this.present = false;
    const socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/ws/${options.canvas}`);
    this.socket = socket;
    socket.on('open', () => this.send({ type: 'auth', sessionId: this.session, canvasId: options.canvas }));
    socket.on('message', (text) => this.hear(JSON.parse(text)));
    socket.on('error', () => {});
    // Browsers call a close clean when a closing frame came; the pages come back from others only.
    socket.on('close', (code) => { if (code === 1006) setTimeout(() => this.connect(2 * delay), delay); });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  hear(message) {
    this.seen[message.type] = (this.seen[message.type] ?? 0) + 1;
    switch (message.type) {
      case 'auth-success':
        this.objects = new Map(message['canvas-state'].map((object) => [object.id, object]));
        this.present = true;
        this.joins++;
        break;
      case 'presence': this.users = message.users; break;
      case 'object-create': this.objects.set(message.object.id, message.object); break;
      case 'object-update':
        if (this.objects.has(message['object-id'])) Object.assign(this.objects.get(message['object-id']), message.delta);
        break;
      case 'object-delete': this.objects.delete(message['object-id']); break;
      case 'objects-delete': message['object-ids'].forEach((id) => this.objects.delete(id)); break;
      case 'error': case 'auth-failed': this.errors.push(message.message); break;
    }
  }

  create(object) {
    this.objects.set(object.id, { ...object });
    this.send({ type: 'object-create', object, messageId: 1 });
  }

  leave() {
    this.socket.close(1000, 'User disconnect');
  }
}

const shape = (n) => ({
  id: randomUUID(), type: n % 2 ? 'circle' : 'rectangle', x: n * 3.5, y: -n,
  ...(n % 2 ? { radius: 5 + n } : { width: 10, height: 20 }), color: '#3498db',
});
const shown = ({ objects }) => JSON.stringify([...objects.values()].map((o) => JSON.stringify(Object.entries(o).sort())).sort());

const accounts = [];
for (let n = 0; n < people; n++) {
  const username = `p${randomUUID().slice(0, 8)}`;
  await post('/api/register', { email: `${username}@school.example`, username, password: 'correct horse' });
  accounts.push(await post('/api/login', { email: `${username}@school.example`, password: 'correct horse' }));
}
const pages = accounts.map((account) => new Page(account));
await until('everybody is there', () => pages.every(({ present }) => present), () => pages[0].errors[0]);
await until('everybody sees everybody', () => pages.every(({ users }) => users?.length >= people));
const before = pages[0].objects.size;
for (let n = 0; n < shapes; n++) {
  pages.forEach((page) => { page.create(shape(n)); page.send({ type: 'cursor', x: n, y: n }); });
  await new Promise((resolve) => { setTimeout(resolve, 50); });
}
await until('all shapes are everywhere', () => pages.every(({ objects }) => objects.size === before + people * shapes));
// One moves what another made, and a third deletes some.
const [mover, , remover] = pages;
const ids = [...mover.objects.keys()].slice(-10);
ids.forEach((id, n) => {
  Object.assign(mover.objects.get(id), { x: 1000 + n });
  mover.send({ type: 'object-update', 'object-id': id, updates: { x: 1000 + n } });
});
await until('moves are everywhere', () => pages.every(({ objects }) => objects.get(ids[9])?.x === 1009));
(remover ?? mover).send({ type: 'objects-delete', 'object-ids': ids.slice(0, 5) });
await until('deletes are everywhere', () => pages.every(({ objects }) => !objects.has(ids[0])));
// A cable is pulled: the page comes back by itself and has everything.
pages[0].socket.terminate();
await until('a page comes back', () => pages[0].joins === 2 && pages[0].present);
await until('all pages show the same', () => new Set(pages.map(shown)).size === 1);
assert.ok(pages.every(({ errors }) => errors.length === 0), `errors: ${pages.flatMap(({ errors }) => errors)}`);
const answer = await fetch(`${options.url}/api/canvas/state?canvasId=${options.canvas}`, {
  headers: { 'X-Session-ID': accounts[0]['session-id'] },
});
const stored = { objects: new Map(JSON.parse((await answer.json()).state).map((object) => [object.id, object])) };
assert.equal(shown(stored), shown(pages[0]), 'what is stored is what everybody sees');
const pointers = (pages[0].seen.cursor ?? 0) + (pages[0].seen['cursor-batch'] ?? 0);
assert.ok(pointers > 0, 'pointers were seen');
pages.forEach((page) => page.leave());
console.log(JSON.stringify({ people, shapes: people * shapes, objects: stored.objects.size, pointers }));
