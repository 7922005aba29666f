import { describe, expect, it, vi } from 'vitest';

vi.mock('@excalidraw/excalidraw', () => ({ CaptureUpdateAction: { NEVER: 'NEVER' } }));

import type { Element } from '../sync/element';
import { boardIn } from '../start/open';
import { words } from '../words/words';
import { drawable } from './drawable';
import { bytes, fileUrl } from './files';
import { pdf } from './pdf';
import { renamed } from './renamed';
import { describe as status } from './Status';
import { boardOf, type Session } from './session';

function element(more: Record<string, unknown> = {}): Element {
  return {
    id: 'a', type: 'rectangle', version: 1, versionNonce: 1, index: 'a1', isDeleted: false, x: 0, y: 0, width: 10, height: 10, angle: 0,
    groupIds: [], strokeColor: '#000', backgroundColor: 'transparent', strokeWidth: 1, opacity: 100, seed: 1, ...more,
  };
}

describe('what the canvas can show', () => {
  it.each([
    ['a rectangle', {}, true],
    ['an unknown type', { type: 'hologram' }, false],
    ['no place', { x: null }, false],
    ['a place far out', { y: 1e300 }, false],
    ['a text as width', { width: '10' }, false],
    ['no groups', { groupIds: undefined }, false],
    ['a colour that is none', { strokeColor: 5 }, false],
    ['a stroke', { type: 'freedraw', points: [[0, 0], [1, 1]], pressures: [] }, true],
    ['a stroke without points', { type: 'freedraw', pressures: [] }, false],
    ['a stroke with a broken point', { type: 'freedraw', points: [[0, 0], [1]], pressures: [] }, false],
    ['an arrow', { type: 'arrow', points: [[0, 0], [5, 5]] }, true],
    ['a text', { type: 'text', text: 'x', fontSize: 20, fontFamily: 5 }, true],
    ['a text without text', { type: 'text', fontSize: 20, fontFamily: 5 }, false],
    ['a chosen rectangle of the canvas', { type: 'selection' }, false],
  ])('%s: %o %s', (_name, more, expected) => expect(drawable(element(more))).toBe(expected));
});

describe('added elements', () => {
  it('have new ids, and keep together what belongs together', () => {
    const box = element({ id: 'box', groupIds: ['g'], boundElements: [{ type: 'text', id: 'text' }, { type: 'arrow', id: 'gone' }] });
    const text = element({ id: 'text', type: 'text', groupIds: ['g'], containerId: 'box', frameId: 'elsewhere' });
    const arrow = element({ id: 'arrow', type: 'arrow', startBinding: { elementId: 'box', focus: 1 }, endBinding: { elementId: 'gone' } });
    const copies = renamed([box, text, arrow] as never) as unknown as Record<string, unknown>[];
    const [newBox, newText, newArrow] = copies as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>];
    expect(new Set([...copies.map(({ id }) => id), 'box', 'text', 'arrow']).size).toBe(6);
    expect(newBox.boundElements).toEqual([{ type: 'text', id: newText.id }]);
    expect([newText.containerId, newText.frameId]).toEqual([newBox.id, null]);
    expect(newBox.groupIds).toEqual(newText.groupIds);
    expect(newBox.groupIds).not.toEqual(['g']);
    expect([newArrow.startBinding, newArrow.endBinding]).toEqual([{ elementId: newBox.id, focus: 1 }, null]);
    expect(copies.every(({ index }) => index === null)).toBe(true);
  });
});

describe('a PDF', () => {
  it('has a table that points at its objects', async () => {
    const jpeg = Uint8Array.from([0xff, 0xd8, 0, 10, 13, 0xff, 0xd9]);
    const text = new TextDecoder('latin1').decode(await pdf(jpeg, 1920, 960, 2).arrayBuffer());
    const start = Number(/startxref\n(\d+)/.exec(text)![1]);
    expect(text.slice(start, start + 4)).toBe('xref');
    const offsets = [...text.slice(start).matchAll(/^(\d{10}) 00000 n /gm)].map(([, offset]) => Number(offset));
    expect(offsets).toHaveLength(5);
    for (const [index, offset] of offsets.entries()) expect(text.slice(offset)).toMatch(new RegExp(`^${index + 1} 0 obj\\n`));
    expect(text).toContain('/MediaBox [0 0 720.00 360.00]');
    expect(text).toContain(`/Length ${jpeg.length} >>`);
  });
});

describe('where an image is', () => {
  it.each([
    ['abc', '/api/boards/abc/files/f'],
    ['classroom:Physik 7b', '/api/boards/Physik%207b/files/f?kind=classroom'],
    ['classroom:a/b:c?', '/api/boards/a%2Fb%3Ac%3F/files/f?kind=classroom'],
  ])('%s', (board, expected) => expect(fileUrl(board, 'f')).toBe(expected));
});

describe('data URLs', () => {
  it.each([['data:text/plain;base64,QUI=', [65, 66]], ['data:image/svg+xml,%3Csvg', [60, 115, 118, 103]]])('%s', (url, expected) => {
    expect([...bytes(url)]).toEqual(expected);
  });
});

describe('what opens a board', () => {
  it.each([
    ['physics-7b', '/b/physics-7b'],
    ['  abc ', '/b/abc'],
    ['https://here.example/b/abc#teacher=x', '/b/abc#teacher=x'],
    ['https://here.example/b/abc/?embed', '/b/abc?embed'],
    ['https://other.example/b/abc', null],
    ['javascript:alert(1)', null],
    ['two words', null],
    ['', null],
    ['x'.repeat(65), null],
  ])('%s → %s', (typed, expected) => expect(boardIn(typed, 'https://here.example')).toBe(expected));
});

describe('the board of an address', () => {
  it.each([
    ['/b/abc', 'abc'], ['/b/abc/', 'abc'], ['/b/classroom:Physik%207b', 'classroom:Physik 7b'], ['/b/canvas%3Ax', 'canvas:x'],
    ['/b/', null], ['/b/a b', null], ['/b/%zz', null], ['/b/other:x', null], ['/', null], ['/b/a/b', null],
  ])('%s is %s', (path, expected) => expect(boardOf(path)).toBe(expected));
});

describe('the state in words', () => {
  const t = words('en');
  const online = { status: { at: 'online' }, waiting: 0, replica: { client: 1, role: 'pupil', mayDraw: true, quiz: false, readonly: false } };
  it.each([
    ['nothing yet', undefined, false, 'busy', 'Connecting …'],
    ['all is well', online, false, 'good', 'Saved'],
    ['a short wait is not told', { ...online, waiting: 1 }, false, 'good', 'Saved'],
    ['a long one is', { ...online, waiting: 2 }, true, 'busy', 'Saving 2 changes …'],
    ['away', { ...online, status: { at: 'waiting' } }, false, 'bad', 'Offline'],
    ['away with work', { ...online, status: { at: 'waiting' }, waiting: 1 }, true, 'bad', 'Offline, 1 change waits'],
    ['locked', { ...online, replica: { ...online.replica, mayDraw: false } }, false, 'busy', 'Locked: you can look'],
    ['looking on', { ...online, replica: { ...online.replica, role: 'viewer', mayDraw: false } }, false, 'good', 'You can look'],
    ['in a quiz', { ...online, replica: { ...online.replica, quiz: true } }, false, 'good', 'Quiz · Saved'],
  ])('%s', (_name, connection, slow, mood, text) => {
    expect(status({ connection, waiting: connection?.waiting ?? 0 } as unknown as Session, t, slow)).toEqual({ mood, text });
  });
});
