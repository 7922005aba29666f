/** The others on the canvas: cursors, lasers, what they have chosen, whose view is followed. */
import { CaptureUpdateAction, getVisibleSceneBounds, zoomToFitBounds } from '@excalidraw/excalidraw';
import type { AppState, Collaborator, ExcalidrawImperativeAPI, SocketId } from '@excalidraw/excalidraw/types';
import type { Connection } from '../sync/connection';
import type { News } from '../sync/replica';

/** Milliseconds between two cursors, views and choices that are told. */
const PACE = 33;
const VIEW_PACE = 100;
/** Milliseconds after which a cursor that does not move is put away. */
const STILL = 30_000;

type Pointer = Parameters<NonNullable<import('@excalidraw/excalidraw/types').ExcalidrawProps['onPointerUpdate']>>[0];

interface Seen {
  pointer?: Collaborator['pointer'];
  button?: 'up' | 'down';
  selected?: Record<string, true>;
  at: number;
}

export class People {
  private readonly seen = new Map<number, Seen>();
  private readonly followers = new Set<number>();
  private frame = 0;
  private lastCursor = 0;
  private pending: Pointer | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private chosen = '';
  private lastView = 0;
  private sweep: ReturnType<typeof setInterval>;

  constructor(private readonly api: ExcalidrawImperativeAPI, private readonly connection: Connection) {
    this.sweep = setInterval(() => this.putAway(), 5000);
  }

  stop(): void {
    clearInterval(this.sweep);
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  /** Whom this person follows; null if nobody. */
  get following(): number | null {
    const id = this.api.getAppState().userToFollow?.socketId;
    return id === undefined ? null : Number(id);
  }

  hear(news: News): void {
    if (news.kind === 'people' || news.kind === 'welcome') {
      const here = this.connection.replica.people;
      for (const client of this.seen.keys()) if (!here.has(client)) this.seen.delete(client);
      for (const client of this.followers) if (!here.has(client)) this.followers.delete(client);
      if (news.kind === 'welcome') {
        this.followers.clear();
        this.chosen = '';
        this.follow(this.following);
      }
      this.show();
    }
    if (news.kind !== 'volatile') return;
    const data = news.data as Record<string, unknown> | null;
    if (typeof data !== 'object' || data === null) return;
    const seen = this.seen.get(news.client) ?? { at: 0 };
    this.seen.set(news.client, seen);
    seen.at = Date.now();
    switch (news.topic) {
      case 'cursor': {
        if (typeof data.x !== 'number' || typeof data.y !== 'number') return;
        seen.pointer = { x: data.x, y: data.y, tool: data.laser === true ? 'laser' : 'pointer' };
        seen.button = data.down === true ? 'down' : 'up';
        return this.show();
      }
      case 'select': {
        const ids = Array.isArray(data.ids) ? data.ids.filter((id): id is string => typeof id === 'string') : [];
        seen.selected = Object.fromEntries(ids.map((id) => [id, true as const]));
        return this.show();
      }
      case 'follow': {
        if (data.client === this.connection.replica.client) {
          this.followers.add(news.client);
          this.lastView = 0;
          this.view();
        } else this.followers.delete(news.client);
        return;
      }
      case 'view': return this.look(news.client, data.bounds);
    }
  }

  /** Notes one's own pointer; it is told at a pace. */
  pointer(pointer: Pointer): void {
    this.pending = pointer;
    const wait = PACE - (performance.now() - this.lastCursor);
    if (wait <= 0) return this.tellCursor();
    this.timer ??= setTimeout(() => this.tellCursor(), wait);
  }

  private tellCursor(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.pending || this.connection.replica.people.size === 0) return;
    const { pointer, button } = this.pending;
    this.lastCursor = performance.now();
    this.connection.tell('cursor', {
      x: Math.round(pointer.x), y: Math.round(pointer.y),
      ...(pointer.tool === 'laser' ? { laser: true } : {}), ...(button === 'down' ? { down: true } : {}),
    });
  }

  /** Notes what is chosen on one's own canvas. */
  choice(state: Readonly<AppState>): void {
    if (this.connection.replica.people.size === 0) return;
    const ids = Object.keys(state.selectedElementIds).slice(0, 20);
    const key = ids.join();
    if (key === this.chosen) return;
    this.chosen = key;
    this.connection.tell('select', { ids });
  }

  /** Tells whom this person follows from now on. */
  follow(client: number | null): void {
    if (client !== null || this.connection.online) this.connection.tell('follow', { client });
  }

  /** One's own view changed: followers are told. */
  view(): void {
    if (this.followers.size === 0) return;
    const now = performance.now();
    if (now - this.lastView < VIEW_PACE) {
      setTimeout(() => this.view(), VIEW_PACE);
      return;
    }
    this.lastView = now;
    this.connection.tell('view', { bounds: getVisibleSceneBounds(this.api.getAppState()).map(Math.round) });
  }

  private look(client: number, bounds: unknown): void {
    if (this.following !== client || !Array.isArray(bounds) || bounds.length !== 4) return;
    if (!bounds.every((value) => typeof value === 'number' && Number.isFinite(value))) return;
    const { appState } = zoomToFitBounds({ appState: this.api.getAppState(), bounds: bounds as never, fitToViewport: true, viewportZoomFactor: 1 });
    this.api.updateScene({ appState, captureUpdate: CaptureUpdateAction.NEVER });
  }

  private putAway(): void {
    const old = Date.now() - STILL;
    let any = false;
    for (const seen of this.seen.values()) {
      if (seen.pointer && seen.at < old) {
        delete seen.pointer;
        any = true;
      }
    }
    if (any) this.show();
  }

  name(client: number): string {
    return this.connection.replica.people.get(client)?.name ?? '';
  }

  private show(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      // The canvas draws a new map only.
      const collaborators = new Map<SocketId, Collaborator>();
      for (const [client, person] of this.connection.replica.people) {
        const seen = this.seen.get(client);
        const color = colorOf(person.user);
        collaborators.set(String(client) as SocketId, {
          id: person.user,
          socketId: String(client) as SocketId,
          username: this.name(client),
          color: { background: color, stroke: color },
          ...(seen?.pointer ? { pointer: { ...seen.pointer, laserColor: color } } : {}),
          ...(seen?.button ? { button: seen.button } : {}),
          ...(seen?.selected ? { selectedElementIds: seen.selected } : {}),
        });
      }
      this.api.updateScene({ collaborators });
    });
  }
}

/** The colour that the canvas gives a person, so that lists show the same one. */
export function colorOf(user: string): string {
  let hash = 0;
  for (let at = 0; at < user.length; at++) hash = (hash << 5) - hash + user.charCodeAt(at);
  return `hsl(${(Math.abs(hash) % 37) * 10}, 100%, 83%)`;
}
