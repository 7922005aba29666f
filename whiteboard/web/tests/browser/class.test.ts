import { describe, expect, it } from 'vitest';
import { agree, sleep, until } from './browser';
import { Stage } from './stage';

const stage = new Stage();

/** A pupil without a page: whatever it sends, the server decides. */
async function attack(board: string, requests: object[]): Promise<Record<string, unknown>[]> {
  const socket = stage.server.site.socket(`/boards/${board}/live`);
  const heard: Record<string, unknown>[] = [];
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('message', (data) => heard.push(JSON.parse(String(data)) as Record<string, unknown>));
  socket.send(JSON.stringify({ t: 'hello', v: 1, key: 'k'.repeat(32), session: 's'.repeat(16), name: 'Mallory' }));
  await until(async () => heard.map(({ t }) => t), (kinds) => kinds.includes('welcome'), 'a welcome');
  for (const request of requests) socket.send(JSON.stringify(request));
  await until(async () => heard, (all) => all.filter(({ t }) => t === 'ack' || t === 'error').length >= requests.length, 'an answer to each request');
  socket.close();
  return heard;
}

describe('a class', () => {
  it('is locked and unlocked by its teacher, also for a pupil without our page', async () => {
    const { id, teacher } = await stage.server.board(true);
    const [ann, bob] = await Promise.all([stage.enter(`/b/${id}#teacher=${teacher}`), stage.enter(`/b/${id}`)]);
    await bob.wave(300, 250);
    await agree([ann, bob], 1);
    await ann.menu('menu-lock');
    await until(() => bob.status(), (text) => text.startsWith('Locked'), 'the pupil is told');
    await bob.picture('locked');
    await bob.wave(300, 450);
    const element = { id: 'x', type: 'rectangle', version: 1, versionNonce: 1, index: 'a1', isDeleted: false };
    const heard = await attack(id, [
      { t: 'change', id: 1, elements: [element] }, { t: 'clear', id: 2 }, { t: 'lock', id: 3, on: false }, { t: 'undo', id: 4 }, { t: 'quiz', id: 5, on: true },
    ]);
    expect(heard.filter(({ t }) => t === 'ack')).toEqual([]);
    expect(heard.filter(({ t }) => t === 'error')).toHaveLength(5);
    await sleep(300);
    await agree([ann], 1);
    await ann.menu('menu-lock');
    await bob.saved();
    await bob.wave(300, 450);
    // Who may not draw moves the view by dragging: the pictures differ.
    await agree([ann, bob], 2, false);
  });

  it('while it is locked looks around: pans and zooms, with mouse and finger', async () => {
    const { id, teacher } = await stage.server.board(true);
    const ann = await stage.enter(`/b/${id}#teacher=${teacher}`);
    await ann.shape('r', 500, 300);
    await agree([ann], 1);
    await ann.menu('menu-lock');
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const [bob, carl] = await Promise.all([stage.open(`/b/${id}`), stage.open(`/b/${id}`, phone)]);
    for (const pupil of [bob, carl]) await until(() => pupil.status(), (text) => text.startsWith('Locked'), 'the pupil is told');
    for (const pupil of [bob, carl]) await until(() => pupil.scene(), (scene) => scene.length === 1, 'the pupil sees the board');
    const moved = async (pupil: typeof bob, act: () => Promise<void>, what: string) => {
      // What comes to rest by itself would look like a view that was moved.
      let before = '';
      await until(() => pupil.pixels(), (now) => now === before || !(before = now), 'the picture is still');
      await act();
      await until(() => pupil.pixels(), (now) => now !== before, what);
    };
    const { mouse, keyboard } = bob.page;
    await moved(bob, async () => {
      await mouse.move(400, 500);
      await mouse.down();
      await mouse.move(500, 560, { steps: 5 });
      await mouse.up();
    }, 'the mouse pans');
    await moved(bob, () => mouse.wheel(0, 120), 'the wheel pans');
    await moved(bob, async () => {
      await keyboard.down('Control');
      await mouse.wheel(0, -200);
      await keyboard.up('Control');
    }, 'the wheel zooms');
    await carl.picture('phone-locked');
    const session = await carl.cdp();
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: { x: number; y: number; id: number }[]) => session.send('Input.dispatchTouchEvent', { type, touchPoints });
    await moved(carl, async () => {
      await touch('touchStart', [{ x: 200, y: 500, id: 1 }]);
      for (let step = 1; step <= 8; step++) await touch('touchMove', [{ x: 200 + step * 8, y: 500 + step * 8, id: 1 }]);
      await touch('touchEnd', []);
    }, 'a finger pans');
    await moved(carl, async () => {
      await touch('touchStart', [{ x: 150, y: 450, id: 1 }, { x: 250, y: 450, id: 2 }]);
      for (let step = 1; step <= 8; step++) await touch('touchMove', [{ x: 150 - step * 6, y: 450, id: 1 }, { x: 250 + step * 6, y: 450, id: 2 }]);
      await touch('touchEnd', []);
    }, 'two fingers zoom');
    await agree([ann], 1, false);
  });

  it('in a quiz sees its own and the teacher’s strokes only, until it ends', async () => {
    const { id, teacher } = await stage.server.board(true);
    const [ann, bob, carl] = await Promise.all([stage.enter(`/b/${id}#teacher=${teacher}`), stage.enter(`/b/${id}`), stage.enter(`/b/${id}`)]);
    await ann.shape('r', 300, 200);
    await agree([ann, bob, carl], 1);
    await ann.menu('menu-quiz');
    await until(() => bob.status(), (text) => text.startsWith('Quiz'), 'the pupil is told');
    await bob.wave(300, 350);
    await carl.wave(300, 500);
    await agree([ann], 3, false);
    expect((await agree([bob], 2, false)).map(({ type }) => type)).toContain('freedraw');
    await agree([carl], 2, false);
    const heard = await attack(id, []);
    const leaked = heard.flatMap((message) => (message.t === 'snapshot' ? (message.elements as { type: string }[]) : [])).filter(({ type }) => type === 'freedraw');
    expect(leaked).toEqual([]);
    await ann.menu('menu-quiz');
    await agree([ann, bob, carl], 3);
  });

  it('is cleared by its teacher, who can take that back', async () => {
    const { id, teacher } = await stage.server.board(true);
    const [ann, bob] = await Promise.all([stage.enter(`/b/${id}#teacher=${teacher}`), stage.enter(`/b/${id}`)]);
    await bob.wave(300, 250);
    await agree([ann, bob], 1);
    await ann.menu('Clear the board');
    await ann.picture('clear');
    await ann.page.getByRole('button', { name: 'Clear', exact: true }).click();
    await agree([ann, bob], 0);
    await ann.undo();
    await agree([ann, bob], 1);
  });
});
