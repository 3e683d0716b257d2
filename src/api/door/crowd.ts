import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { CountRefusal } from './count-refusal.ts';
import { Episode } from './episode.ts';

/** A request comes at once: where there is no room, one that is not whole after so long makes some. */
const WHOLE_WITHIN_MS = 2_000;
const MAKE_ROOM_EVERY_MS = 1_000;
const QUIET_MS = 10_000;
const LOOK_EVERY_MS = 60_000;
/** A client may take so long for one answer, an export above all. */
const LONGEST_ANSWER_MS = 60 * 60_000;

interface CrowdOptions {
  /** Connections that may be open at a time. Infinity: as many as the operating system lets the process have. */
  atMost: number;
  count: CountRefusal;
}

interface Connection {
  /** The one that is being answered, which may still be coming in; null between two. */
  request: IncomingMessage | null;
  /** Since when the next request, or the rest of this one, may come. */
  since: number;
  /** Since when some of an answer has been waiting for the client to read; null where nothing is. */
  unreadSince: number | null;
}

/**
 * Bounds the connections of a server, so that the process keeps room for its own: without a free file descriptor it
 * reaches neither PolyAI nor Postgres. Where there is no room, the next client is refused, and connections that do
 * nothing make room for those to come: the ones between two requests, and the ones that have sent nothing, or half of a
 * request. So a crowd of them does not keep out whoever asks how the process is.
 */
export function boundConnections(app: FastifyInstance, { atMost, count }: CrowdOptions): void {
  const { server, log } = app;
  const connections = new Map<Socket, Connection>();
  let madeRoomAt = Number.NEGATIVE_INFINITY;
  const refusals = new Episode({
    quietMs: QUIET_MS,
    onBegin: () => log.warn({ open: connections.size }, 'connections are refused: no more may be open'),
    onEnd: (refused) => log.info({ refused }, 'connections are taken again'),
  });

  function refused(): void {
    count('connections');
    refusals.happened();
    const now = performance.now();
    if (now - madeRoomAt < MAKE_ROOM_EVERY_MS) return;
    madeRoomAt = now;
    server.closeIdleConnections();
    endUnfinished(connections, now);
  }

  server.maxConnections = atMost;
  server.on('drop', refused);
  // No file descriptor was left for a connection that is there. Without a listener this would end the process.
  server.on('error', () => server.listening && refused());
  server.on('connection', (socket) => {
    connections.set(socket, { request: null, since: performance.now(), unreadSince: null });
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', (request, response) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) return;
    Object.assign(connection, { request, since: performance.now() });
    response.once('close', () => {
      connection.request = null;
      connection.since = performance.now();
    });
  });
  const looking = setInterval(() => endSlowReaders(connections, performance.now()), LOOK_EVERY_MS).unref();
  app.addHook('onClose', async () => clearInterval(looking));
}

function endUnfinished(connections: ReadonlyMap<Socket, Connection>, now: number): void {
  for (const [socket, { request, since }] of connections) {
    if (request?.complete !== true && now - since >= WHOLE_WITHIN_MS) socket.destroy();
  }
}

/** A connection's time-out begins anew with each byte, so that a client could take an answer byte by byte for ever. */
function endSlowReaders(connections: ReadonlyMap<Socket, Connection>, now: number): void {
  for (const [socket, connection] of connections) {
    connection.unreadSince = socket.writableLength === 0 ? null : (connection.unreadSince ?? now);
    if (now - (connection.unreadSince ?? now) >= LONGEST_ANSWER_MS) socket.destroy();
  }
}
