/** The messages of the native protocol, as `whiteboard/PROTOCOL.md` defines them. */
import type { Element, Triple } from './element';

export const VERSION = 1;

export type Role = 'teacher' | 'pupil' | 'viewer';

export interface Person {
  readonly client: number;
  readonly user: string;
  readonly name: string;
  readonly color?: string;
  readonly role: Role;
}

export interface BoardFacts {
  readonly id: string;
  readonly title: string | null;
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Limits {
  readonly message?: number;
  readonly elements?: number;
  readonly file?: number;
}

export interface Hello {
  readonly t: 'hello';
  readonly v: number;
  readonly key: string;
  readonly session: string;
  readonly name: string;
  readonly color?: string;
  readonly access?: string;
  readonly look?: string | true;
  readonly epoch?: string;
  readonly seq?: number;
}

/** What is asked of the server and answered by `ack` or `error`. */
export type Work =
  | { readonly t: 'change'; readonly gesture?: number; readonly elements: readonly Element[] }
  | { readonly t: 'undo' | 'redo' | 'clear' }
  | { readonly t: 'lock' | 'quiz'; readonly on: boolean }
  | { readonly t: 'title'; readonly title: string }
  | { readonly t: 'settings'; readonly values: Readonly<Record<string, unknown>> }
  | { readonly t: 'restore'; readonly seq: number };

/** A stroke that grows, or an element that is being moved (then with `from` 0, no points, and the whole in `base`). */
export interface Growth {
  readonly el: string;
  readonly from?: number;
  readonly points?: readonly (readonly [number, number])[];
  readonly pressures?: readonly number[];
  readonly base?: Readonly<Record<string, unknown>>;
  readonly cancel?: boolean;
}

export type ServerMessage =
  | {
      readonly t: 'welcome';
      readonly v: number;
      readonly client: number;
      readonly user: string;
      readonly role: Role;
      readonly epoch: string;
      readonly seq: number;
      readonly board: BoardFacts;
      readonly locked: boolean;
      readonly quiz: boolean;
      readonly readonly?: boolean;
      readonly undo: number;
      readonly redo: number;
      readonly last: number;
      readonly limits?: Limits;
      readonly people: readonly Person[];
      readonly drafts: readonly (Growth & { readonly c: number })[];
      readonly resume: boolean;
    }
  | { readonly t: 'snapshot'; readonly seq: number; readonly elements: readonly Element[]; readonly more: boolean }
  | {
      readonly t: 'change';
      readonly seq: number;
      readonly by: string;
      readonly elements?: readonly Element[];
      readonly deleted?: readonly Triple[];
    }
  | {
      readonly t: 'ack';
      readonly id: number;
      readonly seq: number;
      readonly undo: number;
      readonly redo: number;
      readonly elements?: readonly Element[];
      readonly deleted?: readonly Triple[];
    }
  | { readonly t: 'lock' | 'quiz'; readonly seq: number; readonly on: boolean; readonly by: string }
  | { readonly t: 'title'; readonly seq: number; readonly by: string; readonly title: string | null }
  | { readonly t: 'settings'; readonly seq: number; readonly by: string; readonly values: Readonly<Record<string, unknown>> }
  | { readonly t: 'reset'; readonly reason: string }
  | ({ readonly t: 'join' } & Person)
  | { readonly t: 'leave'; readonly client: number }
  | ({ readonly t: 'draft'; readonly c: number } & Growth)
  | { readonly t: 'v'; readonly c: number; readonly k: string; readonly d: unknown }
  | {
      readonly t: 'error';
      readonly code: string;
      readonly message: string;
      readonly id?: number;
      readonly retry?: number;
      readonly elements?: readonly Element[];
      readonly deleted?: readonly Triple[];
    }
  | { readonly t: 'pong' };

export type Welcome = Extract<ServerMessage, { t: 'welcome' }>;
export type ErrorMessage = Extract<ServerMessage, { t: 'error' }>;

/** Refusals that pass by themselves: the request is sent again later, under a new number. */
const PASSING = new Set(['too-many', 'disk-full', 'stopping', 'internal']);

/** Whether the same request may be accepted later. */
export function passes(code: string): boolean {
  return PASSING.has(code);
}

/** The server's message in a text; null for what is not one. */
export function parse(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 't' in value ? (value as ServerMessage) : null;
  } catch {
    return null;
  }
}
