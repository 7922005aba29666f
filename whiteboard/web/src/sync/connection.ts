/** Keeps a replica connected: socket, requests in order, coming back, what waits on the shelf. */
import { parse, type ErrorMessage, type Growth, type ServerMessage, type Work } from './protocol';
import type { News, Replica } from './replica';
import type { Request } from './queue';
import type { Shelf } from './shelf';

/** How the connection is. `ended`: the person must do something, coming back alone would not help. */
export type Status =
  | { readonly at: 'connecting' }
  | { readonly at: 'online' }
  | { readonly at: 'waiting'; readonly until: number; readonly reason: string | null }
  | { readonly at: 'ended'; readonly code: number; readonly error: ErrorMessage | null };

export interface Socket {
  send(text: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

/** Time and chance, so that tests own them. */
export interface World {
  open(url: string): Socket;
  now(): number;
  later(milliseconds: number, run: () => void): unknown;
  cancel(timer: unknown): void;
  random(): number;
}

export const REAL: World = {
  open: (url) => new WebSocket(url) as unknown as Socket,
  now: () => Date.now(),
  later: (milliseconds, run) => setTimeout(run, milliseconds),
  cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: () => Math.random(),
};

/** Requests that may be on their way at once: what was drawn while away comes back in portions. */
const WINDOW = 32;
/** Milliseconds without a message until a ping, and from the ping until the connection is given up. */
const QUIET = 20_000;
const DEAF = 10_000;
/** Milliseconds that a request has to be answered in before it is put on the shelf. */
const PATIENCE = 300;
const FIRST_DELAY = 500;
const LAST_DELAY = 30_000;

export interface Listener {
  /** Something about the connection, the board or the number of waiting requests changed. */
  changed(): void;
  /** Elements changed: they are in `replica.touched`. */
  touched(): void;
  news(news: News): void;
}

export class Connection {
  status: Status = { at: 'connecting' };
  private socket: Socket | null = null;
  private greeted = false;
  private attempts = 0;
  private retryHint = 0;
  private lastError: ErrorMessage | null = null;
  private sent = 0;
  private readonly flying = new Set<number>();
  private pauseUntil = 0;
  private quiet: unknown;
  private retry: unknown;
  private shelving: unknown;
  private readonly unshelved = new Map<number, Request>();
  private readonly shelved = new Set<number>();
  private readonly answered: number[] = [];
  private stopped = false;

  constructor(
    readonly replica: Replica,
    private readonly url: string,
    private readonly listener: Listener,
    private readonly shelf: Shelf | null = null,
    private readonly world: World = REAL,
  ) {}

  /** Requests without an answer. */
  get waiting(): number {
    return this.replica.queue.size;
  }

  /** Takes over what closed tabs left, and connects. */
  async start(): Promise<void> {
    for (const work of (await this.shelf?.adopt().catch(() => [])) ?? []) this.ask(work);
    this.connect();
  }

  /** Connects now if it is waiting to: the network came back, somebody looks at the page. */
  hurry(): void {
    if (this.status.at !== 'waiting') return;
    this.world.cancel(this.retry);
    this.connect();
  }

  /** Loses the connection, as a network does. */
  cut(): void {
    const socket = this.socket;
    if (!socket) return;
    this.lose();
    socket.close();
    this.comeBack(null);
  }

  stop(): void {
    this.stopped = true;
    this.world.cancel(this.retry);
    this.world.cancel(this.quiet);
    this.socket?.close(1000);
  }

  /** Asks the server for something; it is kept and sent until it is answered. */
  ask(work: Work): void {
    for (const request of this.replica.request(work)) this.unshelved.set(request.id, request);
    this.flush();
    this.shelveLater();
    this.listener.changed();
  }

  /** Tells the others how something grows. Lost if there is no connection. */
  grow(growth: Growth | null): void {
    if (growth && this.greeted) this.transmit({ t: 'draft', ...growth });
  }

  /** A passing thing for the others: cursor, view, laser. */
  tell(topic: string, data: unknown): void {
    if (this.greeted) this.transmit({ t: 'v', k: topic, d: data });
  }

  get online(): boolean {
    return this.greeted;
  }

  /** Puts what waits on the shelf now: the page may be closed. */
  shelveNow(): Promise<void> {
    this.world.cancel(this.shelving);
    this.shelving = undefined;
    const put = [...this.unshelved.values()];
    const remove = this.answered.splice(0);
    this.unshelved.clear();
    for (const { id } of put) this.shelved.add(id);
    if (!this.shelf || (put.length === 0 && remove.length === 0)) return Promise.resolve();
    return this.shelf.write(put, remove).catch(() => {});
  }

  private shelveLater(): void {
    if (!this.shelf || this.shelving !== undefined) return;
    this.shelving = this.world.later(PATIENCE, () => void this.shelveNow());
  }

  private connect(): void {
    if (this.stopped) return;
    this.set({ at: 'connecting' });
    let socket: Socket;
    try {
      socket = this.world.open(this.url);
    } catch {
      return this.comeBack(null);
    }
    this.socket = socket;
    this.listen(DEAF);
    socket.onopen = () => this.transmit(this.replica.hello());
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket || typeof data !== 'string') return;
      this.listen(QUIET);
      const message = parse(data);
      if (message) this.receive(message);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.socket) return;
      this.lose();
      if (this.stopped) return;
      if (code >= 4400 && code < 4500 && code !== 4408 && code !== 4429) this.set({ at: 'ended', code, error: this.lastError });
      else this.comeBack(code === 1012 ? this.retryHint || 1000 : null);
    };
  }

  private lose(): void {
    this.socket = null;
    this.greeted = false;
    this.flying.clear();
    this.world.cancel(this.quiet);
    this.replica.growing.reset();
  }

  /** `spread`: come back at any moment within so many milliseconds; else after a delay that doubles. */
  private comeBack(spread: number | null): void {
    const delay = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** this.attempts);
    this.attempts++;
    const wait = spread === null ? delay * (0.5 + this.world.random() / 2) : spread * this.world.random();
    this.set({ at: 'waiting', until: this.world.now() + wait, reason: this.lastError?.code ?? null });
    this.retry = this.world.later(wait, () => this.connect());
  }

  /** Silence is asked about, and then ended. */
  private listen(milliseconds: number): void {
    this.world.cancel(this.quiet);
    this.quiet = this.world.later(milliseconds, () => {
      if (milliseconds === QUIET) {
        this.transmit({ t: 'ping' });
        return this.listen(DEAF);
      }
      const socket = this.socket;
      this.lose();
      socket?.close();
      this.comeBack(null);
    });
  }

  private receive(message: ServerMessage): void {
    if (message.t === 'error') {
      this.lastError = message;
      this.retryHint = message.retry ?? 0;
    }
    const before = message.t === 'ack' || message.t === 'error' ? message.id : undefined;
    const news = this.replica.receive(message);
    if (before !== undefined) this.settled(before);
    if (news?.kind === 'welcome') this.welcomed();
    if (news?.kind === 'refused') for (const el of news.cancelled) this.grow({ el, cancel: true });
    if (news?.kind === 'postponed') this.postpone(news.retry);
    if (news) this.listener.news(news);
    if (this.replica.touched.size > 0) this.listener.touched();
    this.flush();
    if (news && news.kind !== 'volatile') this.listener.changed();
  }

  private welcomed(): void {
    this.greeted = true;
    this.attempts = 0;
    this.lastError = null;
    this.sent = 0;
    for (const id of [...this.unshelved.keys(), ...this.shelved]) if (!this.replica.queue.get(id)) this.settled(id);
    this.set({ at: 'online' });
  }

  /** A request was answered: it need not be kept. */
  private settled(id: number): void {
    this.flying.delete(id);
    this.unshelved.delete(id);
    if (this.shelved.delete(id)) {
      this.answered.push(id);
      this.shelveLater();
    }
  }

  private postpone(milliseconds: number): void {
    for (const request of this.replica.queue.all()) if (!this.shelved.has(request.id)) this.unshelved.set(request.id, request);
    this.shelveLater();
    if (milliseconds <= 0) return;
    this.pauseUntil = this.world.now() + milliseconds;
    this.world.later(milliseconds, () => this.flush());
  }

  /** Sends what has not left on this connection, in order. */
  private flush(): void {
    if (!this.greeted || this.world.now() < this.pauseUntil || this.flying.size >= WINDOW) return;
    for (const request of this.replica.queue.after(this.sent)) {
      if (this.flying.size >= WINDOW) return;
      this.transmit(this.replica.wire(request));
      this.replica.queue.markSent(request.id);
      this.sent = request.id;
      this.flying.add(request.id);
    }
  }

  private transmit(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  private set(status: Status): void {
    this.status = status;
    this.listener.changed();
  }
}
