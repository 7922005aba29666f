import { describe, expect, it } from 'vitest';
import { Capture } from './capture';
import { order, wins, type Element } from './element';
import { Drafts, Growing, round, rounded } from './growth';
import { access, COLORS, keep, randomText } from './identity';
import { parse, passes } from './protocol';
import { Queue } from './queue';

function element(id: string, version = 1, more: Partial<Element> = {}): Element {
  return { id, type: 'rectangle', version, versionNonce: 5, index: 'a1', isDeleted: false, ...more } as Element;
}

function stroke(id: string, count: number): Element {
  const points = Array.from({ length: count }, (_, n) => [n * 1.23456, n] as const);
  return element(id, count, { type: 'freedraw', points, pressures: points.map(() => 0.33333) });
}

describe('element', () => {
  it.each([
    [2, 9, 1, 1, true], [1, 1, 2, 9, false], [1, 1, 1, 2, true], [1, 2, 1, 1, false], [1, 1, 1, 1, false],
  ])('version %i nonce %i over version %i nonce %i: %s', (va, na, vb, nb, expected) => {
    expect(wins({ version: va, versionNonce: na }, { version: vb, versionNonce: nb })).toBe(expected);
  });

  it('is ordered by index, then id, without an index last', () => {
    const list = [element('z', 1, { index: null }), element('b'), element('a'), element('c', 1, { index: 'a0V' }), element('y', 1, { index: null })];
    expect(list.sort(order).map(({ id }) => id)).toEqual(['c', 'a', 'b', 'y', 'z']);
  });
});

describe('growing strokes', () => {
  it('are sent once, in parts', () => {
    const growing = new Growing();
    const bytes: number[] = [];
    let points = 0;
    for (let count = 1; count <= 500; count += 3) {
      const part = growing.stroke(stroke('s', count))!;
      expect(part.from).toBe(points);
      points += part.points!.length;
      bytes.push(JSON.stringify(part).length);
      expect('base' in part).toBe(part.from === 0);
    }
    expect(growing.stroke(stroke('s', points))).toBeNull();
    expect(growing.told('s')).toBe(points);
    expect(bytes.reduce((a, b) => a + b)).toBeLessThan(2.5 * JSON.stringify(rounded(stroke('s', 500))).length);
    growing.reset();
    expect(growing.told('s')).toBe(0);
  });

  it('have the points that the finished stroke has', () => {
    const [growing, drafts] = [new Growing(), new Drafts()];
    for (let count = 1; count <= 60; count += 7) drafts.take(1, growing.stroke(stroke('s', count))!);
    const [seen, finished] = [drafts.look('s', undefined)!, rounded(stroke('s', 57))];
    expect([seen.points, seen.pressures]).toEqual([finished.points, finished.pressures]);
    expect([seen.locked, seen.type]).toEqual([true, 'freedraw']);
  });

  it('with a gap are not shown further', () => {
    const drafts = new Drafts();
    drafts.take(1, { el: 's', from: 0, points: [[0, 0]], base: { type: 'freedraw' } });
    expect(drafts.take(1, { el: 's', from: 5, points: [[1, 1]] })).toBeNull();
    expect(drafts.take(1, { el: 'unknown', from: 1, points: [[1, 1]] })).toBeNull();
    expect(drafts.look('s', undefined)?.points).toHaveLength(1);
  });

  it('end with their drawer, or when they are called off', () => {
    const drafts = new Drafts();
    drafts.take(1, { el: 's', from: 0, points: [[0, 0]], base: {} });
    drafts.take(2, { el: 't', from: 0, points: [[0, 0]], base: {} });
    expect(drafts.leave(1)).toEqual(['s']);
    expect(drafts.take(2, { el: 't', cancel: true })).toBe('t');
    expect([...drafts.ids()]).toEqual([]);
  });

  it('a moved element keeps its points without sending them', () => {
    const known = stroke('s', 40);
    const moved = new Growing().whole({ ...known, version: 99, x: 5 }, known)!;
    expect(moved.points).toEqual([]);
    const drafts = new Drafts();
    drafts.take(1, moved);
    expect(drafts.look('s', known)).toMatchObject({ x: 5, points: known.points, pressures: known.pressures });
  });

  it.each([[1.23456, 1.23], [-1.005, -1], [0.0001, 0.0001], [0, 0], [-0.00004, 0]])('rounds %d to %d', (value, expected) => {
    expect(round(value) + 0).toBeCloseTo(expected, 6);
  });
});

