/** What goes out of a board as a file, and what comes in from one. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Element } from '../../src/sync/element';
import { agree, type Person, until } from './browser';
import { readPdf } from './pdf';
import { Stage } from './stage';

const stage = new Stage();

async function download(person: Person, item: string): Promise<Buffer> {
  const [file] = await Promise.all([person.page.waitForEvent('download'), person.menu(item)]);
  return readFileSync((await file.path())!);
}

/** What somebody sees of elements: not their names and versions. */
function look(elements: readonly Element[]): unknown[] {
  return elements.map(({ type, x, y, width, height, points, pressures, strokeColor, strokeWidth, seed, roundness }) =>
    ({ type, x, y, width, height, points, pressures, strokeColor, strokeWidth, seed, roundness }));
}

/** Drops a file on the canvas, as a hand does. */
async function drop(person: Person, name: string, content: string): Promise<void> {
  await person.page.evaluate(([name, content]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([content!], name!, { type: '' }));
    const canvas = document.querySelector('canvas.interactive')!;
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      canvas.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true, clientX: 500, clientY: 400 }));
    }
  }, [name, content]);
}

/** A red PNG of 120 x 80 pixels. */
function red(person: Person): Promise<string> {
  return person.page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [120, 80];
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#e03131';
    context.fillRect(0, 0, 120, 80);
    return canvas.toDataURL('image/png').split(',')[1]!;
  });
}

/** Pixels of a picture: its size, and how many are dark, or red. */
function pixels(person: Person, picture: Buffer): Promise<{ width: number; height: number; dark: number; red: number }> {
  return person.page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let [dark, red] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
      const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
      if (r < 100 && g < 100 && b < 100) dark++;
      if (r > 180 && g < 100 && b < 100) red++;
    }
    return { width: bitmap.width, height: bitmap.height, dark, red };
  }, picture.toString('base64'));
}

describe('a drawing', () => {
  it('goes out as a file, and comes in again by the menu and by dropping it', async () => {
    const [first, second] = await Promise.all([stage.server.board(), stage.server.board()]);
    const [ann, bob] = await Promise.all([stage.enter(`/b/${first.id}`), stage.enter(`/b/${second.id}`)]);
    await ann.shape('r', 400, 300);
    await ann.wave(400, 450);
    const scene = await agree([ann], 2);
    const drawing = await download(ann, 'Save as file');
    const parsed = JSON.parse(drawing.toString()) as { type: string; elements: unknown[] };
    expect([parsed.type, parsed.elements.length]).toEqual(['excalidraw', 2]);
    await bob.page.setInputFiles('input[accept^=".excalidraw"]', { name: 'x.excalidraw', mimeType: 'application/json', buffer: drawing });
    expect(look(await agree([bob], 2))).toEqual(look(scene));
    await drop(bob, 'again.excalidraw', drawing.toString());
    expect(look(await agree([bob], 4))).toEqual([...look(scene), ...look(scene)]);
  });

  it('goes out as a PDF of one page, as large as the drawing', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    await ann.shape('r', 400, 300, 300, 200);
    await agree([ann], 1);
    const { count, width, height, picture } = readPdf(await download(ann, 'Save as PDF'));
    // 96 pixels to the inch, and 20 of them around the drawing.
    expect([count, width, height]).toEqual([1, (300 + 40) * 0.75, (200 + 40) * 0.75]);
    const { dark, ...size } = await pixels(ann, picture);
    expect(size).toMatchObject({ width: (300 + 40) * 2, height: (200 + 40) * 2 });
    expect(dark, 'pixels of the rectangle').toBeGreaterThan(1000);
  });

  it.each([['PNG', /^\x89PNG/], ['SVG', /^<svg /]])('goes out as %s', async (format, beginning) => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    await ann.shape('r', 400, 300, 300, 200);
    await agree([ann], 1);
    await ann.menu('image-export-button');
    const [file] = await Promise.all([ann.page.waitForEvent('download'), ann.page.getByRole('button', { name: `Export to ${format}` }).click()]);
    const bytes = readFileSync((await file.path())!);
    expect(bytes.toString('latin1')).toMatch(beginning);
    if (format === 'PNG') expect((await pixels(ann, bytes)).dark).toBeGreaterThan(300);
    else expect(bytes.toString()).toContain('<path');
  });
});

describe('a library', () => {
  // Of the first version of the format, and of the second.
  it.each(['lipis__stars', 'dhtoran__stick-people'])('comes in by dropping it, is still there later, and its shapes are drawn by a click (%s)', async (name) => {
    const library = readFileSync(`../../e2e/drawings/${name}.excalidrawlib`, 'utf8');
    const { id } = await stage.server.board();
    const [ann, bob] = await stage.together(2, `/b/${id}`) as [Person, Person];
    await drop(ann, `${name}.excalidrawlib`, library);
    const shapes = ann.page.locator('.library-unit__dragger:has(svg)');
    await until(() => shapes.count(), (count) => count > 1, 'the shapes are on the shelf');
    const count = await shapes.count();
    await ann.page.reload();
    await ann.saved();
    await ann.page.getByTitle('Library', { exact: false }).first().click();
    await until(() => shapes.count(), (now) => now === count, 'the shelf is as it was');
    await ann.picture('library');
    await shapes.first().click();
    const drawn = await until(() => bob.scene(), (scene) => scene.length > 0, 'the other sees the shape');
    await agree([ann, bob], drawn.length, false);
  });
});

describe('a background image', () => {
  it('is put by the teacher behind everything, where nobody draws it away', async () => {
    const { id, teacher } = await stage.server.board(true);
    const [ann, bob] = await Promise.all([stage.enter(`/b/${id}#teacher=${teacher}`), stage.enter(`/b/${id}`)]);
    await bob.shape('r', 540, 370);
    await agree([ann, bob], 1);
    const buffer = Buffer.from(await red(ann), 'base64');
    await ann.page.setInputFiles('input[accept^="image/png"]', { name: 'map.png', mimeType: 'image/png', buffer });
    const scene = await until(() => bob.scene(), (all) => all.length === 2, 'the pupil has it');
    expect(scene.map(({ type, locked }) => [type, locked])).toEqual([['image', true], ['rectangle', false]]);
    const inked = async () => pixels(bob, Buffer.from((await bob.pixels()).split(',')[1]!, 'base64'));
    await until(inked, ({ red: count }) => count > 5000, 'the pupil sees it');
    // Dragged and erased over: it stays.
    await bob.tool('v');
    await bob.page.mouse.move(560, 390);
    await bob.page.mouse.down();
    await bob.page.mouse.move(300, 200, { steps: 5 });
    await bob.page.mouse.up();
    await bob.tool('e');
    await bob.page.mouse.move(545, 375);
    await bob.page.mouse.down();
    await bob.page.mouse.move(655, 425, { steps: 10 });
    await bob.page.mouse.up();
    await bob.saved();
    const after = await bob.scene();
    expect(after.find(({ type }) => type === 'image')).toEqual(scene[0]);
    await bob.picture('background');
  });
});
