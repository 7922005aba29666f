// Puts the canvas' fonts into dist and makes compressed copies of everything that gets smaller by it.
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const FONTS = 'node_modules/@excalidraw/excalidraw/dist/prod/fonts';
// Xiaolai has 209 files, 12.7 MB: Chinese letters come from the person's own system. Assistant is the pages' font, and in assets.
cpSync(FONTS, 'dist/assets/fonts', { recursive: true, filter: (path) => !/Xiaolai|Assistant/.test(path) });
rmSync('dist/assets/fonts/fonts.css', { force: true });

let [raw, brotli] = [0, 0];
for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || entry.name === '.gitignore' || /\.(br|gz)$/.test(entry.name)) continue;
  raw += statSync(path).size;
  if (!/\.(html|js|css|json|svg|txt)$/.test(entry.name)) {
    brotli += statSync(path).size;
    continue;
  }
  const text = readFileSync(path);
  const small = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length } });
  brotli += small.length;
  writeFileSync(`${path}.br`, small);
  writeFileSync(`${path}.gz`, gzipSync(text, { level: 9 }));
}
console.log(`dist: ${Math.round(raw / 1000)} kB, compressed ${Math.round(brotli / 1000)} kB`);
