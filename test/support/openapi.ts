import type { FastifyInstance } from 'fastify';
import { openDatabase } from '../../src/archive/database.ts';
import { silentLog } from './log.ts';
import { serverOn } from './server.ts';

/** What is served as `/openapi.json`. */
export function openapiText(): Promise<string> {
  return lookAt(async (app) => (await app.inject('/openapi.json')).body);
}

/** Every route that the server has, as `METHOD /path/{parameter}`; HEAD comes with GET. */
export function routes(): Promise<string[]> {
  return lookAt(async (app) => {
    await app.ready();
    const above: string[] = [];
    return app
      .printRoutes({ commonPrefix: false })
      .split('\n')
      .flatMap((line) => {
        const [, indent = '', part = '', methods = ''] = /^(.*?)[├└]── (\S+)(?: \((.+)\))?$/.exec(line) ?? [];
        above.splice(indent.length / 4, Infinity, part);
        const path = above.join('').replaceAll(/:(\w+)/g, '{$1}');
        return methods.split(', ').map((method) => `${method} ${path}`);
      })
      .filter((route) => /^(?!HEAD)[A-Z]/.test(route));
  });
}

/** No database is asked for what the server is. */
async function lookAt<Result>(look: (app: FastifyInstance) => Promise<Result>): Promise<Result> {
  const url = 'postgres://localhost:1/none';
  const database = openDatabase(url, silentLog);
  const app = serverOn(database, url);
  try {
    return await look(app);
  } finally {
    await app.close();
    await database.close();
  }
}
