/** Images: sent to the server before the element that shows them, fetched when an element names one that is not here. */
import type { BinaryFileData, BinaryFiles, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { Element } from '../sync/element';

type State = 'sending' | 'there' | 'refused';

/** Milliseconds until a transfer is tried again. */
const AGAIN = 3000;

export class Files {
  private readonly states = new Map<string, State>();
  private readonly fetching = new Set<string>();

  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly board: string,
    private readonly key: string,
    /** A file has come to the server, or will not. */
    private readonly settled: (refusal: string | null) => void,
  ) {}

  private url(id: string): string {
    return `/api/boards/${this.board}/files/${id}`;
  }

  /** How many images wait for the server. */
  get waiting(): number {
    return [...this.states.values()].filter((state) => state === 'sending').length;
  }

  /** Whether an element may be sent: it names no file, or the server has it. */
  ready(element: Element): boolean {
    if (element.type !== 'image' || element.isDeleted || typeof element.fileId !== 'string') return element.type !== 'image' || element.isDeleted;
    return this.states.get(element.fileId) === 'there';
  }

  /** Whether the server will not take an element's file. */
  refused(element: Element): boolean {
    return element.type === 'image' && typeof element.fileId === 'string' && this.states.get(element.fileId) === 'refused';
  }

  /** Looks for images that came in by paste, drop or import. */
  offer(elements: readonly Element[], files: BinaryFiles): void {
    for (const element of elements) {
      if (element.type !== 'image' || element.isDeleted || typeof element.fileId !== 'string') continue;
      const file = files[element.fileId as keyof BinaryFiles];
      if (file && !this.states.has(element.fileId)) void this.send(file);
    }
  }

  private async send(file: BinaryFileData): Promise<void> {
    this.states.set(file.id, 'sending');
    try {
      const answer = await fetch(this.url(file.id), {
        method: 'PUT',
        headers: { 'Content-Type': file.mimeType, Authorization: `Bearer ${this.key}` },
        body: bytes(file.dataURL),
      });
      // 409: somebody's browser made other bytes of the same picture. It is there.
      if (answer.ok || answer.status === 409) return this.finish(file.id, 'there', null);
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
        const body = (await answer.json().catch(() => null)) as { error?: string } | null;
        return this.finish(file.id, 'refused', body?.error ?? `${answer.status}`);
      }
    } catch {
      // No network: tried again below.
    }
    setTimeout(() => void this.send(file), AGAIN);
  }

  private finish(id: string, state: State, refusal: string | null): void {
    this.states.set(id, state);
    this.settled(refusal);
  }

  /** Fetches what elements name and what is not here. */
  want(elements: Iterable<Element>): void {
    const here = this.api.getFiles() as Record<string, unknown>;
    for (const element of elements) {
      if (element.type !== 'image' || typeof element.fileId !== 'string' || here[element.fileId]) continue;
      if (this.fetching.has(element.fileId)) continue;
      this.fetching.add(element.fileId);
      void this.fetch(element.fileId, 0);
    }
  }

  private async fetch(id: string, attempt: number): Promise<void> {
    try {
      const answer = await fetch(this.url(id));
      if (answer.ok) {
        const blob = await answer.blob();
        this.states.set(id, 'there');
        this.api.addFiles([{ id, dataURL: await dataUrl(blob), mimeType: blob.type, created: Date.now(), lastRetrieved: Date.now() } as unknown as BinaryFileData]);
        return;
      }
    } catch {
      // No network: tried again below.
    }
    if (attempt < 10) setTimeout(() => void this.fetch(id, attempt + 1), AGAIN * (attempt + 1));
    else this.fetching.delete(id);
  }
}

/** The bytes of a data URL. `fetch` would do it too, but the content security policy does not let it. */
export function bytes(url: DataURL | string): Uint8Array<ArrayBuffer> {
  const comma = url.indexOf(',');
  const body = url.slice(comma + 1);
  if (!url.slice(0, comma).endsWith(';base64')) return new TextEncoder().encode(decodeURIComponent(body));
  return Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
}

/** A data URL of bytes. */
export function dataUrl(blob: Blob): Promise<DataURL> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as DataURL);
    reader.onerror = () => reject(reader.error ?? new Error('the image could not be read'));
    reader.readAsDataURL(blob);
  });
}
