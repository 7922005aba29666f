/** A server that follows `whiteboard/PROTOCOL.md` in memory: for tests of the client without a process. */
import { wins, type Element, type Triple } from '../element';
import type { Growth, Hello, Person, Role, ServerMessage } from '../protocol';

type Change = Extract<ServerMessage, { t: 'change' }>;
type Incoming = Record<string, unknown> & { t: string; id?: number };

interface Step {
  readonly gesture: number | undefined;
  readonly before: Map<string, Element | undefined>;
  readonly after: Map<string, Element>;
}

interface Peer {
  readonly person: Person;
  readonly session: string;
  readonly send: (message: ServerMessage) => void;
  readonly drafts: Map<string, { base: Record<string, unknown>; points: unknown[]; pressures: unknown[] }>;
}

/** Undo takes back values; the state that results is a new one, which wins over what it replaces. */
let nonce = 1;

export class TestServer {
  readonly elements = new Map<string, Element>();
  locked = false;
  quiz = false;
  title: string | null = null;
  settings: Record<string, unknown> = {};
  epoch = 'epoch-1';
  /** Operations that newcomers can catch up from; older ones need a snapshot. */
  keep = 50;
  /** Elements in a part of a snapshot. */
  part = 3;
  private seq = 0;
  private log: { seq: number; message: ServerMessage; author: string }[] = [];
  private authors = new Map<string, string>();
  private readonly peers = new Map<number, Peer>();
  private readonly sessions = new Map<string, number>();
  private readonly steps = new Map<string, { undo: Step[]; redo: Step[] }>();
  private clients = 0;

  constructor(private readonly teacher?: string) {}

  /** A connection: give it the client's messages one after the other. */
  connect(send: (message: ServerMessage) => void): { receive: (message: unknown) => void; close: () => void } {
    let client = 0;
    return {
      receive: (raw) => {
        const message = JSON.parse(JSON.stringify(raw)) as Incoming;
        if (message.t === 'hello') client = this.join(message as unknown as Hello, send);
        else if (client > 0) this.handle(client, message);
      },
      close: () => {
        if (this.peers.delete(client)) this.tell({ t: 'leave', client });
      },
    };
  }

  private join(hello: Hello, send: (message: ServerMessage) => void): number {
    const client = ++this.clients;
    const user = `user-${hello.key}`.slice(0, 40);
    const role: Role = hello.look ? 'viewer' : !this.teacher || hello.access === this.teacher ? 'teacher' : 'pupil';
    const person = { client, user, name: hello.name, color: hello.color ?? '#1971c2', role };
    const since = hello.epoch === this.epoch && hello.seq !== undefined && hello.seq >= this.seq - this.log.length ? hello.seq : null;
    send({
      t: 'welcome', v: 1, client, user, role, epoch: this.epoch, seq: this.seq,
      board: { id: 'test', title: this.title, kind: 'board', settings: this.settings },
      locked: this.locked, quiz: this.quiz, ...this.counts(user), last: this.sessions.get(hello.session) ?? 0,
      people: [...this.peers.values()].map((peer) => peer.person), resume: since !== null,
      drafts: [...this.peers.values()].filter((peer) => this.draws(peer, user, role)).flatMap((peer) =>
        [...peer.drafts].map(([el, draft]) => ({ c: peer.person.client, el, from: 0, ...draft }) as Growth & { c: number })),
    });
    this.tell({ t: 'join', ...person });
    const peer = { person, session: hello.session, send, drafts: new Map() };
    this.peers.set(client, peer);
    if (since === null) this.snapshot(peer);
    else for (const { seq, message } of this.log) if (seq > since) this.give(peer, message);
    return client;
  }

  private sees(peer: Peer, author: string | undefined): boolean {
    if (!this.quiz || peer.person.role === 'teacher') return true;
    return author === peer.person.user || author === 'teacher';
  }

  /** Whether somebody sees what `peer` is drawing. */
  private draws(peer: Peer, user: string, role: Role): boolean {
    return !this.quiz || role === 'teacher' || peer.person.role === 'teacher' || peer.person.user === user;
  }

  private give(peer: Peer, message: ServerMessage): void {
    if (message.t !== 'change') return peer.send(message);
    const elements = message.elements?.filter(({ id }) => this.sees(peer, this.authors.get(id)));
    const deleted = message.deleted?.filter(([id]) => this.sees(peer, this.authors.get(id)));
    peer.send({ ...message, elements, deleted });
  }

