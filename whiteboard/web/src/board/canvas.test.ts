import { beforeEach, describe, expect, it, vi } from 'vitest';

vi.mock('@excalidraw/excalidraw', () => ({ CaptureUpdateAction: { NEVER: 'NEVER' } }));

import { Connection } from '../sync/connection';
import type { Element } from '../sync/element';
import { Replica } from '../sync/replica';
import { TestServer } from '../sync/testing/server';
import { TestWorld } from '../sync/testing/world';
import { Canvas, type Gate } from './canvas';

/** A canvas that holds elements as Excalidraw does: they are changed in place. */
class FakeCanvas {
  elements: Element[] = [];
  state: Record<string, unknown> = { newElement: null };

  updateScene({ elements }: { elements: Element[] }): void {
    this.elements = elements;
  }

  getSceneElementsIncludingDeleted(): Element[] {
    return this.elements;
  }

  getAppState(): Record<string, unknown> {
    return this.state;
  }

  /** What a hand does to an element. */
  touch(id: string, change: Record<string, unknown>): void {
    const element = this.elements.find((one) => one.id === id)!;
    Object.assign(element, change, { version: element.version + 1, versionNonce: Math.floor(Math.random() * 1e9) });
  }
}

function element(id: string, more: Record<string, unknown> = {}): Element {
  return {
    id, type: 'rectangle', version: 1, versionNonce: 5, index: 'a1', isDeleted: false, x: 0, y: 0, width: 10, height: 10, angle: 0,
    groupIds: [], strokeColor: '#000', backgroundColor: 'transparent', strokeWidth: 1, opacity: 100, seed: 1, ...more,
  };
}

let server: TestServer;
let world: TestWorld;
let ready: boolean;

async function person(name: string, access?: string) {
  const replica = new Replica({ key: `key-${name}`, session: `session-${name}`, name, ...(access ? { access } : {}) });
  const connection = new Connection(replica, 'ws://test', { changed: () => {}, touched: () => {}, news: () => {} }, null, world);
  const api = new FakeCanvas();
  const gate: Gate = { ready: (one) => one.type !== 'image' || ready, refused: () => false };
  const layer: { strokes: readonly Element[] } = { strokes: [] };
  const canvas = new Canvas(api as never, connection, gate, { show: (strokes) => { layer.strokes = strokes; } });
  await connection.start();
  world.pass(50);
  canvas.flush();
  return { replica, connection, api, canvas, layer, settle: () => { canvas.flush(); world.pass(50); canvas.flush(); } };
}

const ids = (api: FakeCanvas) => api.elements.filter(({ isDeleted }) => !isDeleted).map(({ id }) => id).sort();

beforeEach(() => {
  server = new TestServer('secret');
  world = new TestWorld(server);
  ready = true;
  vi.stubGlobal('window', { addEventListener: () => {}, removeEventListener: () => {} });
});

describe('the canvas', () => {
  it('loses all that others deleted, however many at once', async () => {
    const [ann, bob] = [await person('ann'), await person('bob')];
    ann.api.elements = ['a', 'b', 'c', 'd'].map((id) => element(id));
    ann.settle();
    bob.settle();
    expect(ids(bob.api)).toEqual(['a', 'b', 'c', 'd']);
    for (const id of ['a', 'b', 'd']) ann.api.touch(id, { isDeleted: true });
    ann.settle();
    bob.settle();
    expect(ids(bob.api)).toEqual(['c']);
  });

  it('keeps what the hand is on while others’ work arrives', async () => {
    const [ann, bob] = [await person('ann'), await person('bob')];
    const stroke = element('s', { type: 'freedraw', points: [[0, 0]], pressures: [] });
    bob.api.elements = [stroke];
    bob.api.state = { newElement: stroke };
    bob.settle();
    ann.api.elements = [...ann.api.elements, element('a')];
    ann.settle();
    bob.settle();
    expect(bob.api.elements).toContain(stroke);
    expect(ids(bob.api)).toEqual(['a', 's']);
  });

  it('shows a stroke as it grows, and sends its points once', async () => {
    const [ann, bob] = [await person('ann'), await person('bob')];
    const stroke = element('s', { type: 'freedraw', points: [[0, 0]], pressures: [] });
    ann.api.elements = [stroke];
    ann.api.state = { newElement: stroke };
    const lengths: number[] = [];
    for (let n = 1; n <= 5; n++) {
      ann.api.touch('s', { points: Array.from({ length: n * 4 }, (_, at) => [at, at * 0.333]) });
      ann.settle();
      bob.settle();
      lengths.push(bob.layer.strokes[0]!.points!.length);
      expect(bob.api.elements, 'the scene stays as it is').toEqual([]);
    }
    expect(lengths).toEqual([4, 8, 12, 16, 20]);
    world.sent.length = 0;
    ann.api.state = { newElement: null };
    ann.settle();
    bob.settle();
    const change = world.sent.find(({ t }) => t === 'change') as { drafts: object[]; elements: object[] };
    expect([change.elements.length, change.drafts.length]).toEqual([0, 1]);
    expect([bob.layer.strokes, bob.api.elements[0]!.locked]).toEqual([[], undefined]);
    expect(bob.api.elements[0]!.points).toEqual(ann.api.elements[0]!.points);
    expect(ann.replica.queue.size).toBe(0);
  });

  it('gives back what a pupil changed on a locked board', async () => {
    const [ann, bob] = [await person('ann', 'secret'), await person('bob')];
    ann.api.elements = [element('a')];
    ann.settle();
    ann.connection.ask({ t: 'lock', on: true });
    world.pass(50);
    bob.settle();
    bob.api.touch('a', { x: 99 });
    bob.api.elements = [...bob.api.elements, element('b')];
    bob.settle();
    expect([ids(bob.api), bob.api.elements[0]!.x]).toEqual([['a'], 0]);
    expect(server.elements.get('a')?.x).toBe(0);
  });

  it('puts back what an import threw out, beside what it brought', async () => {
    const ann = await person('ann');
    ann.api.elements = [element('a'), element('b')];
    ann.settle();
    ann.settle();
    ann.api.elements = [element('n')];
    ann.settle();
    expect(ids(ann.api)).toEqual(['a', 'b', 'n']);
    expect([...server.elements.keys()].sort()).toEqual(['a', 'b', 'n']);
  });

  it('holds an image back until its file is there', async () => {
    const ann = await person('ann');
    ready = false;
    ann.api.elements = [element('i', { type: 'image', fileId: 'f', status: 'pending' })];
    ann.settle();
    expect(server.elements.size).toBe(0);
    ready = true;
    ann.settle();
    expect(server.elements.get('i')?.status).toBe('saved');
  });
});
