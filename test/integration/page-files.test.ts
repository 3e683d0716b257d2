import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readApiKeys } from '../../src/api/door/api-keys.ts';
import { loadPage } from '../../src/api/page-files.ts';
import { buildIn } from '../support/build.ts';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { serverOn } from '../support/server.ts';

const MOST_BYTES = 120_000;

let folder: string;
let database: OpenDatabase;
let app: FastifyInstance;
let bare: FastifyInstance;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-page-files-'));
  const main = await buildIn(folder);
  database = await openTestDatabase();
  const page = await loadPage(pathToFileURL(`${dirname(main)}/page/`));
  const apiKeys = readApiKeys('bi:read:the-key-that-may-read', []);
  app = serverOn(database, database.url, { page, apiKeys });
  bare = serverOn(database, database.url, { page: await loadPage(pathToFileURL(`${folder}/nowhere/`)) });
});

afterAll(async () => {
  await app.close();
  await bare.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

async function assets(): Promise<string[]> {
  const { body } = await get('/');
  return [...body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
}

describe('the page', () => {
  it('is open, and asked for anew each time, at the cost of a header', async () => {
    const answer = await get('/');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
    });
    const again = await get('/', { 'if-none-match': `${answer.headers.etag}` });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it('lets run nothing but its own script, and makes no HTML of text', async () => {
    const policy = `${(await get('/')).headers['content-security-policy']}`.split(';').sort();
    expect(policy).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
      "trusted-types 'none'",
    ]);
  });

  it('has assets that are kept for good, since their names change with them', async () => {
    const paths = await assets();
    expect(paths.map((path) => path.replace(/-[\w-]{8}\./, '.')).sort()).toEqual([
      '/assets/icon.svg',
      '/assets/main.js',
      '/assets/page.css',
    ]);
    for (const path of paths) {
      const { statusCode, headers } = await get(path);
      expect([path, statusCode, headers['cache-control']]).toEqual([
        path,
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
  });

  it('is sent compressed to whoever takes that, in all less than 120 KB', async () => {
    let bytes = 0;
    for (const path of ['/', ...(await assets())]) {
      const plain = await get(path);
      const br = await get(path, { 'accept-encoding': 'gzip, deflate, br' });
      const gz = await get(path, { 'accept-encoding': 'gzip, br;q=0' });
      expect([br.headers['content-encoding'], gz.headers['content-encoding']]).toEqual(['br', 'gzip']);
      expect(brotliDecompressSync(br.rawPayload).equals(plain.rawPayload)).toBe(true);
      expect(gunzipSync(gz.rawPayload).equals(plain.rawPayload)).toBe(true);
      bytes += br.rawPayload.length;
    }
    expect(bytes).toBeLessThan(MOST_BYTES);
  });

  it('is not there where it was not built, and the API is', async () => {
    expect((await bare.inject('/')).json()).toMatchObject({ code: 'route_not_found' });
    expect((await bare.inject('/v1/about')).statusCode).toBe(200);
  });
});

describe('what the page asks first', () => {
  it('is who asks', async () => {
    expect((await get('/v1/about')).statusCode).toBe(401);
    const about = await get('/v1/about', { authorization: 'Bearer the-key-that-may-read' });
    expect(about.json()).toMatchObject({ key: { name: 'bi', scope: 'read' } });
    expect((await bare.inject('/v1/about')).json()).toMatchObject({ key: null });
  });

  it('is how all is, with a read key', async () => {
    expect((await get('/v1/health')).statusCode).toBe(401);
    const health = await get('/v1/health', { authorization: 'Bearer the-key-that-may-read' });
    expect(health.json()).toMatchObject({ archive: { state: 'up' } });
  });
});
