import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { codeOf } from '../words.ts';

/** A file of the page, as it is sent. */
export interface PageFile {
  /** Its address, e.g. `/assets/main-Bq3.js`. */
  path: string;
  type: string;
  /** Its name changes with its content, so that a browser may keep it for good. */
  isHashed: boolean;
  /** Of the content, whatever it is compressed by. */
  etag: string;
  /** Empty: as it is. */
  bodies: ReadonlyMap<Encoding | '', Buffer>;
}

export type Encoding = 'br' | 'gzip';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const SUFFIXES: readonly [Encoding, string][] = [
  ['br', '.br'],
  ['gzip', '.gz'],
];
const ADDRESSES: Readonly<Record<string, string>> = { 'index.html': '/', 'runbook.html': '/runbook' };

/** Reads what the build has made of the page: a few files, kept in memory. None where it was not built. */
export async function loadPage(folder: URL): Promise<PageFile[]> {
  const names = await readdir(folder, { recursive: true }).catch(refuseAllButMissing);
  const own = names.filter((name) => (TYPES[extensionOf(name)] ?? '') !== '');
  return Promise.all(own.map((name) => loadFile(folder, name, names)));
}

async function loadFile(folder: URL, name: string, names: readonly string[]): Promise<PageFile> {
  const body = await readFile(new URL(name, folder));
  const compressed = SUFFIXES.filter(([, suffix]) => names.includes(name + suffix)).map(
    async ([encoding, suffix]) => [encoding, await readFile(new URL(name + suffix, folder))] as const,
  );
  return {
    path: ADDRESSES[name] ?? `/${name}`,
    type: TYPES[extensionOf(name)] ?? '',
    isHashed: name.startsWith('assets/'),
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 20)}"`,
    bodies: new Map([['', body], ...(await Promise.all(compressed))]),
  };
}

function extensionOf(name: string): string {
  return /\.(\w+)$/.exec(name)?.[1] ?? '';
}

function refuseAllButMissing(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return [];
  throw error;
}
