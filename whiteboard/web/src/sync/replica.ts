/**
 * One client's copy of a board: what the server has acknowledged, and over it what waits for an answer. Pure: it owns no socket,
 * clock or storage. What a person sees of an element is the winner of both, and a stroke of somebody else while it grows.
 */
import { wins, type Element, type Mark, type Triple } from './element';
import { Drafts, Growing, withoutPoints } from './growth';
import {
  VERSION, passes, type BoardFacts, type ErrorMessage, type Growth, type Hello, type Limits, type Person, type Role,
  type ServerMessage, type Welcome, type Work,
} from './protocol';
import { Queue, type Request } from './queue';

export interface Identity {
  readonly key: string;
  readonly session: string;
  readonly name: string;
  readonly color?: string;
  readonly access?: string;
  readonly look?: string | true;
}

/** What a message brought, beside changed elements: those are in `touched`. */
export type News =
  | { readonly kind: 'welcome'; readonly resumed: boolean }
  | { readonly kind: 'facts' }
  | { readonly kind: 'people' }
  | { readonly kind: 'answered'; readonly id: number }
  /** `cancelled`: strokes that others saw grow and that will not become elements. */
  | { readonly kind: 'refused'; readonly error: ErrorMessage; readonly request: Request | undefined; readonly cancelled: readonly string[] }
  | { readonly kind: 'postponed'; readonly retry: number }
  | { readonly kind: 'volatile'; readonly client: number; readonly topic: string; readonly data: unknown };

type State = { readonly mark: Mark; readonly element: Element | null };

export class Replica {
  role: Role = 'viewer';
  locked = false;
  quiz = false;
  /** The server takes no changes now, for example while it is upgraded. */
  readonly = false;
  undoable = 0;
  redoable = 0;
  client = 0;
  /** Whether the board has been received once. */
  loaded = false;
  user = '';
  board: BoardFacts | null = null;
  limits: Limits = {};
  readonly people = new Map<number, Person>();
  readonly queue = new Queue();
  readonly growing = new Growing();
  /** Ids of elements whose look may have changed since somebody emptied this. */
  readonly touched = new Set<string>();

  private acknowledged = new Map<string, State>();
  private readonly drafts = new Drafts();
  private arriving: Map<string, State> | null = null;
  private epoch: string | undefined;
  private seq = 0;

  constructor(public identity: Identity) {}

  /** The first message on a new connection. */
  hello(): Hello {
    this.growing.reset();
    const since = this.epoch === undefined ? {} : { epoch: this.epoch, seq: this.seq };
    return { t: 'hello', v: VERSION, ...this.identity, ...since };
  }

  /** Whether this person may change elements now. */
  get mayDraw(): boolean {
    if (this.readonly || this.role === 'viewer') return false;
    return this.role === 'teacher' || !this.locked;
  }

  /** An element as it should be seen; undefined if there is none. */
  look(id: string): Element | undefined {
    const [known, waiting] = [this.acknowledged.get(id), this.queue.state(id)];
    const element = waiting && wins(waiting, known?.mark) ? waiting : (known?.element ?? undefined);
    const alive = element && !element.isDeleted ? element : undefined;
    return this.drafts.look(id, alive) ?? alive;
  }

  /** Whether somebody else is drawing or moving an element: it looks other than its version says. */
  drawnElsewhere(id: string): boolean {
    return this.drafts.has(id);
  }

  /** What others are drawing or moving now, as it looks. */
  growingElsewhere(): Element[] {
    return [...this.drafts.ids()].flatMap((id) => this.look(id) ?? []);
  }

  /** An element as the server has it. */
  known(id: string): Element | undefined {
    return this.acknowledged.get(id)?.element ?? undefined;
  }

  /** Every element that should be seen, in no order. */
  *visible(): Generator<Element> {
    for (const id of this.ids()) {
      const element = this.look(id);
      if (element) yield element;
    }
  }

