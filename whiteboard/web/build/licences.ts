/** The licences of everything that goes into the build, as one text beside it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const FONTS = `Fonts: Assistant, Cascadia Code, Excalifont, Liberation Sans, Lilita One, Nunito and Virgil are under the SIL Open Font License 1.1,
https://openfontlicense.org; Comic Shanns is under the MIT licence. They come with @excalidraw/excalidraw.
`;

/** The folder of the package that a module belongs to; null for our own. */
export function packageOf(module: string): string | null {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module.replace(/^\0/, ''));
  return match?.[1] ?? null;
}

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : '';
  return `${name as string} ${version as string} (${typeof license === 'string' ? license : 'see text'})\n\n${text}`.trim();
}

export function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const module of Object.keys(chunk.modules)) {
          const folder = packageOf(module);
          if (folder && existsSync(join(folder, 'package.json'))) folders.add(folder);
        }
      }
      const notices = [...folders].sort().map(notice);
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: [FONTS, ...notices].join(`\n${'-'.repeat(80)}\n`) });
    },
  };
}
