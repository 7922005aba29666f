import { describe, expect, it } from 'vitest';
import { agree, type Person, sleep, until } from './browser';
import { Server } from './server';
import { Stage } from './stage';

const stage = new Stage();

/** Pastes a red picture. */
async function paste(person: Person): Promise<void> {
  await person.page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [120, 80];
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#e03131';
    context.fillRect(0, 0, 120, 80);
    const blob = await new Promise<Blob>((resolve) => canvas.toBlob((made) => resolve(made!), 'image/png'));
    const data = new DataTransfer();
    data.items.add(new File([blob], 'red.png', { type: 'image/png' }));
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  });
}

describe('two people', () => {
  it('draw, erase, write and undo, and see the same', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await ann.wave(300, 250);
    await bob.shape('r', 600, 300);
    await agree([ann, bob], 2);
    await bob.shape('o', 350, 450);
    await ann.tool('t');
    await ann.page.mouse.click(700, 500);
    await ann.page.keyboard.type('Hello');
    await ann.page.keyboard.press('Escape');
    const scene = await agree([ann, bob], 4);
    expect(scene.map(({ type }) => type).sort()).toEqual(['ellipse', 'freedraw', 'rectangle', 'text']);
    await ann.picture('two-people');
    // An undo takes one's own last step, not the other's.
    await bob.undo();
    await agree([ann, bob], 3);
    await ann.undo();
    await agree([ann, bob], 2);
    await ann.page.getByRole('button', { name: 'Redo' }).click();
    await agree([ann, bob], 3);
    await ann.page.getByRole('button', { name: 'Undo' }).click();
    const rest = await agree([ann, bob], 2);
    await bob.page.keyboard.press('Control+y');
    await agree([ann, bob], 3);
    await bob.undo();
    await agree([ann, bob], 2);
    expect(rest.map(({ type }) => type).sort()).toEqual(['freedraw', 'rectangle']);
    await bob.tool('e');
    await bob.page.mouse.move(290, 200);
    await bob.page.mouse.down();
    await bob.page.mouse.move(450, 300, { steps: 20 });
    await bob.page.mouse.up();
    const last = await agree([ann, bob], 1);
    expect(last[0]?.type).toBe('rectangle');
  });

  it('see a stroke while it is drawn, and the cursor with its name', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await ann.wave(300, 300, 30, true);
    const seen = await until(() => bob.strokes(), (strokes) => (strokes[0]?.points?.length ?? 0) > 10, 'the other sees the stroke grow', 5000);
    expect(seen).toHaveLength(1);
    const inked = () => bob.page.evaluate(() => {
      const layer = document.querySelector<HTMLCanvasElement>('canvas.strokes')!;
      const { data } = layer.getContext('2d')!.getImageData(0, 0, layer.width, layer.height);
      return data.filter((value, at) => at % 4 === 3 && value > 0).length;
    });
    expect(await inked(), 'pixels of the stroke').toBeGreaterThan(300);
    await bob.picture('while-drawing');
    await ann.page.mouse.up();
    const [stroke] = await agree([ann, bob], 1);
    expect(stroke!.points!.length).toBeGreaterThan(20);
  });

  it('follow a view, and see a laser pointer', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await bob.shape('r', 500, 300);
    await agree([ann, bob], 1);
    await bob.page.mouse.click(900, 600);
    await ann.page.getByRole('button', { name: '2 people here' }).click();
    await ann.page.getByRole('button', { name: 'Follow the view of' }).click();
    await bob.page.mouse.move(700, 500);
    await bob.page.mouse.wheel(150, 120);
    await until(() => Promise.all([ann.pixels(), bob.pixels()]), ([a, b]) => a === b, 'the view follows', 10_000, () => 'other pixels');
    await ann.picture('following');
    await bob.tool('k');
    await bob.page.mouse.move(400, 400);
    await bob.page.mouse.down();
    const trail = () => ann.page.evaluate(() => [...document.querySelectorAll('.SVGLayer path')].some((path) => (path.getAttribute('d') ?? '').length > 20));
    for (let step = 0; step < 40 && !(await trail()); step++) {
      await bob.page.mouse.move(400 + step * 8, 400 + (step % 5) * 6);
      await sleep(30);
    }
    expect(await trail(), 'the laser leaves a trail').toBe(true);
    await bob.page.mouse.up();
    await agree([ann, bob], 1, false);
  });

  it('a stroke of 500 points is sent once, in growing parts', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    const bob = await stage.enter(`/b/${id}`);
    let [bytes, idle, points] = [0, 0, 0];
    const session = await ann.cdp();
    await session.send('Network.enable');
    session.on('Network.webSocketFrameSent', ({ response }) => {
      idle += response.payloadData.length;
      const message = JSON.parse(response.payloadData) as { t: string; points?: unknown[] };
      if (message.t !== 'draft' && message.t !== 'change') return;
      bytes += response.payloadData.length;
      points += message.points?.length ?? 0;
    });
    await ann.wave(250, 300, 120);
    const [stroke] = await agree([ann, bob], 1);
    expect(points, 'each point is sent once').toBe(stroke!.points!.length);
    expect(bytes).toBeLessThan(JSON.stringify(stroke).length + points * 120);
    idle = 0;
    await sleep(3000);
    expect(idle, 'bytes sent while nothing happens').toBeLessThan(200);
  });

  it('paste an image, and both have it', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await paste(ann);
    const [image] = await until(() => bob.scene(), (scene) => scene.length === 1 && scene[0]?.status === 'saved', 'the image arrives');
    expect(image?.type).toBe('image');
    const files = () => bob.page.evaluate(() => (window as unknown as { whiteboard: { files(): string[] } }).whiteboard.files());
    expect(await until(files, (list) => list.length === 1, 'its file arrives')).toEqual([image?.fileId]);
    await agree([ann, bob], 1);
  });

  it('one goes offline, draws, returns', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await ann.wave(300, 250);
    await agree([ann, bob], 1);
    await ann.page.context().setOffline(true);
    await ann.page.evaluate(() => (window as unknown as { whiteboard: { cut(): void } }).whiteboard.cut());
    await ann.wave(300, 400);
    await ann.shape('r', 600, 400);
    await bob.shape('d', 600, 200);
    await until(() => ann.status(), (text) => /Offline, \d+ changes? wait/.test(text), 'the status says what waits');
    await ann.picture('offline');
    await ann.page.context().setOffline(false);
    await agree([ann, bob], 4);
  });

  it('an image pasted while away outlives its tab', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    const context = ann.page.context();
    await context.setOffline(true);
    await ann.page.evaluate(() => (window as unknown as { whiteboard: { cut(): void } }).whiteboard.cut());
    await paste(ann);
    await until(() => ann.status(), (text) => text === 'Offline, 1 change waits', 'the status counts the image');
    // What is kept is kept a moment later: the tab tells nothing when it is killed.
    await until(() => ann.page.evaluate(kept), (count) => count === 1, 'the device keeps it');
    await ann.page.close({ runBeforeUnload: false });
    await context.setOffline(false);
    const again = await context.newPage();
    await again.goto(ann.url);
    await agree([bob], 1);
    const [image] = await until(() => bob.scene(), (scene) => scene[0]?.status === 'saved', 'the image arrives');
    const files = () => bob.page.evaluate(() => (window as unknown as { whiteboard: { files(): string[] } }).whiteboard.files());
    expect(await until(files, (list) => list.length === 1, 'its file arrives')).toEqual([image?.fileId]);
    await until(() => again.evaluate(kept), (count) => count === 0, 'the device has forgotten it');
  });
});