  /** The elements of a canvas as the board has them: the canvas repairs indexes for itself, and that is not the board's. */
  scene(canvas: readonly Element[]): Element[] {
    return canvas.map((element) => {
      const mine = this.look(element.id);
      return mine ? { ...element, index: mine.index, version: mine.version, versionNonce: mine.versionNonce, updated: mine.updated } : element;
    });
  }

  private ids(): Set<string> {
    return new Set([...this.acknowledged.keys(), ...this.queue.touched(), ...this.drafts.ids()]);
  }

  /** Asks the server for something; an own change is seen at once. */
  request(work: Work): Request[] {
    if (work.t === 'change') for (const { id } of work.elements) this.touched.add(id);
    return this.queue.add(work);
  }

  /** A request as it is sent. A stroke that the server has point by point is not sent once more. */
  wire(request: Request): Record<string, unknown> {
    const { work, id } = request;
    if (work.t !== 'change') return { ...work, id };
    const [elements, drafts]: [Element[], Record<string, unknown>[]] = [[], []];
    for (const element of work.elements) {
      const told = this.growing.told(element.id);
      if (told > 0 && told === element.points?.length && element.type === 'freedraw' && !element.isDeleted) {
        drafts.push({ ...withoutPoints(element), count: told });
      } else elements.push(element);
    }
    return { t: 'change', id, ...(work.gesture === undefined ? {} : { gesture: work.gesture }), elements, ...(drafts.length > 0 ? { drafts } : {}) };
  }

  /** Takes a message of the server in. */
  receive(message: ServerMessage): News | null {
    switch (message.t) {
      case 'welcome': return this.welcome(message);
      case 'snapshot': return this.snapshot(message);
      case 'change': {
        this.merge(message.elements, message.deleted);
        for (const element of message.elements ?? []) this.drafts.finish(element.id);
        for (const [id] of message.deleted ?? []) this.drafts.finish(id);
        this.seq = message.seq;
        return null;
      }
      case 'ack': return this.acknowledge(message);
      case 'lock': return this.note(message.seq, () => { this.locked = message.on; });
      case 'quiz': return this.note(message.seq, () => { this.quiz = message.on; });
      case 'title': return this.note(message.seq, () => { this.board = this.board && { ...this.board, title: message.title }; });
      case 'settings': return this.note(message.seq, () => { this.board = this.board && { ...this.board, settings: message.values }; });
      case 'reset': {
        this.arriving = new Map();
        this.seq = 0;
        for (const id of this.drafts.clear()) this.touched.add(id);
        return null;
      }
      case 'join': this.people.set(message.client, person(message)); return { kind: 'people' };
      case 'leave': {
        this.people.delete(message.client);
        for (const id of this.drafts.leave(message.client)) this.touched.add(id);
        return { kind: 'people' };
      }
      case 'draft': this.draft(message.c, message); return null;
      case 'v': return { kind: 'volatile', client: message.c, topic: message.k, data: message.d };
      case 'error': return this.refused(message);
      default: return null;
    }
  }

  private note(seq: number, apply: () => void): News {
    apply();
    this.seq = seq;
    return { kind: 'facts' };
  }

  private welcome(message: Welcome): News {
    this.role = message.role;
    this.locked = message.locked;
    this.quiz = message.quiz;
    this.readonly = message.readonly ?? false;
    this.undoable = message.undo;
    this.redoable = message.redo;
    this.client = message.client;
    this.user = message.user;
    this.board = message.board;
    this.limits = message.limits ?? {};
    this.people.clear();
    for (const one of message.people) if (one.client !== message.client) this.people.set(one.client, person(one));
    for (const id of this.drafts.clear()) this.touched.add(id);
    this.arriving = null;
    // Executed or refused before the connection was lost: which of both is told by the changes or the snapshot that follow,
    // for they hold this client's own changes too.
    for (const request of this.queue.all()) if (request.id <= message.last) this.dismiss(request.id);
    if (this.epoch !== message.epoch) this.seq = 0;
    this.epoch = message.epoch;
    if (!message.resume) this.arriving = new Map();
    for (const draft of message.drafts) this.draft(draft.c, draft);
    return { kind: 'welcome', resumed: message.resume };
  }

