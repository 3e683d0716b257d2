import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'rolldown';
import { runbookPage } from './runbook.ts';

/** In the order in which they are to apply. */
const STYLES = ['tokens', 'base', 'parts', 'calls', 'one-call', 'outcomes', 'health', 'runbook'];
const PAGE = new URL('../src/page/', import.meta.url);
const RUNBOOK = new URL('../docs/operations.md', import.meta.url);

/** Beside the script: the style, the icon, the two documents that name them, and each of these compressed. */
export function pageFiles(): Plugin {
  return {
    name: 'page-files',
    async generateBundle(_options, bundle) {
      const script = Object.values(bundle).find((file) => file.type === 'chunk' && file.isEntry)?.fileName;
      const files = new Map<string, string>();
      const hashed = (name: string, extension: string, text: string) => {
        const path = `assets/${name}-${hashOf(text)}.${extension}`;
        files.set(path, text);
        return `/${path}`;
      };
      const style = hashed('page', 'css', await styles());
      const icon = hashed('icon', 'svg', await readFile(new URL('icon.svg', PAGE), 'utf8'));
      const names = { script: `/${script}`, style, icon };
      files.set('index.html', fill(await readFile(new URL('index.html', PAGE), 'utf8'), names));
      const runbook = runbookPage(await readFile(RUNBOOK, 'utf8'));
      const frame = await readFile(new URL('runbook.html', PAGE), 'utf8');
      files.set('runbook.html', fill(frame, { ...names, ...runbook }));
      for (const [fileName, source] of files) this.emitFile({ type: 'asset', fileName, source });
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk') files.set(file.fileName, file.code);
      }
      for (const [name, text] of files) {
        for (const [suffix, source] of compressed(text)) {
          this.emitFile({ type: 'asset', fileName: name + suffix, source });
        }
      }
    },
  };
}

async function styles(): Promise<string> {
  const texts = STYLES.map((name) => readFile(new URL(`styles/${name}.css`, PAGE), 'utf8'));
  return (await Promise.all(texts)).map(withoutComments).join('');
}

function withoutComments(css: string): string {
  return css
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .trim();
}

/** Puts values in the place of `{{name}}`. */
function fill(html: string, values: Readonly<Record<string, string>>): string {
  return html.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}

function compressed(text: string): [suffix: string, bytes: Buffer][] {
  const bytes = Buffer.from(text);
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return [
    ['.br', brotliCompressSync(bytes, { params })],
    ['.gz', gzipSync(bytes, { level: 9 })],
  ];
}
