import { connect, createServer, type Socket } from 'node:net';

/** A way to a server that can be cut and mended: the server is away without being ended. */
export interface TcpProxy {
  /** The server's URL, by this way. */
  url: string;
  /** Cuts what is open, and refuses what is new. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Leads new connections to another server; those that are open stay where they are, as after a failover. */
  leadTo(serverUrl: string): void;
  close(): Promise<void>;
}

export async function tcpProxy(serverUrl: string): Promise<TcpProxy> {
  let target = new URL(serverUrl);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.pipe(other);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });

  async function listen(port: number): Promise<void> {
    await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  }

  async function cut(): Promise<void> {
    const closed = new Promise((done) => server.close(done));
    for (const socket of open) socket.destroy();
    await closed;
  }

  await listen(0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const { port } = address;
  const url = Object.assign(new URL(serverUrl), { hostname: '127.0.0.1', port: `${port}` }).href;
  return {
    url,
    cut,
    mend: () => listen(port),
    leadTo(serverUrl) {
      target = new URL(serverUrl);
    },
    close: () => (server.listening ? cut() : Promise.resolve()),
  };
}
