/** Where requests wait that the server has not acknowledged, so that a closed tab loses nothing. */
import type { Work } from './protocol';
import type { Request } from './queue';

export interface Shelf {
  /** Adds and removes in one go. */
  write(put: readonly Request[], remove: readonly number[]): Promise<void>;
  /** Takes over what other tabs of this board left behind. Changes may be taken twice: the server executes them once. */
  adopt(): Promise<Work[]>;
}

const STORE = 'requests';

interface Row {
  readonly board: string;
  readonly session: string;
  readonly id: number;
  readonly work: Work;
}

/** Opens the shelf of a board and a tab; null where the browser keeps nothing. */
export async function openShelf(board: string, session: string, factory: IDBFactory | undefined): Promise<Shelf | null> {
  if (!factory) return null;
  try {
    return new IndexedShelf(await open(factory), board, session);
  } catch {
    return null;
  }
}

function open(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open('whiteboard', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ['board', 'session', 'id'] });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser keeps no data'));
  });
}

class IndexedShelf implements Shelf {
  constructor(private readonly database: IDBDatabase, private readonly board: string, private readonly session: string) {}

  write(put: readonly Request[], remove: readonly number[]): Promise<void> {
    return this.transact((store) => {
      for (const { id, work } of put) store.put({ board: this.board, session: this.session, id, work } satisfies Row);
      for (const id of remove) store.delete([this.board, this.session, id]);
    });
  }

  async adopt(): Promise<Work[]> {
    const found: Row[] = [];
    await this.transact((store) => {
      const cursor = store.openCursor(IDBKeyRange.bound([this.board], [this.board, []]));
      cursor.onsuccess = () => {
        const at = cursor.result;
        if (!at) return;
        const row = at.value as Row;
        if (row.session !== this.session) {
          found.push(row);
          at.delete();
        }
        at.continue();
      };
    });
    // A step back that somebody asked for in a tab that is gone is not taken now.
    return found.map(({ work }) => work).filter((work) => work.t === 'change');
  }

  private transact(act: (store: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(STORE, 'readwrite');
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error('the browser kept nothing'));
      act(transaction.objectStore(STORE));
    });
  }
}