  private snapshot(peer: Peer): void {
    const all = [...this.elements.values()].filter((element) => !element.isDeleted && this.sees(peer, this.authors.get(element.id)));
    for (let from = 0; from === 0 || from < all.length; from += this.part) {
      peer.send({ t: 'snapshot', seq: this.seq, elements: all.slice(from, from + this.part), more: from + this.part < all.length });
    }
  }

  private tell(message: ServerMessage, but = 0): void {
    for (const [client, peer] of this.peers) if (client !== but) this.give(peer, message);
  }

  private counts(user: string): { undo: number; redo: number } {
    const stack = this.stack(user);
    return { undo: stack.undo.length, redo: stack.redo.length };
  }

  private stack(user: string): { undo: Step[]; redo: Step[] } {
    const stack = this.steps.get(user) ?? { undo: [], redo: [] };
    this.steps.set(user, stack);
    return stack;
  }

  private record(message: ServerMessage, author: string): void {
    this.log.push({ seq: this.seq, message, author });
    if (this.log.length > this.keep) this.log.shift();
  }

  private handle(client: number, message: Incoming): void {
    const peer = this.peers.get(client);
    if (!peer) return;
    const { user, role } = peer.person;
    if (message.t === 'ping') return peer.send({ t: 'pong' });
    if (message.t === 'v') return this.tell({ t: 'v', c: client, k: String(message.k), d: message.d }, client);
    if (message.t === 'draft') return this.draft(peer, message as unknown as Growth);
    const id = message.id as number;
    if (id <= (this.sessions.get(peer.session) ?? 0)) return peer.send({ t: 'ack', id, seq: this.seq, ...this.counts(user) });
    const refusal = role === 'viewer' ? 'read-only' : role === 'pupil' && message.t !== 'change' && !['undo', 'redo'].includes(message.t) ? 'access'
      : role === 'pupil' && this.locked ? 'locked' : null;
    if (refusal) return peer.send({ t: 'error', id, code: refusal, message: `refused: ${refusal}`, ...this.truth(message) });
    const whole = this.whole(peer, message);
    if (!whole) return peer.send({ t: 'error', id, code: 'draft', message: 'points were never told' });
    this.sessions.set(peer.session, id);
    switch (message.t) {
      case 'change': {
        const changed = this.merge(whole, user, role, message.gesture as number | undefined);
        if (changed.length > 0) this.announce(changed, user, client);
        break;
      }
      case 'undo': case 'redo': this.travel(user, message.t); break;
      case 'clear': this.announce(this.replace([...this.elements.values()].filter((element) => !element.isDeleted).map((element) => ({ ...element, isDeleted: true }))), user, 0); break;
      case 'lock': case 'quiz': {
        this.seq++;
        const on = message.on as boolean;
        if (message.t === 'lock') this.locked = on;
        else this.quiz = on;
        const news: ServerMessage = { t: message.t, seq: this.seq, on, by: user };
        this.record(news, user);
        if (message.t === 'quiz') {
          this.log = [];
          for (const other of this.peers.values()) {
            if (other.person.role === 'teacher') continue;
            other.send({ t: 'reset', reason: 'quiz' });
            this.snapshot(other);
          }
        }
        this.tell(news);
        break;
      }
      case 'title': case 'settings': {
        this.seq++;
        if (message.t === 'title') this.title = message.title as string;
        else this.settings = { ...this.settings, ...(message.values as Record<string, unknown>) };
        const news: ServerMessage = message.t === 'title'
          ? { t: 'title', seq: this.seq, by: user, title: this.title }
          : { t: 'settings', seq: this.seq, by: user, values: this.settings };
        this.record(news, user);
        this.tell(news);
        break;
      }
    }
    const lost = (whole as Element[]).map((element) => this.elements.get(element.id)!).filter((now, index) => now && now.version !== whole[index]!.version || now?.versionNonce !== whole[index]?.versionNonce);
    peer.send({
      t: 'ack', id, seq: this.seq, ...this.counts(user),
      elements: lost.filter((element) => !element.isDeleted),
      deleted: lost.filter((element) => element.isDeleted).map(triple),
    });
  }

