/** What this device keeps for a person: who they are, the theme, the language, the boards they have visited. */
import { COLORS, keep, randomText, type Keeper } from '../sync/identity';

/** The browser's storage; null where it keeps nothing. */
export const keeper: Keeper | null = (() => {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
})();

export function read(key: string): string | null {
  try {
    return keeper?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

export function write(key: string, value: string): void {
  try {
    keeper?.setItem(key, value);
  } catch {
    // A full or forbidden storage: the setting lasts as long as the page.
  }
}

/** The secret that says which work is this person's. */
export function secret(): string {
  return keep(keeper, 'whiteboard-key', () => randomText(32));
}

export function color(): string {
  return keep(keeper, 'whiteboard-color', () => COLORS[crypto.getRandomValues(new Uint8Array(1))[0]! % COLORS.length]!);
}

export type Theme = 'light' | 'dark';

export function theme(): Theme {
  const chosen = read('whiteboard-theme');
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export interface Visit {
  readonly board: string;
  readonly title: string;
  /** `#teacher=…`, so that a teacher comes back as one. */
  readonly hash: string;
  readonly at: number;
}

const VISITS = 'whiteboard-visits';
const MOST_VISITS = 50;

export function visits(): Visit[] {
  try {
    const list: unknown = JSON.parse(read(VISITS) ?? '[]');
    return Array.isArray(list) ? list.filter((one): one is Visit => typeof one?.board === 'string') : [];
  } catch {
    return [];
  }
}

/** Puts a board first in the list of those visited. A link without a secret does not forget one that was there. */
export function visit(board: string, title: string, hash: string): void {
  const others = visits();
  const before = others.find((one) => one.board === board);
  const entry: Visit = { board, title, hash: hash || (before?.hash ?? ''), at: Date.now() };
  write(VISITS, JSON.stringify([entry, ...others.filter((one) => one.board !== board)].slice(0, MOST_VISITS)));
}

export function forget(board: string): void {
  write(VISITS, JSON.stringify(visits().filter((one) => one.board !== board)));
}

/** The secret for looking on: the server tells it once, to whoever makes the board. */
export function lookSecret(board: string): string | null {
  return read(`whiteboard-look-${board}`);
}

export function keepLookSecret(board: string, secret: string): void {
  write(`whiteboard-look-${board}`, secret);
}
