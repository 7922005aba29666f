import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { licences } from './build/licences';

/** Languages of the canvas that we have words for too; the others stay out of the build. */
const LOCALES = /\/locales\/(?!(?:en|de-DE|it-IT)-)[a-z]{2,3}(?:-[A-Za-z]+)?-[A-Z0-9]+\.js$/;

/** The canvas' second source of fonts is a host of somebody else: nobody is asked but us. */
const OTHER_HOST = /\w\.push\(new URL\(\w,\w+\.ASSETS_FALLBACK_URL\)\),/;

function canvas(): Plugin {
  let cut = 0;
  return {
    name: 'canvas',
    enforce: 'pre',
    resolveId(id) {
      // Pasted Mermaid text stays text: its library weighs as much as half of everything else.
      return id === '@excalidraw/mermaid-to-excalidraw' ? '\0mermaid' : null;
    },
    load(id) {
      if (id === '\0mermaid') return 'export async function parseMermaidToExcalidraw() { throw new Error("not part of this build"); }';
      return LOCALES.test(id) ? 'export default {};' : null;
    },
    transform(code, id) {
      if (!id.includes('@excalidraw/excalidraw/dist/prod/') || !code.includes('ASSETS_FALLBACK_URL')) return null;
      const clean = code.replace(OTHER_HOST, () => {
        cut++;
        return '';
      });
      return { code: clean, map: null };
    },
    buildEnd(error) {
      if (!error && cut !== 1) this.error(`the canvas' second source of fonts was found ${cut} times; look at createUrls in its new version`);
    },
  };
}

/** What the sources of this build are called: a page compares it with the server's. */
function build(): string {
  const hash = createHash('sha256');
  const files = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, 'package-lock.json', 'vite.config.ts']) hash.update(file).update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}

const name = build();

export default defineConfig({
  define: { __BUILD__: JSON.stringify(name) },
  plugins: [
    canvas(),
    licences(),
    {
      name: 'build-name',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'client.json', source: `{"build":"${name}"}\n` });
      },
    },
  ],
  build: {
    target: 'es2022',
    emptyOutDir: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      onLog: (level, log, handle) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
      },
      input: { index: 'index.html', board: 'board.html' },
      output: {
        codeSplitting: {
          // Without a chunk of their own the worker that cuts fonts would pull the whole page in, and die of it.
          groups: [{ name: 'shared', test: /chunk-(SRAX5OIU|ZUYEQ4TG)/ }],
        },
      },
    },
  },
});
