import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';

/** A proxy that makes tunnels (CONNECT), for those who bring the login that it asks for. */
export interface HttpProxy {
  /** With the login in it. */
  url: string;
  port: number;
  /** What was asked for, as `host:port`, whether or not it was given. */
  asked: string[];
  /** Tunnels that are open. */
  open(): number;
  /** From now on every CONNECT is answered with this; null: as it should be. 0: never. Tunnels that are open are cut. */
  answer(status: number | null): void;
  stop(): Promise<void>;
}

/** `hosts`: the names that it knows, each with the port at this machine where it leads to. */
export async function startHttpProxy({
  username,
  password,
  hosts = {},
}: {
  username: string;
  password: string;
  hosts?: Readonly<Record<string, number>>;
}): Promise<HttpProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  let tunnels = 0;
  let status: number | null = null;
  const login = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', ({ url = '', headers }, near: Socket, head: Buffer) => {
    asked.push(url);
    near.on('error', () => {});
    const refusal = status ?? (headers['proxy-authorization'] === login ? null : 407);
    if (refusal === 0) return;
    if (refusal !== null) return near.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
    const [, host = '', port] = /^(.*):(\d+)$/.exec(url) ?? [];
    const far = connect(hosts[host] ?? Number(port), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connected\r\n\r\n');
      far.write(head);
      far.pipe(near).pipe(far);
    });
    tunnels++;
    far.on('error', () => near.destroy());
    near.on('close', () => far.destroy());
    far.on('close', () => {
      near.destroy();
      tunnels--;
    });
  });
  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const { port } = address;
  return {
    url: `http://${encodeURIComponent(username)}:${encodeURIComponent(password)}@127.0.0.1:${port}`,
    port,
    asked,
    open: () => tunnels,
    answer(next) {
      status = next;
      cut();
    },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      cut();
      await closed;
    },
  };
}
