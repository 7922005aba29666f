/** What goes out as files and comes in from them. */
import {
  CaptureUpdateAction, convertToExcalidrawElements, exportToCanvas, loadSceneOrLibraryFromBlob, MIME_TYPES, restoreElements, serializeAsJSON,
  viewportCoordsToSceneCoords,
} from '@excalidraw/excalidraw';
import type { FileId } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { randomText } from '../sync/identity';
import { dataUrl } from './files';
import { pdf } from './pdf';
import { renamed } from './renamed';

/** Pixels of a PDF's picture for one of the board, and how many it may have altogether. */
const SCALE = 2;
const MOST_PIXELS = 40_000_000;

/** Gives the person a file. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A title as the name of a file. */
export function fileName(title: string, extension: string): string {
  const name = title.replace(/[^\p{L}\p{N} _-]+/gu, ' ').trim().slice(0, 80);
  return `${name || 'board'}.${extension}`;
}

export function saveScene(api: ExcalidrawImperativeAPI, title: string): void {
  const text = serializeAsJSON(api.getSceneElements(), api.getAppState(), api.getFiles(), 'local');
  save(new Blob([text], { type: MIME_TYPES.excalidraw }), fileName(title, 'excalidraw'));
}

export async function savePdf(api: ExcalidrawImperativeAPI, title: string): Promise<void> {
  let used = SCALE;
  const canvas = await exportToCanvas({
    elements: api.getSceneElements(),
    appState: { ...api.getAppState(), exportBackground: true, exportWithDarkMode: false },
    files: api.getFiles(),
    exportPadding: 20,
    getDimensions: (width: number, height: number) => {
      used = Math.min(SCALE, Math.sqrt(MOST_PIXELS / (width * height)));
      return { width: Math.floor(width * used), height: Math.floor(height * used), scale: used };
    },
  });
  const jpeg = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
  if (!jpeg) throw new Error('the picture is too large');
  save(pdf(new Uint8Array(await jpeg.arrayBuffer()), canvas.width, canvas.height, used), fileName(title, 'pdf'));
}

/** Whether a dropped or chosen file is a drawing or a library. */
export function isDrawing(file: File): boolean {
  return /\.excalidraw(lib)?$/i.test(file.name) || file.type === MIME_TYPES.excalidraw || file.type === MIME_TYPES.excalidrawlib;
}

/** Adds a drawing to the board, beside what is there; a library goes to the shelf of shapes. Returns how many elements came. */
export async function add(api: ExcalidrawImperativeAPI, file: File): Promise<number> {
  const content = await loadSceneOrLibraryFromBlob(file, null, null);
  if (content.type === MIME_TYPES.excalidrawlib) {
    await api.updateLibrary({ libraryItems: content.data.libraryItems ?? content.data.library ?? [], merge: true, prompt: false, openLibraryMenu: true });
    return 0;
  }
  const files = Object.values(content.data.files ?? {}) as BinaryFileData[];
  if (files.length > 0) api.addFiles(files);
  const fresh = renamed(restoreElements(content.data.elements, null).filter((element) => !element.isDeleted));
  const all = api.getSceneElementsIncludingDeleted();
  api.updateScene({ elements: [...all, ...fresh], captureUpdate: CaptureUpdateAction.NEVER });
  api.scrollToContent(fresh, { fitToContent: true, animate: false });
  return fresh.length;
}

/** Milliseconds a picture has to be read in. */
const PATIENCE = 10_000;

/** Puts a picture behind everything, where the view is, locked so that nobody draws it away. */
export async function addBackground(api: ExcalidrawImperativeAPI, file: File): Promise<void> {
  const dataURL = await dataUrl(file);
  const picture = new Image();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the picture cannot be read')), PATIENCE);
    picture.onload = () => { clearTimeout(timer); resolve(); };
    picture.onerror = () => { clearTimeout(timer); reject(new Error('the picture cannot be read')); };
    picture.src = dataURL;
  });
  const fileId = randomText(40) as FileId;
  api.addFiles([{ id: fileId, dataURL, mimeType: file.type as BinaryFileData['mimeType'], created: Date.now() }]);
  const state = api.getAppState();
  const middle = { clientX: state.offsetLeft + state.width / 2, clientY: state.offsetTop + state.height / 2 };
  const { x, y } = viewportCoordsToSceneCoords(middle, state);
  const scale = Math.min(1, 1600 / picture.naturalWidth, 1600 / picture.naturalHeight);
  const [width, height] = [Math.round(picture.naturalWidth * scale), Math.round(picture.naturalHeight * scale)];
  const [image] = convertToExcalidrawElements([
    { type: 'image', fileId, x: Math.round(x - width / 2), y: Math.round(y - height / 2), width, height, locked: true, status: 'pending' } as never,
  ]);
  api.updateScene({ elements: [{ ...image!, index: null } as never, ...api.getSceneElementsIncludingDeleted()], captureUpdate: CaptureUpdateAction.NEVER });
}