/** How many images this device keeps for boards. */
function kept(): Promise<number> {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open('whiteboard-images');
    open.onerror = () => reject(open.error!);
    open.onsuccess = () => {
      const database = open.result;
      if (!database.objectStoreNames.contains('elements')) return resolve(0);
      const count = database.transaction('elements').objectStore('elements').count();
      count.onsuccess = () => {
        database.close();
        resolve(count.result);
      };
    };
  });
}

describe('ten people', () => {
  it('draw at once and agree', async () => {
    const { id } = await stage.server.board();
    const all = await stage.together(10, `/b/${id}`, { viewport: { width: 900, height: 640 } });
    await Promise.all(all.map((person, n) => person.shape(n % 2 ? 'r' : 'o', 260 + (n % 5) * 110, 160 + Math.floor(n / 5) * 180, 80, 60)));
    await agree(all, 10, false);
    await Promise.all(all.map((person, n) => person.wave(260 + (n % 5) * 110, 420 + Math.floor(n / 5) * 60, 8)));
    await agree(all, 20, false);
    await Promise.all(all.slice(0, 5).map((person) => person.undo()));
    await agree(all, 15);
    await all[0]!.picture('ten-people');
  });
});

describe.runIf(Server.owned)('the server', () => {
  it('killed in the middle loses nothing that was acknowledged, and what waits is sent', async () => {
    const { id } = await stage.server.board();
    const [ann, bob] = (await stage.together(2, `/b/${id}`)) as [Person, Person];
    await ann.wave(300, 250);
    await agree([ann, bob], 1);
    await stage.server.kill();
    await ann.shape('r', 600, 250);
    await bob.shape('o', 600, 450);
    await stage.server.run();
    await agree([ann, bob], 3);
    const carl = await stage.enter(`/b/${id}`);
    await agree([ann, carl], 3, false);
  });

  it('away while a tab is closed: the next tab sends what waited', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    await ann.wave(300, 250);
    await agree([ann], 1);
    await stage.server.kill();
    await ann.shape('r', 600, 250);
    await until(() => ann.status(), (text) => /wait/.test(text), 'it waits');
    await sleep(600);
    const again = await ann.page.context().newPage();
    await ann.page.close();
    await stage.server.run();
    await again.goto(ann.url);
    await again.waitForSelector('.status[data-mood="good"][data-waiting="0"]');
    const bob = await stage.enter(`/b/${id}`);
    expect((await agree([bob], 2)).map(({ type }) => type).sort()).toEqual(['freedraw', 'rectangle']);
  });
});
