import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { buildConnector, Client, type Dispatcher, errors, Pool } from 'undici';
import type { ProxyServer } from '../network/proxies.ts';
import { tunnelled } from '../network/tunnel.ts';
import { type InterimAnswers, skipInterim } from './interim.ts';

/**
 * Requests that share a connection over HTTP/2. With one each, a poll takes twice the CPU: each connection reads and
 * writes for itself. With more, a connection that breaks takes more of them with it.
 */
const STREAMS = 16;

/** What sends requests: a connection of one's own, or a pool of them. */
export interface Sender {
  dispatch(request: OutgoingRequest, handler: Dispatcher.DispatchHandler): unknown;
}

/** A request on its way to PolyAI. */
export class OutgoingRequest implements Dispatcher.DispatchOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
  /** The connection that it was given to; null while it waits for one. */
  connection: Connection | null = null;
  /** How many requests that connection had answered then. */
  answeredBefore = 0;

  constructor(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    body: Buffer | null = null,
  ) {
    this.method = method;
    this.path = path;
    this.headers = headers;
    this.body = body;
  }
}

export interface ConnectionSettings {
  /** For a connection to come about, TLS included. */
  timeoutMs: number;
  /** HTTP/2 is spoken where the server offers it. */
  allowH2: boolean;
  /** By which the server is reached; without it: directly. */
  proxy?: ProxyServer | null;
}

/** What a connection is made of now. */
interface Held {
  socket: Socket | null;
  interim: InterimAnswers | null;
  /** Sets how many requests it takes at a time. */
  share: (requests: number) => void;
}

/**
 * One connection to PolyAI, which is made anew when it is lost. Over HTTP/1.1 one request is under way over it at a time,
 * over HTTP/2 as many as `streams` says, where it may.
 */
export class Connection extends Client {
  readonly #held: Held;
  #answered = 0;

  constructor(
    origin: string | URL,
    settings: ConnectionSettings,
    streams = 1,
    onConnect = (_isHttp2: boolean) => {},
  ) {
    const held: Held = { socket: null, interim: null, share: () => {} };
    const connect = connector(settings);
    super(origin, {
      allowH2: settings.allowH2,
      pipelining: streams,
      // Each answer has a time limit of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect(options, callback) {
        connect(options, (...[error, socket]: [Error, null] | [null, Socket]) => {
          if (error !== null) return callback(error, null);
          held.socket = socket;
          const isHttp2 = socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
          held.interim = isHttp2 ? null : skipInterim(socket);
          held.share(isHttp2 ? streams : 1);
          onConnect(isHttp2);
          callback(null, socket);
        });
      },
    });
    // undici would send requests one behind the other over HTTP/1.1, before the answer to the first.
    held.share = (requests) => {
      if (this.pipelining !== requests) this.pipelining = requests;
    };
    this.#held = held;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (options instanceof OutgoingRequest) {
      options.connection = this;
      options.answeredBefore = this.#answered;
    }
    // The answer before was read to its end: over HTTP/1.1 undici gives a connection no second request before that.
    this.#held.interim?.expect();
    return super.dispatch(options, handler);
  }

  /** A whole answer came over it. */
  answered(): void {
    this.#answered++;
  }

  /** Other requests may be under way over it. */
  get isShared(): boolean {
    return this.pipelining > 1;
  }

  /** It broke, with all that was under way over it. */
  get isBroken(): boolean {
    return this.#held.socket?.destroyed ?? false;
  }

  /**
   * A request that was sent over it has timed out. Where nothing was answered since, what it is connected by is closed: it
   * may be dead though nobody closed it, since a firewall forgot it, or the server behind it froze, and over HTTP/2 may
   * answer pings all the same. After a time-out over HTTP/2 undici goes on sending requests into the silence. The error
   * is of undici's own: at another, or at none, 7.30.2 throws or fails what waits for the next connection
   * (lib/dispatcher/client-h2.js, client.js).
   */
  timedOut({ answeredBefore }: OutgoingRequest): void {
    if (this.#answered > answeredBefore) return;
    this.#held.socket?.destroy(new errors.SocketError('left after a time-out'));
  }
}

/** Makes what a request goes over. Through a proxy there are two time limits: to the server, and for TLS with it. */
function connector({ timeoutMs, allowH2, proxy = null }: ConnectionSettings): buildConnector.connector {
  const direct = buildConnector({ timeout: timeoutMs, allowH2 });
  return proxy === null ? direct : tunnelled(proxy, direct, timeoutMs);
}

/**
 * So many requests at a time. It is always in one of these states:
 *
 * - unknown: each request has a connection of its own;
 * - shared: the server was found to speak HTTP/2, and requests share connections;
 * - apart: it was found to speak HTTP/1.1 again, and each request has a connection of its own, for good. Where some servers
 *   of one name speak HTTP/2 and some do not, connections would else be given up and made all the time.
 *
 * Each connection is made when those before it have no room.
 */
export class ConnectionPool implements Sender {
  readonly #origin: string;
  readonly #atOnce: number;
  readonly #settings: ConnectionSettings;
  #state: 'unknown' | 'shared' | 'apart' = 'unknown';
  /** The last takes requests. Those before it end once what is under way over them is answered. */
  readonly #pools: [Pool, ...Pool[]];

  constructor(origin: string, atOnce: number, settings: ConnectionSettings) {
    this.#origin = origin;
    this.#atOnce = atOnce;
    this.#settings = settings;
    this.#pools = [this.#poolOf(1)];
  }

  dispatch(request: OutgoingRequest, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch(request, handler);
  }

  /** Breaks off what is under way. */
  async destroy(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  get #pool(): Pool {
    return this.#pools.at(-1) ?? this.#pools[0];
  }

  #poolOf(streams: number): Pool {
    return new Pool(this.#origin, {
      connections: Math.ceil(this.#atOnce / streams),
      factory: (url) => new Connection(url, this.#settings, streams, (isHttp2) => this.#speaks(isHttp2)),
    });
  }

  #speaks(isHttp2: boolean): void {
    if (this.#state === 'unknown' && isHttp2) this.#become('shared', STREAMS);
    else if (this.#state === 'shared' && !isHttp2) this.#become('apart', 1);
  }

  #become(state: 'shared' | 'apart', streams: number): void {
    const before = this.#pool;
    this.#state = state;
    this.#pools.push(this.#poolOf(streams));
    void before.close();
  }
}
