/** Seeded random lessons: clients draw, erase, undo, lose their connection and come back; at the end all see the same. */
import { describe, expect, it } from 'vitest';
import { order, wins, type Element } from './element';
import { parse, type ServerMessage } from './protocol';
import { Replica } from './replica';
import { Random } from './testing/random';
import { TestServer } from './testing/server';

const SEEDS = Number(process.env.SEEDS ?? 60);
const FIRST = Number(process.env.SEED ?? 1);

/** A client whose messages wait in both directions until the plan lets them through. */
class Client {
  readonly replica: Replica;
  private link: ReturnType<TestServer['connect']> | null = null;
  private readonly out: string[] = [];
  private readonly in: string[] = [];
  private gesture = 0;
  private stroke: { element: Element; points: [number, number][] } | null = null;
  open = false;

  constructor(private readonly server: TestServer, private readonly random: Random, readonly name: string, access?: string) {
    this.replica = new Replica({ key: `key-${name}`, session: `session-${name}`, name, ...(access ? { access } : {}) });
  }

  connect(): void {
    if (this.link) return;
    this.link = this.server.connect((message) => this.in.push(JSON.stringify(message)));
    this.out.push(JSON.stringify(this.replica.hello()));
  }

  /** What was under way in either direction is lost. */
  cut(): void {
    this.link?.close();
    this.link = null;
    this.open = false;
    this.out.length = this.in.length = 0;
  }

  deliverUp(): void {
    const text = this.out.shift();
    if (text !== undefined) this.link?.receive(JSON.parse(text));
  }

  deliverDown(): void {
    const text = this.in.shift();
    if (text !== undefined) this.take(parse(text)!);
  }

  idle(): boolean {
    return this.out.length === 0 && this.in.length === 0;
  }

  private take(message: ServerMessage): void {
    const news = this.replica.receive(message);
    if (news?.kind === 'welcome') {
      this.open = true;
      for (const request of this.replica.queue.all()) this.send(request);
    }
    if (news?.kind === 'refused') for (const el of news.cancelled) this.out.push(JSON.stringify({ t: 'draft', el, cancel: true }));
    if (news?.kind === 'postponed') for (const request of this.replica.queue.after(this.lastSent)) this.send(request);
  }

  private lastSent = 0;

  private send(request: Parameters<Replica['wire']>[0]): void {
    this.out.push(JSON.stringify(this.replica.wire(request)));
    this.lastSent = Math.max(this.lastSent, request.id);
    this.replica.queue.markSent(request.id);
  }

  private ask(work: Parameters<Replica['request']>[0]): void {
    const requests = this.replica.request(work);
    if (this.open) for (const request of requests) this.send(request);
  }

  private element(id: string, version: number): Element {
    return {
      id, type: 'rectangle', version, versionNonce: this.random.below(1_000_000), index: `a${this.random.below(9)}`,
      isDeleted: false, x: this.random.below(100), y: this.random.below(100),
    };
  }

  act(): void {
    if (!this.replica.mayDraw && this.open && this.random.chance(0.8)) return;
    const mine = [...this.replica.visible()].filter((element) => !element.locked);
    const chosen = this.random.pick(mine);
    const dice = this.random.below(100);
    if (this.random.chance(0.5)) this.gesture++;
    if (dice < 30 || !chosen) this.ask({ t: 'change', gesture: this.gesture, elements: [this.element(`${this.name}-${this.random.below(1e9)}`, 1)] });
    else if (dice < 55) this.ask({ t: 'change', gesture: this.gesture, elements: [this.element(chosen.id, chosen.version + 1)] });
    else if (dice < 65) this.ask({ t: 'change', gesture: this.gesture, elements: [{ ...this.element(chosen.id, chosen.version + 1), isDeleted: true }] });
    else if (dice < 80) this.draw();
    else if (dice < 88) this.ask({ t: 'undo' });
    else if (dice < 93) this.ask({ t: 'redo' });
    else if (dice < 94) this.ask({ t: 'clear' });
    else if (dice < 96) this.ask({ t: 'lock', on: this.random.chance(0.3) });
    else if (dice < 98) this.ask({ t: 'quiz', on: this.random.chance(0.5) });
    else this.ask({ t: 'title', title: `title ${dice}` });
  }

