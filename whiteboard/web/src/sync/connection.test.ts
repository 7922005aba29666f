import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { beforeEach, describe, expect, it } from 'vitest';
import { Connection } from './connection';
import type { Element } from './element';
import type { News } from './replica';
import { Replica } from './replica';
import { openShelf } from './shelf';
import { TestServer } from './testing/server';
import { TestWorld } from './testing/world';

globalThis.IDBKeyRange ??= IDBKeyRange;

let server: TestServer;
let world: TestWorld;
const news: News[] = [];

function element(id: string, version = 1): Element {
  return { id, type: 'rectangle', version, versionNonce: 1, index: 'a1', isDeleted: false };
}

function client(name: string, shelf: Awaited<ReturnType<typeof openShelf>> = null): Connection {
  const replica = new Replica({ key: `key-${name}`, session: `session-${name}`, name });
  return new Connection(replica, 'ws://test', { changed: () => {}, touched: () => {}, news: (one) => news.push(one) }, shelf, world);
}

beforeEach(() => {
  server = new TestServer();
  world = new TestWorld(server);
  news.length = 0;
});

describe('connection', () => {
  it('sends what was asked before it was open, and is told of the answer', async () => {
    const one = client('a');
    one.ask({ t: 'change', elements: [element('x')] });
    await one.start();
    expect(one.waiting).toBe(1);
    world.pass(100);
    expect([one.status.at, one.waiting, server.elements.has('x')]).toEqual(['online', 0, true]);
  });

  it('comes back with doubling delays, and sends again what was not answered', async () => {
    const one = client('a');
    await one.start();
    world.pass(100);
    world.up = false;
    one.ask({ t: 'change', elements: [element('x')] });
    world.cut(1006);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      expect(one.status.at).toBe('waiting');
      const delay = one.status.at === 'waiting' ? one.status.until - world.now() : 0;
      delays.push(delay);
      world.pass(delay + 1);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    world.up = true;
    world.pass(40_000);
    expect([one.status.at, one.waiting, server.elements.has('x')]).toEqual(['online', 0, true]);
  });

  it.each([
    [1001, 'waiting'], [1006, 'waiting'], [1012, 'waiting'], [1013, 'waiting'], [4408, 'waiting'], [4429, 'waiting'],
    [4400, 'ended'], [4401, 'ended'], [4404, 'ended'], [4406, 'ended'], [4409, 'ended'], [4413, 'ended'],
  ])('after close code %i it is %s', async (code, status) => {
    const one = client('a');
    await one.start();
    world.pass(100);
    world.cut(code);
    expect(one.status.at).toBe(status);
  });

  it('asks a silent server, and leaves one that does not answer', async () => {
    const one = client('a');
    await one.start();
    world.pass(100);
    world.pass(20_000);
    expect(world.sent.at(-1)).toEqual({ t: 'ping' });
    expect(one.status.at).toBe('online');
    world.up = false;
    world.pass(20_000 + 10_000 + 10);
    expect(one.status.at).not.toBe('online');
    world.up = true;
    world.pass(60_000);
    expect(one.status.at).toBe('online');
  });

  it('idle, it sends nothing but pings', async () => {
    const one = client('a');
    await one.start();
    world.pass(100);
    world.sent.length = 0;
    world.pass(120_000);
    expect(new Set(world.sent.map(({ t }) => t))).toEqual(new Set(['ping']));
    expect(world.sent.length).toBeLessThanOrEqual(6);
    expect(one.status.at).toBe('online');
  });

  it('brings what was drawn while away in portions', async () => {
    const one = client('a');
    for (let n = 0; n < 100; n++) one.ask({ t: 'change', gesture: n, elements: [element(`x${n}`)] });
    await one.start();
    world.pass(3);
    expect(world.sent.filter(({ t }) => t === 'change').length).toBeLessThanOrEqual(32);
    world.pass(100);
    expect([one.waiting, server.elements.size]).toEqual([0, 100]);
  });

  it('joins changes of one gesture while they wait', async () => {
    const one = client('a');
    for (let version = 1; version <= 50; version++) one.ask({ t: 'change', gesture: 1, elements: [element('x', version)] });
    expect(one.waiting).toBe(1);
    await one.start();
    world.pass(100);
    expect(world.sent.filter(({ t }) => t === 'change')).toHaveLength(1);
    expect(server.elements.get('x')?.version).toBe(50);
  });

  it('what a closed tab had not sent is sent by the next', async () => {
    const factory = new IDBFactory();
    const first = client('a', await openShelf('board', 'session-a', factory));
    world.up = false;
    await first.start();
    first.ask({ t: 'change', elements: [element('x')] });
    first.ask({ t: 'undo' });
    await first.shelveNow();
    first.stop();
    world.up = true;
    const other = client('c', await openShelf('other', 'session-c', factory));
    await other.start();
    expect(other.waiting).toBe(0);
    const second = client('b', await openShelf('board', 'session-b', factory));
    await second.start();
    world.pass(100);
    expect([second.waiting, server.elements.has('x'), server.elements.get('x')?.isDeleted]).toEqual([0, true, false]);
    await second.shelveNow();
    const third = await openShelf('board', 'session-d', factory);
    expect(await third?.adopt()).toEqual([]);
  });

  it('a locked board refuses a pupil and the canvas goes back', async () => {
    server = new TestServer('secret');
    world = new TestWorld(server);
    server.elements.set('x', element('x'));
    const pupil = client('p');
    await pupil.start();
    world.pass(100);
    server.locked = true;
    pupil.ask({ t: 'change', elements: [element('x', 2), element('y')] });
    expect(pupil.replica.look('x')?.version).toBe(2);
    world.pass(100);
    expect(pupil.replica.look('x')?.version).toBe(1);
    expect(pupil.replica.look('y')).toBeUndefined();
    expect(news.some((one) => one.kind === 'refused' && one.error.code === 'locked')).toBe(true);
  });
});