describe('capture', () => {
  const never = () => false;

  it('finds what changed in place', () => {
    const capture = new Capture();
    const list = [element('a'), element('b')] as { id: string; version: number }[] as Element[];
    capture.note(list);
    expect(capture.scan(list, never)).toEqual({ settled: [], busy: [] });
    (list[1] as { version: number }).version = 2;
    expect(capture.scan(list, never).settled.map(({ id }) => id)).toEqual(['b']);
    expect(capture.scan(list, never).settled).toEqual([]);
  });

  it('waits until the hand is off', () => {
    const capture = new Capture();
    const list = [stroke('s', 3)];
    expect(capture.scan(list, () => true)).toMatchObject({ settled: [], busy: [{ id: 's' }] });
    expect(capture.scan(list, never).settled).toHaveLength(1);
  });

  it('does not tell of what was made and deleted at once', () => {
    expect(new Capture().scan([element('a', 3, { isDeleted: true })], never)).toEqual({ settled: [], busy: [] });
  });

  it('keeps what is being changed as changed while others are put on the canvas', () => {
    const capture = new Capture();
    capture.note([element('a')]);
    const list = [element('a', 2), element('b')];
    capture.note(list, new Set(['a']));
    expect(capture.scan(list, never).settled.map(({ id }) => id)).toEqual(['a']);
  });

  it('notices that something was thrown out', () => {
    const capture = new Capture();
    capture.note([element('a'), element('b')]);
    expect(capture.lost([element('a'), element('b'), element('c')])).toBe(false);
    expect(capture.lost([element('a'), element('c')])).toBe(true);
    expect(capture.lost([element('a')])).toBe(true);
  });
});

describe('queue', () => {
  it('cuts heavy work in parts and keeps the order', () => {
    const queue = new Queue();
    const many = Array.from({ length: 3000 }, (_, n) => element(`e${n}`));
    const requests = queue.add({ t: 'change', gesture: 1, elements: many });
    expect(requests.length).toBeGreaterThan(1);
    expect(requests.flatMap(({ work }) => (work.t === 'change' ? work.elements : []))).toEqual(many);
    expect(queue.all().map(({ id }) => id)).toEqual(requests.map(({ id }) => id));
  });

  it('does not touch what was sent', () => {
    const queue = new Queue();
    const [first] = queue.add({ t: 'change', gesture: 1, elements: [element('a')] });
    queue.markSent(first!.id);
    const [second] = queue.add({ t: 'change', gesture: 1, elements: [element('a', 2)] });
    expect([second!.id, queue.size]).toEqual([2, 2]);
    queue.remove(2);
    expect(queue.state('a')?.version).toBe(1);
    queue.remove(1);
    expect(queue.state('a')).toBeUndefined();
  });
});

describe('identity', () => {
  it('is made once and kept, also where nothing can be kept', () => {
    const kept = new Map<string, string>();
    const keeper = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    expect(keep(keeper, 'k', () => randomText(32))).toBe(keep(keeper, 'k', () => randomText(32)));
    const full = { getItem: () => { throw new Error('no'); }, setItem: () => {} };
    expect(keep(full, 'k', () => 'x')).toBe('x');
    expect(randomText(32)).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(new Set(COLORS).size).toBe(COLORS.length);
  });

  it.each([
    ['#teacher=abc', { access: 'abc' }], ['#look=x', { look: 'x' }], ['', {}], ['#other=1', {}],
  ])('the address part %s gives %o', (hash, expected) => expect(access(hash)).toEqual(expected));
});

describe('messages', () => {
  it.each([['{"t":"pong"}', { t: 'pong' }], ['{}', null], ['[', null], ['null', null], ['5', null]])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  it.each([['too-many', true], ['stopping', true], ['locked', false], ['element', false]])('refusal %s passes by itself: %s', (code, expected) => {
    expect(passes(code)).toBe(expected);
  });
});
