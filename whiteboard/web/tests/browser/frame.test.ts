/** Boards in the frames of other pages. */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Element } from '../../src/sync/element';
import { agree, sleep, until } from './browser';
import { Server } from './server';
import { launch, Stage } from './stage';

const stage = new Stage();

describe('a board in a frame', () => {
  it('shows the drawing and takes nothing', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    await ann.shape('r', 400, 300);
    await agree([ann], 1);
    const bob = await stage.open(`/b/${id}?embed`);
    await until(() => bob.scene().catch(() => []), (scene) => scene.length === 1, 'the drawing is shown');
    await bob.picture('embedded');
    await bob.page.keyboard.press('r');
    await bob.page.mouse.move(300, 500);
    await bob.page.mouse.down();
    await bob.page.mouse.move(500, 600, { steps: 5 });
    await bob.page.mouse.up();
    await sleep(500);
    await agree([ann], 1);
  });
});

/** A page of somebody else with a board in a frame. */
async function foreign(board: () => string): Promise<HttpServer> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<!doctype html><title>Another page</title><iframe src="${board()}" width="800" height="500"></iframe>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const origin = (server: HttpServer) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

describe.runIf(Server.owned)('a frame in the page of another host', () => {
  let [friend, stranger]: HttpServer[] = [];
  let server: Server;
  let path = '';
  beforeAll(async () => {
    friend = await foreign(() => server.url + path);
    stranger = await foreign(() => server.url + path);
    server = await Server.start({ FRAME_ANCESTORS: origin(friend) });
  });
  afterAll(async () => {
    friend?.close();
    stranger?.close();
    await server?.stop();
  });

  it('shows the board if the setting names the host, and is empty if not', async () => {
    path = `/b/${(await server.board()).id}?embed`;
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      await page.goto(origin(friend!));
      const frame = () => page.frames()[1]!;
      const scene = () => frame().evaluate(() => (window as unknown as { whiteboard?: { scene(): Element[] } }).whiteboard?.scene() ?? null).catch(() => null);
      await until(scene, (elements) => elements !== null, 'the board is in the frame');
      expect(said.filter((text) => /frame-ancestors/.test(text))).toEqual([]);
      await page.goto(origin(stranger!));
      await until(async () => said, (all) => all.some((text) => /frame-ancestors/.test(text)), 'the browser says why it shows nothing');
      expect(await scene()).toBeNull();
      expect(frame().url()).not.toContain(path);
      // The first page is in nobody's frame, whatever is set.
      path = '/';
      said.length = 0;
      await page.goto(origin(friend!));
      await until(async () => said, (all) => all.some((text) => /frame-ancestors/.test(text)), 'the first page is refused too');
    } finally {
      await browser.close();
    }
  });
});
