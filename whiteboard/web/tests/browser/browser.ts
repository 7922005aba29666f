/** People in front of browsers: each has a context of its own, so that nothing is shared but the server. */
import { mkdirSync, readFileSync } from 'node:fs';
import type { Browser, BrowserContextOptions, CDPSession, Page } from 'playwright-core';
import type { Element } from '../../src/sync/element';

const ARTEFACTS = process.env.WHITEBOARD_ARTEFACTS ?? 'tests/artefacts';

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until something holds, and says what it was when it did not. */
export async function until<T>(
  look: () => Promise<T>, holds: (value: T) => boolean, what: string, milliseconds = 20_000, tell: (value: T) => unknown = (value) => value,
): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`${what}; last: ${JSON.stringify(tell(value))?.slice(0, 1500)}`);
    await sleep(50);
  }
}

export class Person {
  /** What must stay empty: faults of the page, violations of its policy, requests to others. */
  readonly faults: string[] = [];

  private constructor(readonly page: Page, readonly url: string) {}

  static async open(browser: Browser, site: string, path: string, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en', ...options });
    await context.addInitScript(() => {
      // A file chooser of the system would wait for ever; without it files are downloads.
      Reflect.deleteProperty(window, 'showSaveFilePicker');
      Reflect.deleteProperty(window, 'showOpenFilePicker');
    });
    const person = new Person(await context.newPage(), site + path);
    const { page, faults } = person;
    page.on('pageerror', (error) => faults.push(`fault: ${error.message}`));
    page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) faults.push(`policy: ${message.text()}`);
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(site) && !/^(data|blob):/.test(url)) faults.push(`outside: ${url}`);
    });
    await page.goto(person.url);
    return person;
  }

  /** Waits until the board is there and everything is saved. */
  async saved(): Promise<this> {
    await this.page.waitForSelector('.status[data-mood="good"][data-waiting="0"]', { timeout: 30_000 });
    return this;
  }

  status(): Promise<string> {
    return this.page.locator('.status').innerText();
  }

  /** What is on this person's canvas, without what only the canvas knows. */
  async scene(): Promise<Element[]> {
    const scene = await this.page.evaluate(() => (window as unknown as { whiteboard: { scene(): Element[] } }).whiteboard.scene());
    return scene.map((element) => Object.fromEntries(Object.entries(element).sort(([a], [b]) => (a < b ? -1 : 1))) as unknown as Element);
  }

  /** What others are drawing, as this person sees it. */
  strokes(): Promise<Element[]> {
    return this.page.evaluate(() => (window as unknown as { whiteboard: { strokes(): Element[] } }).whiteboard.strokes());
  }

  /** The pixels of the drawing, without cursors. */
  pixels(): Promise<string> {
    return this.page.evaluate(() => document.querySelector<HTMLCanvasElement>('canvas.static')!.toDataURL());
  }

  async tool(key: string): Promise<void> {
    await this.page.locator('.excalidraw.excalidraw-container').focus();
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press(key);
  }

  /** Draws a wave from a point; `hold` keeps the pen down. */
  async wave(x: number, y: number, steps = 20, hold = false): Promise<void> {
    const { mouse } = this.page;
    await this.tool('p');
    await mouse.move(x, y);
    await mouse.down();
    for (let step = 1; step <= steps; step++) {
      await mouse.move(x + step * 6, y + Math.sin(step / 3) * 30);
      await sleep(12);
    }
    if (!hold) await mouse.up();
  }

  async shape(key: string, x: number, y: number, width = 100, height = 60): Promise<void> {
    const { mouse } = this.page;
    await this.tool(key);
    await mouse.move(x, y);
    await mouse.down();
    await mouse.move(x + width, y + height, { steps: 5 });
    await mouse.up();
  }

  async menu(item: string): Promise<void> {
    await this.page.click('[data-testid="main-menu-trigger"]');
    await this.page.getByRole('button', { name: item, exact: false }).or(this.page.getByTestId(item)).first().click();
  }

  async undo(): Promise<void> {
    await this.page.locator('.excalidraw.excalidraw-container').focus();
    await this.page.keyboard.press('Control+z');
  }

  cdp(): Promise<CDPSession> {
    return this.page.context().newCDPSession(this.page);
  }

  async picture(name: string): Promise<void> {
    mkdirSync(ARTEFACTS, { recursive: true });
    await this.page.screenshot({ path: `${ARTEFACTS}/${name}.png` });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** How many elements each has, and in what they differ from the first's. */
function differences(scenes: readonly (readonly Element[])[]): unknown {
  const first = new Map(scenes[0]!.map((element) => [element.id, JSON.stringify(element)]));
  return scenes.map((scene) => ({
    count: scene.length,
    locked: scene.filter(({ locked }) => locked).length,
    missing: [...first.keys()].filter((id) => !scene.some((element) => element.id === id)),
    other: scene.filter((element) => first.get(element.id) !== JSON.stringify(element)).map(({ id, type, version }) => ({ id, type, version })),
  }));
}

/** Waits until all have the same elements, so many of them; then the pictures are the same too. */
export async function agree(people: readonly Person[], count: number, pictures = true): Promise<Element[]> {
  await until(
    () => Promise.all(people.map((person) => person.scene())),
    (all) => all.every((scene) => scene.length === count && scene.every(({ locked }) => !locked) && JSON.stringify(scene) === JSON.stringify(all[0])),
    `all should have the same ${count} elements`,
    40_000,
    differences,
  );
  for (const person of people) await person.saved();
  if (pictures) {
    await until(
      () => Promise.all(people.map((person) => person.pixels())),
      (all) => all.every((picture) => picture === all[0]),
      'the pictures should be the same',
      20_000,
      (all) => all.map((picture) => all.indexOf(picture)),
    );
  }
  return people[0]!.scene();
}

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** The serious faults that axe-core finds, each with the first place. */
export async function accessibility(person: Person): Promise<string[]> {
  await person.page.evaluate(AXE);
  const violations = await person.page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(where: Document, options: object): Promise<{ violations: Violation[] }> } };
    return (await axe.run(document, { resultTypes: ['violations'] })).violations;
  });
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}