  private truth(message: Incoming): { elements?: Element[]; deleted?: Triple[] } {
    if (message.t !== 'change') return {};
    const now = (message.elements as Element[]).map((element) => this.elements.get(element.id)).filter((element) => element !== undefined);
    return { elements: now.filter((element) => !element.isDeleted), deleted: now.filter((element) => element.isDeleted).map(triple) };
  }

  /** The elements of a change, those told as drafts put together; null if some points never came. */
  private whole(peer: Peer, message: Incoming): Element[] | null {
    if (message.t !== 'change') return [];
    const elements = [...(message.elements as Element[])];
    for (const { count, ...base } of (message.drafts ?? []) as (Record<string, unknown> & { count: number; id: string })[]) {
      const draft = peer.drafts.get(base.id);
      if (!draft || draft.points.length < count) return null;
      elements.push({ ...base, points: draft.points.slice(0, count), pressures: draft.pressures.slice(0, count) } as unknown as Element);
    }
    for (const element of elements) peer.drafts.delete(element.id);
    return elements;
  }

  private draft(peer: Peer, growth: Growth): void {
    if (growth.cancel) peer.drafts.delete(growth.el);
    else if (growth.from === 0) peer.drafts.set(growth.el, { base: { ...growth.base }, points: [...(growth.points ?? [])], pressures: [...(growth.pressures ?? [])] });
    else {
      const draft = peer.drafts.get(growth.el);
      if (!draft) return;
      draft.points.splice(growth.from!, Infinity, ...(growth.points ?? []));
      draft.pressures.splice(growth.from!, Infinity, ...(growth.pressures ?? []));
    }
    for (const other of this.peers.values()) {
      if (other !== peer && this.draws(peer, other.person.user, other.person.role)) other.send({ ...growth, t: 'draft', c: peer.person.client });
    }
  }

  private merge(elements: Element[], user: string, role: Role, gesture: number | undefined): Element[] {
    const step: Step = { gesture, before: new Map(), after: new Map() };
    const changed: Element[] = [];
    for (const element of elements) {
      const before = this.elements.get(element.id);
      if (!wins(element, before)) continue;
      this.elements.set(element.id, element);
      if (!before) this.authors.set(element.id, role === 'teacher' ? 'teacher' : user);
      step.before.set(element.id, before);
      step.after.set(element.id, element);
      changed.push(element);
    }
    if (changed.length === 0) return changed;
    const { undo, redo } = this.stack(user);
    const last = undo.at(-1);
    redo.length = 0;
    if (last && gesture !== undefined && last.gesture === gesture) {
      for (const [id, before] of step.before) if (!last.before.has(id)) last.before.set(id, before);
      for (const [id, after] of step.after) last.after.set(id, after);
    } else undo.push(step);
    return changed;
  }

  /** Takes a step back, as far as nobody has touched its elements since. */
  private travel(user: string, way: 'undo' | 'redo'): void {
    const stack = this.stack(user);
    const step = stack[way].at(-1);
    if (!step) return;
    const [target, other] = way === 'undo' ? [step.before, stack.redo] : [step.after, stack.undo];
    const expected = way === 'undo' ? step.after : step.before;
    const next: Element[] = [];
    for (const [id, value] of target) {
      const now = this.elements.get(id);
      const then = expected.get(id);
      if (now && (then ? now.versionNonce === then.versionNonce : now.isDeleted)) {
        next.push(value ? { ...value } : { ...now, isDeleted: true });
      }
    }
    // What finds nothing uses up no step (PROTOCOL.md, U3).
    if (next.length === 0) return;
    stack[way].pop();
    const results = this.replace(next);
    for (const result of results) (way === 'undo' ? step.before : step.after).set(result.id, result);
    other.push(step);
    this.announce(results, user, 0);
  }

  private replace(elements: Element[]): Element[] {
    return elements.map((element) => {
      const result = { ...element, version: (this.elements.get(element.id)?.version ?? 0) + 1, versionNonce: nonce++ };
      this.elements.set(element.id, result);
      return result;
    });
  }

  private announce(changed: Element[], user: string, but: number): void {
    this.seq++;
    const message: Change = {
      t: 'change', seq: this.seq, by: user,
      elements: changed.filter((element) => !element.isDeleted),
      deleted: changed.filter((element) => element.isDeleted).map(triple),
    };
    this.record(message, user);
    this.tell(message, but);
  }
}

function triple({ id, version, versionNonce }: Element): Triple {
  return [id, version, versionNonce];
}