  private snapshot(message: Extract<ServerMessage, { t: 'snapshot' }>): News | null {
    const arriving = (this.arriving ??= new Map());
    for (const element of message.elements) {
      if (wins(element, arriving.get(element.id)?.mark)) arriving.set(element.id, { mark: element, element });
    }
    if (message.more) return null;
    for (const id of this.acknowledged.keys()) this.touched.add(id);
    for (const id of arriving.keys()) this.touched.add(id);
    this.acknowledged = arriving;
    this.arriving = null;
    this.loaded = true;
    this.seq = Math.max(this.seq, message.seq);
    return { kind: 'facts' };
  }

  private acknowledge(message: Extract<ServerMessage, { t: 'ack' }>): News {
    // First what the server has instead: a snapshot leaves tombstones out, and one of the very stamp that was sent must not
    // be taken for unknown (PROTOCOL.md, Q6).
    this.merge(message.elements, message.deleted);
    this.settle(message.id);
    this.undoable = message.undo;
    this.redoable = message.redo;
    this.seq = Math.max(this.seq, message.seq);
    return { kind: 'answered', id: message.id };
  }

  /** The server has executed a request: what it asked for is what the server has, unless the server's own state won. */
  private settle(id: number): void {
    const request = this.queue.remove(id);
    if (request?.work.t !== 'change') return;
    this.merge(request.work.elements);
    for (const element of request.work.elements) this.growing.forget(element.id);
  }

  /** A request is over, and what it asked for is not what the server has as far as is known. */
  private dismiss(id: number): Request | undefined {
    const request = this.queue.remove(id);
    for (const element of request?.work.t === 'change' ? request.work.elements : []) {
      this.growing.forget(element.id);
      this.touched.add(element.id);
    }
    return request;
  }

  /** Merges into what is acknowledged, and into a snapshot that is still arriving: changes may come between its parts. */
  private merge(elements: readonly Element[] = [], deleted: readonly Triple[] = []): void {
    for (const element of elements) this.learn(element.id, element, element.isDeleted ? null : element);
    for (const [id, version, versionNonce] of deleted) this.learn(id, { version, versionNonce }, null);
  }

  private learn(id: string, mark: Mark, element: Element | null): void {
    for (const states of [this.acknowledged, this.arriving]) {
      if (states && wins(mark, states.get(id)?.mark)) states.set(id, { mark, element });
    }
    this.touched.add(id);
  }

  private draft(client: number, growth: Growth): void {
    const known = this.acknowledged.get(growth.el)?.mark;
    const base = growth.base as unknown as Mark | undefined;
    // What was drawn before the state that arrived since is over.
    if (known && base && !wins(base, known)) return;
    const id = this.drafts.take(client, growth);
    if (id !== null) this.touched.add(id);
  }

  private refused(message: ErrorMessage): News {
    const waiting = message.id === undefined ? undefined : this.queue.get(message.id);
    const streamed = waiting?.work.t === 'change' && waiting.work.elements.some((element) => this.growing.told(element.id) > 0);
    const told = waiting?.work.t === 'change' ? waiting.work.elements.map(({ id }) => id).filter((id) => this.growing.has(id)) : [];
    const request = waiting && this.dismiss(waiting.id);
    // The server may not have all the points that it was told: then the whole is sent, once.
    if (request && (passes(message.code) || (streamed && (message.code === 'draft' || message.code === 'element')))) {
      this.request(request.work);
      return { kind: 'postponed', retry: message.retry ?? (streamed ? 0 : 1000) };
    }
    for (const element of message.elements ?? []) {
      this.acknowledged.set(element.id, { mark: element, element: element.isDeleted ? null : element });
      this.touched.add(element.id);
    }
    for (const [id, version, versionNonce] of message.deleted ?? []) {
      this.acknowledged.set(id, { mark: { version, versionNonce }, element: null });
      this.touched.add(id);
    }
    return { kind: 'refused', error: message, request, cancelled: told };
  }
}

function person({ client, user, name, color, role }: Person): Person {
  return { client, user, name, color, role };
}
