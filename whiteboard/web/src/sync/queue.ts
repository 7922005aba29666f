/** Requests that the server has not answered yet, in order, and what they make of elements. */
import { wins, type Element } from './element';
import type { Work } from './protocol';

export interface Request {
  readonly id: number;
  readonly work: Work;
}

/** About what a request weighs at most when it is cut in parts; one element alone may be heavier. */
const PART_BYTES = 256 * 1024;

export class Queue {
  private readonly requests = new Map<number, Request>();
  private readonly states = new Map<string, Element[]>();
  /** The newest request that was ever sent: later ones may still be changed. */
  private sent = 0;
  private next = 1;

  /** How many wait for an answer. */
  get size(): number {
    return this.requests.size;
  }

  /** Adds work as one request, or more if it is heavy; work of the same gesture joins a request that was never sent. */
  add(work: Work): Request[] {
    if (work.t !== 'change') return [this.append(work)];
    const joined = this.join(work);
    return joined ? [joined] : parts(work.elements).map((elements) => this.append({ ...work, elements }));
  }

  private append(work: Work): Request {
    const request = { id: this.next++, work };
    this.requests.set(request.id, request);
    if (work.t === 'change') for (const element of work.elements) this.remember(element);
    return request;
  }

  private join(work: Extract<Work, { t: 'change' }>): Request | null {
    const last = this.requests.get(this.next - 1);
    if (!last || last.id <= this.sent || last.work.t !== 'change') return null;
    if (work.gesture === undefined || last.work.gesture !== work.gesture) return null;
    const elements = new Map(last.work.elements.map((element) => [element.id, element]));
    for (const element of work.elements) if (wins(element, elements.get(element.id))) elements.set(element.id, element);
    const whole = [...elements.values()];
    if (parts(whole).length > 1) return null;
    this.remove(last.id);
    const request: Request = { id: last.id, work: { ...work, elements: whole } };
    this.requests.set(request.id, request);
    for (const element of whole) this.remember(element);
    return request;
  }

  private remember(element: Element): void {
    const states = this.states.get(element.id);
    if (states) states.push(element);
    else this.states.set(element.id, [element]);
  }

  get(id: number): Request | undefined {
    return this.requests.get(id);
  }

  /** Takes out an answered request. */
  remove(id: number): Request | undefined {
    const request = this.requests.get(id);
    if (!request) return undefined;
    this.requests.delete(id);
    if (request.work.t === 'change') {
      for (const element of request.work.elements) {
        const states = (this.states.get(element.id) ?? []).filter((state) => state !== element);
        if (states.length > 0) this.states.set(element.id, states);
        else this.states.delete(element.id);
      }
    }
    return request;
  }

  /** The state that the waiting requests give an element, if any of them is about it. */
  state(id: string): Element | undefined {
    return this.states.get(id)?.reduce((best, state) => (wins(state, best) ? state : best));
  }

  /** Ids of the elements that waiting requests are about. */
  touched(): Iterable<string> {
    return this.states.keys();
  }

  /** Everything that waits, oldest first. */
  all(): Request[] {
    return [...this.requests.values()].sort((a, b) => a.id - b.id);
  }

  /** Everything that waits and is newer than `id`, oldest first. */
  after(id: number): Request[] {
    return this.all().filter((request) => request.id > id);
  }

  /** Notes that everything up to `id` has left. */
  markSent(id: number): void {
    this.sent = Math.max(this.sent, id);
  }
}

/** Elements in groups of about [`PART_BYTES`]. */
function parts(elements: readonly Element[]): Element[][] {
  const groups: Element[][] = [[]];
  let bytes = 0;
  for (const element of elements) {
    const weight = 300 + 24 * (element.points?.length ?? 0);
    if (bytes > 0 && bytes + weight > PART_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(element);
    bytes += weight;
  }
  return groups;
}
