import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

vi.mock('@excalidraw/excalidraw', () => ({ CaptureUpdateAction: { NEVER: 'NEVER' } }));

import type { Element } from '../sync/element';
import { Files } from './files';
import { KeptImages } from './kept';

vi.stubGlobal('IDBKeyRange', IDBKeyRange);

const image = (id: string, fileId: string, version = 1) => ({ id, type: 'image', fileId, version, versionNonce: 1, index: null, isDeleted: false }) as Element;
const file = (id: string) => ({ id, dataURL: 'data:image/png;base64,AAAA', mimeType: 'image/png', created: 1 }) as never;

/** A canvas that holds elements and files. */
class FakeCanvas {
  elements: Element[] = [];
  files: Record<string, unknown> = {};
  updateScene = ({ elements }: { elements: Element[] }) => { this.elements = elements; };
  getSceneElementsIncludingDeleted = () => this.elements;
  getFiles = () => this.files;
  addFiles = (files: { id: string }[]) => { for (const one of files) this.files[one.id] = one; };
}

let factory: IDBFactory;
let known: Set<string>;
let server: (url: string) => Promise<{ ok: boolean; status: number; json(): Promise<unknown> }>;

async function tab() {
  const kept = await KeptImages.open('board', factory);
  const api = new FakeCanvas();
  let waiting = 0;
  const files = new Files(api as never, {
    board: 'board', key: 'k', kept, known: (id) => (known.has(id) ? image(id, 'x') : undefined), settled: () => {}, waits: (count) => { waiting = count; },
  });
  return { kept: kept!, api, files, waiting: () => waiting };
}

beforeEach(() => {
  factory = new IDBFactory();
  known = new Set();
  server = () => Promise.reject(new TypeError('no network'));
  vi.stubGlobal('fetch', (url: string) => server(url));
});

describe('images that wait', () => {
  it('outlive their tab, as they were last', async () => {
    const first = await tab();
    first.files.offer([image('a', 'red')], { red: file('red') } as never);
    first.files.offer([image('a', 'red', 2)], { red: file('red') } as never);
    first.files.keepNow();
    expect(first.waiting()).toBe(1);
    const second = await tab();
    await vi.waitFor(async () => expect(await second.kept.all()).toHaveLength(1));
    await second.files.adopt();
    expect(second.api.elements).toEqual([image('a', 'red', 2)]);
    expect(Object.keys(second.api.files)).toEqual(['red']);
    await second.files.adopt();
    expect(second.api.elements).toHaveLength(1);
  });

  it('are forgotten when the server has them, and not brought back', async () => {
    const first = await tab();
    server = () => Promise.resolve({ ok: true, status: 201, json: () => Promise.resolve({}) });
    first.files.offer([image('a', 'red'), image('b', 'red')], { red: file('red') } as never);
    first.files.keepNow();
    await vi.waitFor(async () => expect(await first.kept.all()).toHaveLength(2));
    await vi.waitFor(() => expect(first.waiting()).toBe(0));
    known.add('a');
    first.files.offer([image('a', 'red'), image('b', 'red')], {} as never);
    await vi.waitFor(async () => expect((await first.kept.all()).map(({ element }) => element.id)).toEqual(['b']));
    // The tab was closed before it could forget the other.
    known.add('b');
    const second = await tab();
    await second.files.adopt();
    expect(second.api.elements).toEqual([]);
    await vi.waitFor(async () => expect(await second.kept.all()).toEqual([]));
  });

  it.each([
    ['deleted', (files: Files) => files.offer([{ ...image('a', 'red', 2), isDeleted: true }], {} as never)],
    ['refused', async (files: Files) => {
      server = () => Promise.resolve({ ok: false, status: 413, json: () => Promise.resolve({ error: 'too large' }) });
      files.offer([image('b', 'blue')], { blue: file('blue') } as never);
      await vi.waitFor(() => expect(files.refused(image('b', 'blue'))).toBe(true));
      files.offer([image('b', 'blue'), { ...image('a', 'red', 2), isDeleted: true }], {} as never);
    }],
  ])('are forgotten when they are %s', async (_name, end) => {
    const { files, kept } = await tab();
    files.offer([image('a', 'red')], { red: file('red') } as never);
    files.keepNow();
    await vi.waitFor(async () => expect(await kept.all()).toHaveLength(1));
    await end(files);
    files.keepNow();
    await vi.waitFor(async () => expect(await kept.all()).toEqual([]));
  });

  it('of other boards stay where they are', async () => {
    const other = (await KeptImages.open('other', factory))!;
    await other.keepFile(file('red'));
    await other.keepElements([image('a', 'red')]);
    const { kept } = await tab();
    expect(await kept.all()).toEqual([]);
    await kept.forget('a', 'red');
    expect(await other.all()).toHaveLength(1);
  });

  it('are not kept where the browser keeps nothing', async () => {
    expect(await KeptImages.open('board', undefined)).toBeNull();
    const broken = { open: () => { throw new Error('forbidden'); } } as unknown as IDBFactory;
    expect(await KeptImages.open('board', broken)).toBeNull();
  });
});

describe('images that the server may have forgotten', () => {
  let sent: string[];
  const pasted = image('new', 'x');

  /** A tab that fetched the image `x` for the element `a` some time ago. */
  async function fetched() {
    sent = [];
    server = (url: string) => {
      sent.push(url);
      return Promise.resolve({ ok: true, status: 200, json: () => Promise.resolve({}), blob: () => Promise.resolve(new Blob()) });
    };
    vi.stubGlobal('FileReader', class { result = 'data:,'; onload = () => {}; readAsDataURL() { this.onload(); } });
    const made = await tab();
    known.add('a');
    made.api.elements = [image('a', 'x'), pasted];
    made.files.want([image('a', 'x')]);
    await vi.waitFor(() => expect(Object.keys(made.api.files)).toEqual(['x']));
    sent = [];
    return made;
  }

  afterEach(() => vi.useRealTimers());

  it('are not sent while something on the board shows them', async () => {
    const { files, api } = await fetched();
    files.offer(api.elements, api.files as never);
    expect([files.ready(pasted), sent]).toEqual([true, []]);
  });

  it('are sent again before an element that shows them anew, once', async () => {
    const { files, api, waiting } = await fetched();
    known.delete('a');
    expect(files.ready(pasted)).toBe(false);
    files.offer(api.elements, api.files as never);
    expect([files.ready(pasted), waiting(), sent.length]).toEqual([false, 1, 1]);
    await vi.waitFor(() => expect(files.ready(pasted)).toBe(true));
    files.offer(api.elements, api.files as never);
    expect(sent).toHaveLength(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 13 * 3600_000 });
    expect(files.ready(pasted)).toBe(false);
    files.offer(api.elements, api.files as never);
    expect(sent).toHaveLength(2);
  });

  it('leave elements alone whose image is not here', async () => {
    const { files, api } = await fetched();
    known.delete('a');
    api.files = {};
    expect(files.ready(pasted)).toBe(true);
  });
});
