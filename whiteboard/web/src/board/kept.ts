/**
 * Images that the server does not have yet, kept on the device with the elements that show them: such an element leaves only after
 * its file (PROTOCOL.md, "Files"), so it is in no request that the shelf would keep.
 */
import type { BinaryFileData } from '@excalidraw/excalidraw/types';
import type { Element } from '../sync/element';

export interface KeptImage {
  readonly element: Element;
  readonly file: BinaryFileData;
}

const [FILES, ELEMENTS, BY_FILE] = ['files', 'elements', 'by-file'];

interface FileRow {
  readonly board: string;
  readonly file: BinaryFileData;
}

interface ElementRow {
  readonly board: string;
  readonly element: Element;
}

export class KeptImages {
  private constructor(private readonly database: IDBDatabase, private readonly board: string) {}

  /** What this device keeps for a board; null where the browser keeps nothing. */
  static open(board: string, factory: IDBFactory | undefined): Promise<KeptImages | null> {
    if (!factory) return Promise.resolve(null);
    return new Promise((resolve) => {
      try {
        const request = factory.open('whiteboard-images', 1);
        request.onupgradeneeded = () => {
          request.result.createObjectStore(FILES, { keyPath: ['board', 'file.id'] });
          request.result.createObjectStore(ELEMENTS, { keyPath: ['board', 'element.id'] }).createIndex(BY_FILE, ['board', 'element.fileId']);
        };
        request.onsuccess = () => resolve(new KeptImages(request.result, board));
        request.onerror = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
  }

  keepFile(file: BinaryFileData): Promise<void> {
    return this.transact('readwrite', (transaction) => {
      transaction.objectStore(FILES).put({ board: this.board, file } satisfies FileRow);
    });
  }

  keepElements(elements: readonly Element[]): Promise<void> {
    return this.transact('readwrite', (transaction) => {
      for (const element of elements) transaction.objectStore(ELEMENTS).put({ board: this.board, element } satisfies ElementRow);
    });
  }

  /** Forgets an element, and its file if no other kept one shows it. */
  forget(id: string, fileId: string): Promise<void> {
    return this.transact('readwrite', (transaction) => {
      const elements = transaction.objectStore(ELEMENTS);
      elements.delete([this.board, id]);
      const others = elements.index(BY_FILE).count([this.board, fileId]);
      others.onsuccess = () => {
        if (others.result === 0) transaction.objectStore(FILES).delete([this.board, fileId]);
      };
    });
  }

  /** Everything that is kept whole. */
  async all(): Promise<KeptImage[]> {
    const range = IDBKeyRange.bound([this.board], [this.board, []]);
    let [files, elements]: [FileRow[], ElementRow[]] = [[], []];
    await this.transact('readonly', (transaction) => {
      const [ofFiles, ofElements] = [transaction.objectStore(FILES).getAll(range), transaction.objectStore(ELEMENTS).getAll(range)];
      ofFiles.onsuccess = () => { files = ofFiles.result as FileRow[]; };
      ofElements.onsuccess = () => { elements = ofElements.result as ElementRow[]; };
    });
    const byId = new Map(files.map(({ file }) => [file.id as string, file]));
    return elements.flatMap(({ element }) => {
      const file = typeof element.fileId === 'string' ? byId.get(element.fileId) : undefined;
      return file ? [{ element, file }] : [];
    });
  }

  private transact(mode: IDBTransactionMode, act: (transaction: IDBTransaction) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction([FILES, ELEMENTS], mode);
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error('the browser kept nothing'));
      act(transaction);
    });
  }
}
