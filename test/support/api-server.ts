import type { FastifyInstance } from 'fastify';
import { createPlacedCalls } from '../../src/api/drop-in/placed-calls.ts';
import { createFeedStream } from '../../src/api/feed-stream.ts';
import type { ServerOptions } from '../../src/api/server.ts';
import { createWaiting, type Waiting } from '../../src/api/waiting.ts';
import { type Database, openDatabase } from '../../src/archive/database.ts';
import { createNews } from '../../src/archive/news.ts';
import { createFeed } from '../../src/archive/read/feed.ts';
import { createReader } from '../../src/archive/read/reader.ts';
import { createRegistrar, type Registrar } from '../../src/archive/write/registrar.ts';
import { type ArchiveWriter, createWriter } from '../../src/archive/write/writer.ts';
import { silentLog as log } from './log.ts';
import { noMetrics } from './metrics.ts';
import { serverOn } from './server.ts';

/** The API on a database, without anything that follows calls: what PolyAI shows is told to `writer`. */
export interface ApiServer {
  app: FastifyInstance;
  database: Database;
  registrar: Registrar;
  writer: ArchiveWriter;
  waiting: Waiting;
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  url: string;
  /** Where its ears are; null for a server that is told of no news. */
  newsUrl?: string | null;
  checkEveryMs?: number;
  /** What is to be otherwise than with a server that knows every account and follows nothing. */
  options?: Partial<ServerOptions>;
}

export function startApiServer({
  url,
  newsUrl = url,
  checkEveryMs,
  options = {},
}: ApiServerOptions): ApiServer {
  const database = openDatabase(url, log);
  const { pool } = database;
  const registrar = createRegistrar(pool);
  const writer = createWriter({ pool, metrics: noMetrics, log });
  const reader = createReader(pool);
  const feed = createFeed(pool);
  const news = newsUrl === null ? null : createNews({ url: newsUrl, log });
  const waiting = createWaiting({
    reader,
    feed,
    news: news ?? { listen: () => {} },
    log,
    ...(checkEveryMs === undefined ? {} : { checkEveryMs }),
  });
  const placedCalls = createPlacedCalls({ registrar, report: writer.report, followSoon: () => {}, log });
  const stream = createFeedStream({ feed, news: news ?? { listen: () => {} }, log });
  const app = serverOn(database, url, { registrar, reader, feed, waiting, stream, placedCalls, ...options });
  return {
    app,
    database,
    registrar,
    writer,
    waiting,
    async stop() {
      await app.close();
      await news?.stop();
      await database.close();
    },
  };
}
