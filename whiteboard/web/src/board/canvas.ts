/** Between the canvas and the replica: what a person draws becomes requests, what arrives is put on the canvas. */
import { CaptureUpdateAction } from '@excalidraw/excalidraw';
import type { AppState, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { Capture } from '../sync/capture';
import type { Connection } from '../sync/connection';
import { frozen, order, same, type Element } from '../sync/element';
import { rounded } from '../sync/growth';
import { drawable } from './drawable';
import type { Strokes } from './overlay';

/** More elements than this that move together are sent as changes, not as drafts. */
const DRAFTS = 4;
/** Milliseconds between two drafts of a moved element (for each that moves), between changes of many moved ones, and of a text being typed. */
const DRAFT_PACE = 33;
const MANY_PACE = 250;
const TEXT_PACE = 1000;

export interface Gate {
  /** Whether a change that names a file may leave: the file must be on the server first. */
  ready(element: Element): boolean;
  /** Whether its file will never be there. */
  refused(element: Element): boolean;
}

export class Canvas {
  private readonly capture = new Capture();
  /** What should be on the canvas, by id: the canvas' own objects, and the index that the board gives them. */
  private readonly shown = new Map<string, { readonly element: Element; readonly index: string | null; readonly drafted: boolean }>();
  private sorted: string[] = [];
  /** Strokes that others are drawing: on a layer above the canvas. */
  private readonly strokes = new Map<string, Element>();
  /** Elements whose object on the canvas must be replaced though its version is right. */
  private readonly stale = new Set<string>();
  private readonly pointers = new Set<number>();
  private gesture = Date.now() % 1_000_000_000;
  private frame = 0;
  private readonly paced = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private applying = false;
  private filled = false;

  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly connection: Connection,
    private readonly gate: Gate,
    private readonly overlay: Strokes,
  ) {}

  /** Watches the hand: a gesture lasts as long as a pointer is down. Returns how to stop. */
  watch(surface: HTMLElement): () => void {
    const down = (event: PointerEvent) => {
      if (!(event.target instanceof HTMLCanvasElement)) return;
      if (this.pointers.size === 0) this.gesture++;
      this.pointers.add(event.pointerId);
    };
    const up = (event: PointerEvent) => {
      if (this.pointers.delete(event.pointerId)) this.soon();
    };
    const away = () => {
      this.pointers.clear();
      this.soon();
    };
    surface.addEventListener('pointerdown', down, true);
    window.addEventListener('pointerup', up, true);
    window.addEventListener('pointercancel', up, true);
    window.addEventListener('blur', away);
    return () => {
      surface.removeEventListener('pointerdown', down, true);
      window.removeEventListener('pointerup', up, true);
      window.removeEventListener('pointercancel', up, true);
      window.removeEventListener('blur', away);
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
    };
  }

  /** The canvas says that something changed, or the replica: looked at with the next frame. A hidden page has none. */
  soon(): void {
    if (this.applying || this.frame !== 0) return;
    const run = () => {
      cancelAnimationFrame(this.frame);
      clearTimeout(fallback);
      this.frame = 0;
      this.turn();
    };
    this.frame = requestAnimationFrame(run);
    const fallback = setTimeout(run, document.hidden ? 30 : 200);
  }

  /** Everything that was changed until now has been asked for, before something else is. */
  flush(): void {
    this.turn();
  }

  /** A file has arrived at the server: what names it may leave. */
  released(): void {
    this.soon();
  }

  private list(): readonly Element[] {
    return this.api.getSceneElementsIncludingDeleted() as unknown as readonly Element[];
  }

  private turn(): void {
    const list = this.list();
    const unsent = this.collect(list);
    const lost = this.filled && this.capture.lost(list);
    if (lost) for (const id of this.shown.keys()) this.connection.replica.touched.add(id);
    if (this.connection.replica.touched.size > 0 || this.stale.size > 0) this.apply(list, unsent);
  }

  /** What the hand is on now. */
  private held(state: Readonly<AppState>): (id: string) => boolean {
    if (this.pointers.size > 0) return () => true;
    const ids = new Set(
      [state.newElement, state.multiElement, state.editingTextElement, state.resizingElement].map((element) => element?.id),
    );
    const line = state.editingLinearElement?.elementId;
    return (id) => ids.has(id) || id === line;
  }

  /** Asks for what changed; returns what is changing still. */
  private collect(list: readonly Element[]): ReadonlySet<string> {
    const { replica } = this.connection;
    const state = this.api.getAppState();
    if (!replica.mayDraw) {
      for (const element of this.capture.scan(list, () => false).settled) this.touch(element.id);
      return new Set();
    }
    const held = this.held(state);
    const byId = new Map(list.map((element) => [element.id, element]));
    const { settled, busy } = this.capture.scan(list, (id) => held(id) || !this.gate.ready(byId.get(id)!));
    const now = performance.now();
    const ask: Element[] = settled.map((element) => this.settle(element));
    const moving = busy.filter((element) => held(element.id));
    for (const element of busy) if (this.gate.refused(element)) this.touch(element.id);
    const many = moving.length > DRAFTS;
    let again = Infinity;
    for (const element of moving) {
      const isStroke = element.type === 'freedraw' && state.newElement?.id === element.id;
      if (isStroke) this.connection.grow(replica.growing.stroke(element));
      else if (many) {
        const wait = this.pace('many', MANY_PACE, now);
        if (wait <= 0) ask.push(...moving.map((one) => frozen(one)));
        again = Math.min(again, wait > 0 ? wait : MANY_PACE);
        break;
      } else {
        const wait = this.pace(element.id, DRAFT_PACE * moving.length, now);
        if (wait <= 0 && !element.isDeleted) this.connection.grow(replica.growing.whole(element, replica.known(element.id)));
        else again = Math.min(again, wait);
        if (state.editingTextElement?.id === element.id) {
          const rest = this.pace(`text-${element.id}`, TEXT_PACE, now);
          if (rest <= 0) ask.push(frozen(element));
          else again = Math.min(again, rest);
        }
      }
    }
    if (ask.length > 0) this.connection.ask({ t: 'change', gesture: this.gesture, elements: ask });
    if (moving.length === 0) {
      if (ask.length > 0) this.gesture++;
      this.paced.clear();
      this.callOff(byId);
    }
    clearTimeout(this.timer);
    if (again !== Infinity) this.timer = setTimeout(() => this.soon(), again);
    return new Set(busy.filter((element) => !this.gate.refused(element)).map(({ id }) => id));
  }

  /** A finished element as it is sent. Of a stroke the rest is told first, and its points are those that were told. */
  private settle(element: Element): Element {
    const { replica } = this.connection;
    if (element.type === 'freedraw' && !element.isDeleted && replica.growing.told(element.id) > 0) {
      this.connection.grow(replica.growing.stroke(element));
    }
    if (element.type === 'freedraw' || element.type === 'image') this.stale.add(element.id);
    const sent = frozen(rounded(element));
    return sent.type === 'image' ? { ...sent, status: 'saved' } : sent;
  }

  /** Milliseconds until something may be told again; counts as told if it may be now. */
  private pace(what: string, every: number, now: number): number {
    const last = this.paced.get(what);
    if (last !== undefined && now - last < every) return every - (now - last);
    this.paced.set(what, now);
    return 0;
  }

  /** What others saw growing and what will not become an element. */
  private callOff(list: ReadonlyMap<string, Element>): void {
    const { replica } = this.connection;
    for (const id of replica.growing.ids()) {
      const element = list.get(id);
      const waits = replica.queue.state(id) !== undefined;
      if (waits || (element && !element.isDeleted && !this.gate.ready(element))) continue;
      this.connection.grow({ el: id, cancel: true });
      replica.growing.forget(id);
    }
  }

  private touch(id: string): void {
    this.connection.replica.touched.add(id);
    this.stale.add(id);
  }

  /** Puts what the replica shows on the canvas; what the hand is on stays as it is. */
  private apply(list: readonly Element[], unsent: ReadonlySet<string>): void {
    const { replica } = this.connection;
    const local = new Map(list.map((element) => [element.id, element]));
    let moved = false;
    let changed = false;
    let drawn = false;
    for (const id of new Set([...replica.touched, ...this.stale])) {
      const target = replica.look(id);
      const before = this.shown.get(id);
      const fits = target !== undefined && drawable(target);
      if (fits && target.type === 'freedraw' && replica.drawnElsewhere(id) && !replica.known(id)) {
        this.strokes.set(id, target);
        drawn = true;
        continue;
      }
      drawn = this.strokes.delete(id) || drawn;
      changed = true;
      if (!fits) {
        moved = this.shown.delete(id) || moved;
        continue;
      }
      const here = local.get(id);
      const drafted = replica.drawnElsewhere(id);
      const keep = here && same(here, target) && !this.stale.has(id) && !drafted && !before?.drafted;
      this.shown.set(id, { element: keep ? here : ({ ...target } as Element), index: target.index ?? null, drafted });
      moved ||= !before || before.index !== (target.index ?? null);
    }
    replica.touched.clear();
    this.stale.clear();
    if (drawn) this.overlay.show([...this.strokes.values()]);
    if (!changed) return;
    if (moved) this.sort();
    const next: Element[] = [];
    for (const id of this.sorted) {
      const { element } = this.shown.get(id)!;
      const here = local.get(id);
      next.push(here && unsent.has(id) ? here : element);
    }
    for (const element of list) if (unsent.has(element.id) && !this.shown.has(element.id)) next.push(element);
    this.applying = true;
    try {
      this.api.updateScene({ elements: next as never, captureUpdate: CaptureUpdateAction.NEVER });
    } finally {
      this.applying = false;
    }
    this.filled = true;
    this.capture.note(this.list(), unsent);
  }

  private sort(): void {
    const keys = [...this.shown].map(([id, { index }]) => ({ id, index }) as Element);
    this.sorted = keys.sort(order).map(({ id }) => id);
  }
}
