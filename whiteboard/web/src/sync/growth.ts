/** Strokes while they are drawn: what has been told of one's own, and what others told of theirs. */
import type { Element } from './element';
import type { Growth } from './protocol';

type Point = readonly [number, number];

/** Own strokes: what of each has been sent on this connection. */
export class Growing {
  private readonly sent = new Map<string, { points: number; version: number }>();

  /** How many elements are being told now. */
  get size(): number {
    return this.sent.size;
  }

  /** Ids of the elements that are being told. */
  ids(): string[] {
    return [...this.sent.keys()];
  }

  /** What is new of a stroke since it was last told; null if nothing is. Strokes grow at the end only. */
  stroke(element: Element): Growth | null {
    const points = element.points ?? [];
    const before = this.sent.get(element.id);
    const from = before?.points ?? 0;
    if (from >= points.length) return null;
    this.sent.set(element.id, { points: points.length, version: element.version });
    const pressures = element.pressures?.slice(from, points.length).map(roundPressure);
    return {
      el: element.id,
      from,
      points: points.slice(from).map(([x, y]) => [round(x), round(y)] as const),
      ...(pressures && pressures.length > 0 ? { pressures } : {}),
      ...(from === 0 ? { base: withoutPoints(element) } : {}),
    };
  }

  /** An element that changes otherwise (moved, sized, typed): told as a whole. Null if this state was told. */
  whole(element: Element, known: Element | undefined): Growth | null {
    const before = this.sent.get(element.id);
    if (before?.version === element.version) return null;
    this.sent.set(element.id, { points: 0, version: element.version });
    const points = element.points && !samePoints(element.points, known?.points) ? element.points : [];
    return { el: element.id, from: 0, points, base: withoutPoints(element) };
  }

  /** How many points of a stroke the server has from here; 0 if it must be sent whole. */
  told(id: string): number {
    return this.sent.get(id)?.points ?? 0;
  }

  has(id: string): boolean {
    return this.sent.has(id);
  }

  /** The element was sent as a change, or will never be. */
  forget(id: string): void {
    this.sent.delete(id);
  }

  /** The connection was lost: nothing has been told. */
  reset(): void {
    this.sent.clear();
  }
}

/** Whether a moved line has the points it had. A wrong yes costs a wrong preview, not a wrong element. */
function samePoints(a: readonly Point[], b: readonly Point[] | undefined): boolean {
  const [lastA, lastB] = [a.at(-1), b?.at(-1)];
  return a.length === b?.length && lastA?.[0] === lastB?.[0] && lastA?.[1] === lastB?.[1];
}

/** Points travel with a hundredth of a pixel: what nobody can see is not sent. A dot keeps its tiny second point. */
export function round(value: number): number {
  const digits = Math.abs(value) < 0.01 ? 10_000 : 100;
  return Math.round(value * digits) / digits;
}

/** A finished stroke as it is sent: with rounded points. Other elements stay as they are. */
export function rounded(element: Element): Element {
  if (element.type !== 'freedraw' || !element.points) return element;
  return {
    ...element,
    points: element.points.map(([x, y]) => [round(x), round(y)] as const),
    ...(element.pressures ? { pressures: element.pressures.map(roundPressure) } : {}),
  };
}

function roundPressure(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** An element without what grows. */
export function withoutPoints(element: Element): Record<string, unknown> {
  const { points: _points, pressures: _pressures, ...rest } = element;
  return rest;
}

interface Draft {
  readonly base: Readonly<Record<string, unknown>>;
  readonly points: readonly Point[];
  readonly pressures: readonly number[];
}

/** Strokes of others, by client and element. */
export class Drafts {
  private readonly clients = new Map<number, Map<string, Draft>>();

  /** Takes a part in; returns the element's id if its look changed. Parts with a gap before them are ignored. */
  take(client: number, growth: Growth): string | null {
    const drafts = this.clients.get(client);
    if (growth.cancel) return drafts?.delete(growth.el) ? growth.el : null;
    const points = growth.points ?? [];
    const pressures = growth.pressures ?? [];
    const from = growth.from ?? 0;
    const before = drafts?.get(growth.el);
    let draft: Draft;
    if (from === 0 && growth.base) draft = { base: growth.base, points, pressures };
    else if (before && from <= before.points.length) {
      draft = {
        base: growth.base ?? before.base,
        points: [...before.points.slice(0, from), ...points],
        pressures: [...before.pressures.slice(0, from), ...pressures],
      };
    } else return null;
    if (drafts) drafts.set(growth.el, draft);
    else this.clients.set(client, new Map([[growth.el, draft]]));
    return growth.el;
  }

  /** Ids of all elements that are being drawn. */
  *ids(): Generator<string> {
    for (const drafts of this.clients.values()) yield* drafts.keys();
  }

  has(id: string): boolean {
    for (const drafts of this.clients.values()) if (drafts.has(id)) return true;
    return false;
  }

  /** The element has arrived: its drafts are over. */
  finish(id: string): void {
    for (const drafts of this.clients.values()) drafts.delete(id);
  }

  /** Somebody left; returns the elements whose look changed. */
  leave(client: number): string[] {
    const ids = [...(this.clients.get(client)?.keys() ?? [])];
    this.clients.delete(client);
    return ids;
  }

  /** Forgets everything; returns the elements whose look changed. */
  clear(): string[] {
    const ids = [...this.clients.values()].flatMap((drafts) => [...drafts.keys()]);
    this.clients.clear();
    return ids;
  }

  /** How an element looks while it is being drawn, over what is known of it. */
  look(id: string, known: Element | undefined): Element | undefined {
    for (const drafts of this.clients.values()) {
      const draft = drafts.get(id);
      if (!draft) continue;
      const grows = draft.points.length > 0;
      return {
        ...known,
        ...draft.base,
        ...(grows ? { points: draft.points } : {}),
        ...(grows && draft.base.type === 'freedraw' && !known ? { pressures: draft.pressures } : {}),
        id,
        locked: true,
        isDeleted: false,
      } as unknown as Element;
    }
    return undefined;
  }
}