  /** A stroke is told in parts; then it is a change. */
  private draw(): void {
    if (!this.stroke) {
      const element = { ...this.element(`${this.name}-s${this.random.below(1e9)}`, 1), type: 'freedraw', points: [], pressures: [] };
      this.stroke = { element, points: [] };
    }
    const { element, points } = this.stroke;
    points.push([this.random.below(50), points.length]);
    const now = { ...element, version: points.length, points: [...points], pressures: points.map(() => 0.5) } as Element;
    if (this.random.chance(0.7)) {
      const growth = this.open ? this.replica.growing.stroke(now) : null;
      if (growth) this.out.push(JSON.stringify({ t: 'draft', ...growth }));
      return;
    }
    const rest = this.open ? this.replica.growing.stroke(now) : null;
    if (rest) this.out.push(JSON.stringify({ t: 'draft', ...rest }));
    this.ask({ t: 'change', gesture: ++this.gesture, elements: [now] });
    this.stroke = null;
  }

  drop(): void {
    if (this.stroke && this.open) this.out.push(JSON.stringify({ t: 'draft', el: this.stroke.element.id, cancel: true }));
    this.stroke = null;
  }

  picture(): Element[] {
    return [...this.replica.visible()].sort(order);
  }
}

function lesson(seed: number, steps: number): void {
  const random = new Random(seed);
  const server = new TestServer('secret');
  server.keep = random.below(60);
  const clients = Array.from({ length: 2 + random.below(4) }, (_, n) => new Client(server, random, `c${n}`, n === 0 ? 'secret' : undefined));
  for (let step = 0; step < steps; step++) {
    const client = random.pick(clients)!;
    const dice = random.below(100);
    if (dice < 30) client.act();
    else if (dice < 60) client.deliverUp();
    else if (dice < 92) client.deliverDown();
    else if (dice < 96) client.connect();
    else if (dice < 98) client.cut();
  }
  for (const client of clients) { client.connect(); client.drop(); }
  for (let round = 0; clients.some((client) => !client.idle()); round++) {
    if (round > 100_000) throw new Error('the lesson does not come to rest');
    for (const client of clients) { client.deliverUp(); client.deliverDown(); }
  }
  const truth = [...server.elements.values()].filter((element) => !element.isDeleted).sort(order);
  for (const client of clients) {
    expect(client.replica.queue.size, `requests of ${client.name} without an answer`).toBe(0);
    if (client.replica.role === 'teacher' || !server.quiz) expect(client.picture(), client.name).toEqual(truth);
    else {
      // A pupil in a quiz may still hold what it changed of others' elements while it was away; its own and the teacher's agree.
      const own = (element: Element) => element.id.startsWith(`${client.name}-`) || element.id.startsWith('c0-');
      expect(client.picture().filter(own), client.name).toEqual(truth.filter(own));
    }
  }
}

describe('convergence', () => {
  it.each(Array.from({ length: SEEDS }, (_, n) => FIRST + n))('all agree after the lesson of seed %i', (seed) => lesson(seed, 600));

  it('merges in any order to the same state', () => {
    const random = new Random(7);
    for (let round = 0; round < 500; round++) {
      const states = Array.from({ length: 4 }, () => ({ version: 1 + random.below(3), versionNonce: random.below(3) }));
      const best = (list: typeof states) => list.reduce((a, b) => (wins(b, a) ? b : a));
      const shuffled = [...states].sort(() => random.next() - 0.5);
      expect(best([...shuffled, ...states])).toEqual(best(states));
    }
  });
});
