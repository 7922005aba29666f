// Real drawings as strokes: each line of an Excalidraw library becomes a stroke as react-sketch-canvas keeps it.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const folder = fileURLToPath(new URL('../drawings/', import.meta.url));

/** Every stroke of every drawing, in the order of the files. */
export function strokes() {
  const libraries = readdirSync(folder).filter((file) => file.endsWith('.excalidrawlib')).sort();
  return libraries.flatMap((file) => {
    const library = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const items = library.library ?? library.libraryItems.map((item) => item.elements);
    return items.flat().filter((element) => element.points?.length > 1).map(stroke);
  });
}

function stroke(element) {
  return {
    drawMode: true,
    strokeColor: element.strokeColor,
    strokeWidth: element.strokeWidth,
    paths: element.points.map(([x, y]) => ({ x: element.x + x, y: element.y + y })),
  };
}
