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
