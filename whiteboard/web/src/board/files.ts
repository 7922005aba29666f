/** Images: sent to the server before the element that shows them, fetched when an element names one that is not here. */
import { CaptureUpdateAction } from '@excalidraw/excalidraw';
import type { BinaryFileData, BinaryFiles, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { frozen, type Element } from '../sync/element';
import type { KeptImages } from './kept';

type State = 'sending' | 'there' | 'refused';

/** Milliseconds until a transfer is tried again. */
const AGAIN = 3000;
/** Milliseconds for which an image that was sent is surely there, whether or not something shows it (PROTOCOL.md, F1). */
const SURE = 12 * 3600_000;
/** Milliseconds from a change of an image that waits until it is kept on the device. */
const KEEP = 300;

export interface Surroundings {
  readonly board: string;
  readonly key: string;
  /** What the device keeps; null where it keeps nothing. */
  readonly kept: KeptImages | null;
  /** An element as the server has it. */
  known(id: string): Element | undefined;
  /** A file has come to the server, or will not. */
  settled(refusal: string | null): void;
  /** So many images wait for the server. */
  waits(count: number): void;
}

export class Files {
  private readonly states = new Map<string, State>();
  /** When images were sent from here, in milliseconds since 1970. */
  private readonly sent = new Map<string, number>();
  private readonly fetching = new Set<string>();
  /** Elements that the server cannot have yet, by id. */
  private readonly pending = new Map<string, Element>();
  /** Of those, the version that the device keeps. */
  private readonly keptVersions = new Map<string, number>();
  private keeping: ReturnType<typeof setTimeout> | undefined;
  private adopted = false;

  constructor(private readonly api: ExcalidrawImperativeAPI, private readonly around: Surroundings) {}

  private url(id: string): string {
    return fileUrl(this.around.board, id);
  }

  /** How many images wait for the server. */
  get waiting(): number {
    return [...this.states.values()].filter((state) => state === 'sending').length;
  }

  /** Whether an element may be sent: it names no file, or the server has it. */
  ready(element: Element): boolean {
    if (element.type !== 'image' || element.isDeleted || typeof element.fileId !== 'string') return element.type !== 'image' || element.isDeleted;
    return this.states.get(element.fileId) === 'there' && !(this.api.getFiles()[element.fileId] && this.doubtful(element, element.fileId));
  }

  /**
   * Whether the server may have forgotten an image that it had: one that nothing on the board shows, and that was not sent lately.
   * So it is with what somebody copied, and pastes long after it was deleted.
   */
  private doubtful(element: Element, fileId: string): boolean {
    const shows = ({ id }: Element) => {
      const known = this.around.known(id);
      return known !== undefined && !known.isDeleted && known.fileId === fileId;
    };
    if (this.states.get(fileId) !== 'there' || shows(element)) return false;
    if (Date.now() - (this.sent.get(fileId) ?? -Infinity) < SURE) return false;
    return !this.api.getSceneElementsIncludingDeleted().some((other) => shows(other as unknown as Element));
  }

  /** Whether the server will not take an element's file. */
  refused(element: Element): boolean {
    return element.type === 'image' && typeof element.fileId === 'string' && this.states.get(element.fileId) === 'refused';
  }

  /** Looks for images that came in by paste, drop or import. */
  offer(elements: readonly Element[], files: BinaryFiles): void {
    for (const element of elements) {
      if (element.type !== 'image' || typeof element.fileId !== 'string') continue;
      const { fileId } = element;
      const file = files[fileId as keyof BinaryFiles];
      const begins = file !== undefined && !element.isDeleted && this.states.get(fileId) !== 'there' && !this.around.known(element.id);
      if (begins || this.pending.has(element.id)) this.follow(element, fileId);
      if (!file || element.isDeleted || (this.states.has(fileId) && !this.doubtful(element, fileId))) continue;
      void this.around.kept?.keepFile(file).catch(() => {});
      void this.send(file);
    }
  }

  /** What waits is kept on the device until the server has it. */
  private follow(element: Element, fileId: string): void {
    const { kept, known } = this.around;
    if (element.isDeleted || known(element.id) || this.states.get(fileId) === 'refused') {
      if (!this.pending.delete(element.id)) return;
      this.keptVersions.delete(element.id);
      void kept?.forget(element.id, fileId).catch(() => {});
      return;
    }
    this.pending.set(element.id, element);
    if (kept && this.keptVersions.get(element.id) !== element.version) this.keeping ??= setTimeout(() => this.keepNow(), KEEP);
  }

  /** Keeps the images that wait as they are now: the page may be closed. */
  keepNow(): void {
    clearTimeout(this.keeping);
    this.keeping = undefined;
    const changed = [...this.pending.values()].filter(({ id, version }) => this.keptVersions.get(id) !== version).map(frozen);
    if (changed.length === 0) return;
    for (const { id, version } of changed) this.keptVersions.set(id, version);
    void this.around.kept?.keepElements(changed).catch(() => {});
  }

  /** Brings back, once, what closed tabs left. The board must have been received, and this person may draw on it. */
  async adopt(): Promise<void> {
    const { kept, known } = this.around;
    if (this.adopted || !kept) return;
    this.adopted = true;
    const here = new Set(this.api.getSceneElementsIncludingDeleted().map(({ id }) => id as string));
    const images = await kept.all().catch(() => []);
    for (const { element } of images) if (known(element.id)) void kept.forget(element.id, String(element.fileId)).catch(() => {});
    const fresh = images.filter(({ element }) => !known(element.id) && !here.has(element.id));
    if (fresh.length === 0) return;
    for (const { element } of fresh) this.pending.set(element.id, element);
    this.api.addFiles(fresh.map(({ file }) => file));
    const elements = fresh.map(({ element }) => element as never);
    this.api.updateScene({ elements: [...this.api.getSceneElementsIncludingDeleted(), ...elements], captureUpdate: CaptureUpdateAction.NEVER });
  }

  private async send(file: BinaryFileData): Promise<void> {
    this.states.set(file.id, 'sending');
    this.around.waits(this.waiting);
    const begun = Date.now();
    try {
      const answer = await fetch(this.url(file.id), {
        method: 'PUT',
        headers: { 'Content-Type': file.mimeType, Authorization: `Bearer ${this.around.key}` },
        body: bytes(file.dataURL),
      });
      // 409: somebody's browser made other bytes of the same picture. It is there.
      if (answer.ok || answer.status === 409) {
        this.sent.set(file.id, begun);
        return this.finish(file.id, 'there', null);
      }
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
    this.around.waits(this.waiting);
    this.around.settled(refusal);
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

/** Where a board's image is. */
export function fileUrl(board: string, id: string): string {
  const [, kind, code] = /^(classroom|canvas):(.+)$/su.exec(board) ?? [];
  if (kind === undefined || code === undefined) return `/api/boards/${board}/files/${id}`;
  return `/api/boards/${encodeURIComponent(code)}/files/${id}?kind=${kind}`;
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
