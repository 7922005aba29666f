/** The server's record of a board's past, over HTTP. */
import type { Element } from '../sync/element';

export interface Moment {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Operations since the moment before. */
  readonly count: number;
}

export interface Version {
  readonly id: number;
  readonly seq: number;
  readonly time: number;
  readonly name: string;
}

export interface Scene {
  readonly elements: readonly Element[];
  readonly files: Readonly<Record<string, unknown>>;
  readonly background: string;
}

/** What shows the server that somebody may read a board. */
export function bearer(secret: string | undefined): Record<string, string> {
  return secret ? { Authorization: `Bearer ${secret}` } : {};
}

async function json(url: string, init: RequestInit): Promise<Record<string, unknown>> {
  const answer = await fetch(url, init);
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) throw new Error(typeof body.error === 'string' ? body.error : `${answer.status}`);
  return body;
}

export async function fetchMoments(board: string, headers: Record<string, string>): Promise<Moment[]> {
  const body = await json(`/api/boards/${board}/history`, { headers });
  return (body.moments ?? []) as Moment[];
}

export async function fetchVersions(board: string, headers: Record<string, string>): Promise<Version[]> {
  const body = await json(`/api/boards/${board}/versions`, { headers });
  return (body.versions ?? []) as Version[];
}

export async function keepVersion(board: string, name: string, author: string, headers: Record<string, string>): Promise<void> {
  await json(`/api/boards/${board}/versions`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, author }),
  });
}

/** Makes a named version the present, for everybody. */
export async function restoreVersion(board: string, id: number, headers: Record<string, string>): Promise<void> {
  await json(`/api/boards/${board}/versions/${id}/restore`, { method: 'POST', headers });
}

export async function fetchScene(board: string, seq: number, headers: Record<string, string>): Promise<Scene> {
  const body = await json(`/api/boards/${board}/history/${seq}?files=true`, { headers });
  const state = (body.appState ?? {}) as { viewBackgroundColor?: string };
  return {
    elements: (body.elements ?? []) as Element[],
    files: (body.files ?? {}) as Record<string, unknown>,
    background: state.viewBackgroundColor ?? '#ffffff',
  };
}
