/** One board open in one page: who, where, and the connection. Knows nothing of what it looks like. */
import { color, read, secret, visit, write } from '../page/device';
import type { Words } from '../words/words';
import { Connection, type Listener } from '../sync/connection';
import { access, randomText } from '../sync/identity';
import type { News } from '../sync/replica';
import { Replica } from '../sync/replica';
import { openShelf } from '../sync/shelf';
import { KeptImages } from './kept';

/** The board of this page's address; null if it is none. Boards of other dialects are looked at: `classroom:<code>`, `canvas:<id>`. */
export function boardOf(path: string): string | null {
  const name = /^\/b\/([^/]+)\/?$/.exec(path)?.[1] ?? '';
  try {
    const board = decodeURIComponent(name);
    return /^(?:[A-Za-z0-9_-]{1,64}|(?:classroom|canvas):.{1,200})$/u.test(board) ? board : null;
  } catch {
    return null;
  }
}

export class Session {
  readonly key = secret();
  readonly links: { access?: string; look?: string };
  readonly embedded: boolean;
  connection!: Connection;
  /** Images that wait on this device; null where it keeps nothing. */
  kept: KeptImages | null = null;
  private images = 0;
  /** Grows with everything that the page around the canvas may want to show anew. */
  private revision = 0;
  private readonly watchers = new Set<() => void>();
  private readonly hearers = new Set<(news: News) => void>();
  private touchedWatcher: () => void = () => {};

  constructor(readonly board: string, location: Location, private readonly t: Words) {
    this.links = access(location.hash);
    this.embedded = new URLSearchParams(location.search).has('embed');
  }

  /** Opens the connection. What closed tabs left behind is taken along. */
  async open(): Promise<void> {
    const session = randomText(16);
    const look = this.links.look ?? (this.embedded ? true : undefined);
    const replica = new Replica({
      key: this.key,
      session,
      name: this.name,
      color: color(),
      ...(this.links.access && !this.embedded ? { access: this.links.access } : {}),
      ...(look ? { look } : {}),
    });
    const shelf = look ? null : await openShelf(this.board, session, window.indexedDB);
    this.kept = look ? null : await KeptImages.open(this.board, window.indexedDB);
    const listener: Listener = {
      changed: () => this.changed(),
      touched: () => this.touchedWatcher(),
      news: (news) => {
        if (news.kind === 'welcome' && replica.board) this.remember();
        for (const hear of this.hearers) hear(news);
      },
    };
    const url = new URL(`/boards/${encodeURIComponent(this.board)}/live`, window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.connection = new Connection(replica, url.href, listener, shelf);
    window.addEventListener('online', () => this.connection.hurry());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) void this.connection.shelveNow();
      else this.connection.hurry();
    });
    window.addEventListener('pagehide', () => void this.connection.shelveNow());
    await this.connection.start();
  }

  /** What the server does not have yet: requests, and images with what shows them. */
  get waiting(): number {
    return (this.connection?.waiting ?? 0) + this.images;
  }

  imagesWait(count: number): void {
    if (this.images === count) return;
    this.images = count;
    this.changed();
  }

  private remember(): void {
    const hash = this.links.access ? `#teacher=${this.links.access}` : this.links.look ? `#look=${this.links.look}` : '';
    visit(this.board, this.connection.replica.board?.title ?? '', hash);
  }

  get name(): string {
    return read('whiteboard-name') || this.guest;
  }

  private get guest(): string {
    const digits = [...this.key].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 900, 7) + 100;
    return this.t('people.guest', { n: digits });
  }

  /** Gives this person another name; others hear of it by a new connection. */
  rename(name: string): void {
    write('whiteboard-name', name.trim().slice(0, 60));
    const { replica } = this.connection;
    replica.identity = { ...replica.identity, name: this.name };
    this.connection.cut();
    this.connection.hurry();
  }

  /** For React's external stores. */
  readonly subscribe = (watch: () => void): (() => void) => {
    this.watchers.add(watch);
    return () => this.watchers.delete(watch);
  };

  readonly snapshot = (): number => this.revision;

  hear(listener: (news: News) => void): () => void {
    this.hearers.add(listener);
    return () => this.hearers.delete(listener);
  }

  /** Who puts changed elements on the canvas. */
  onTouched(watcher: () => void): void {
    this.touchedWatcher = watcher;
  }

  private changed(): void {
    this.revision++;
    for (const watch of this.watchers) watch();
  }
}
