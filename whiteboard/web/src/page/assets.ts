/** Must be imported before the canvas: where it gets its fonts from. */
declare global {
  interface Window {
    EXCALIDRAW_ASSET_PATH?: string;
  }
}

window.EXCALIDRAW_ASSET_PATH = '/assets/';

export {};
