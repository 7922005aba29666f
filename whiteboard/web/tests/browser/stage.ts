/** What the tests of a file share: a server, a browser, and the people of the test that runs. */
import { chromium, type Browser, type BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { Person } from './browser';
import { Server } from './server';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function launch(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...flags] });
}

export class Stage {
  server!: Server;
  browser!: Browser;
  private people: Person[] = [];

  /** Sets up and clears away around the tests of the file that calls it. After each test its people must have met no fault. */
  constructor() {
    beforeAll(async () => {
      this.server = await Server.start();
      this.browser = await launch(await this.server.site.flags());
    });
    afterEach(async () => {
      const people = this.people.splice(0);
      const faults = people.flatMap((person) => person.faults);
      await Promise.all(people.map((person) => person.close()));
      expect(faults).toEqual([]);
    });
    afterAll(async () => {
      await this.browser?.close();
      await this.server?.stop();
    });
  }

  /** Somebody opens a page of the site. */
  async open(path: string, options: BrowserContextOptions = {}): Promise<Person> {
    const person = await Person.open(this.browser, this.server.url, path, options);
    this.people.push(person);
    return person;
  }

  /** Somebody opens a board, and is there when this returns. */
  async enter(path: string, options: BrowserContextOptions = {}): Promise<Person> {
    return (await this.open(path, options)).saved();
  }

  /** So many people open a board at the same time. */
  together(count: number, path: string, options: BrowserContextOptions = {}): Promise<Person[]> {
    return Promise.all(Array.from({ length: count }, () => this.enter(path, options)));
  }
}
