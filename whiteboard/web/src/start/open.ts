/** Where boards are: making one, and understanding what somebody typed to open one. */

const BOARD = /^[A-Za-z0-9_-]{1,64}$/;

/** The path of the board that a name, a code or a pasted link means; null if it means none here. */
export function boardIn(typed: string, origin: string): string | null {
  const text = typed.trim();
  if (BOARD.test(text)) return `/b/${text}`;
  try {
    const url = new URL(text);
    const board = /^\/b\/([^/]+)\/?$/.exec(url.pathname)?.[1] ?? '';
    return url.origin === origin && BOARD.test(board) ? `/b/${board}${url.search}${url.hash}` : null;
  } catch {
    return null;
  }
}

interface Created {
  readonly id: string;
  /** The board's secrets, told once. */
  readonly teacher?: string;
  readonly look?: string;
  readonly error?: string;
}

/** Makes a board and gives its path, and the secret for looking on, if it has one. For a class it has a secret of the teachers. */
export async function create(forClass: boolean): Promise<{ id: string; path: string; look: string | undefined }> {
  const answer = await fetch('/api/boards', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(forClass ? { teacher: true } : {}),
  });
  const body = (await answer.json().catch(() => ({}))) as Partial<Created>;
  if (!answer.ok || !body.id) throw new Error(body.error ?? `${answer.status}`);
  return { id: body.id, path: `/b/${body.id}${body.teacher ? `#teacher=${body.teacher}` : ''}`, look: body.look };
}
