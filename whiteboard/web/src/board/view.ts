/** What this device keeps of how somebody works: view, pen, theme, and the shelf of shapes. */
import type { AppState, ExcalidrawInitialDataState, LibraryItems } from '@excalidraw/excalidraw/types';
import { read, theme, write } from '../page/device';

/** Kept for all boards. */
const PEN = [
  'currentItemStrokeColor', 'currentItemBackgroundColor', 'currentItemFillStyle', 'currentItemStrokeWidth', 'currentItemStrokeStyle',
  'currentItemRoughness', 'currentItemOpacity', 'currentItemFontFamily', 'currentItemFontSize', 'currentItemRoundness', 'penMode', 'penDetected',
] as const;
const VIEW = ['scrollX', 'scrollY', 'zoom'] as const;

function parsed(key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(read(key) ?? '{}');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

export function initialData(board: string): ExcalidrawInitialDataState {
  return {
    appState: { ...parsed('whiteboard-pen'), ...parsed(`whiteboard-view-${board}`), theme: theme() } as never,
    libraryItems: library() as never,
  };
}

const LIBRARY = 'whiteboard-library';

function library(): unknown[] {
  const { items } = parsed(LIBRARY);
  return Array.isArray(items) ? items : [];
}

/** Keeps the shelf of shapes, for all boards. One that the browser finds too large lasts as long as the page. */
export function keepLibrary(items: LibraryItems): void {
  write(LIBRARY, JSON.stringify({ items }));
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Keeps the state a second after it last changed. */
export function remember(board: string, state: AppState): void {
  if (document.documentElement.dataset.theme !== state.theme) {
    document.documentElement.dataset.theme = state.theme;
    write('whiteboard-theme', state.theme);
  }
  clearTimeout(timer);
  timer = setTimeout(() => {
    write('whiteboard-pen', JSON.stringify(Object.fromEntries(PEN.map((key) => [key, state[key]]))));
    write(`whiteboard-view-${board}`, JSON.stringify(Object.fromEntries(VIEW.map((key) => [key, state[key]]))));
  }, 1000);
}
