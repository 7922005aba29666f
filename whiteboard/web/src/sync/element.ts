/** What the synchronisation knows of an element of the canvas. Everything else in it is kept as it came. */
export interface Element {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly versionNonce: number;
  readonly index: string | null;
  readonly isDeleted: boolean;
  readonly points?: readonly (readonly [number, number])[];
  readonly pressures?: readonly number[];
  readonly [key: string]: unknown;
}

/** Which state of an element something is. */
export interface Mark {
  readonly version: number;
  readonly versionNonce: number;
}

/** A deleted element, as the protocol tells it: id, version, versionNonce. */
export type Triple = readonly [id: string, version: number, versionNonce: number];

/** Whether state `a` replaces state `b`: the higher version, of equal versions the lower nonce. A state does not replace itself. */
export function wins(a: Mark, b: Mark | undefined): boolean {
  if (!b) return true;
  return a.version !== b.version ? a.version > b.version : a.versionNonce < b.versionNonce;
}

/** Whether both are the same state. */
export function same(a: Mark, b: Mark): boolean {
  return a.version === b.version && a.versionNonce === b.versionNonce;
}

/** The order on the canvas: by `index` (none comes last), then by `id`. */
export function order(a: Element, b: Element): number {
  if (a.index !== b.index) {
    if (a.index === null || a.index === undefined) return 1;
    if (b.index === null || b.index === undefined) return -1;
    return a.index < b.index ? -1 : 1;
  }
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** A copy that stays as it is while the canvas changes its own in place. */
export function frozen(element: Element): Element {
  return JSON.parse(JSON.stringify(element)) as Element;
}
