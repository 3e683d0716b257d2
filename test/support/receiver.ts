import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/** What an endpoint was told, verified by the library that receivers use. */
export interface Received {
  id: string;
  at: number;
  signature: string;
  headers: IncomingMessage['headers'];
  text: string;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
}

export type Answering = (received: Received, response: ServerResponse) => void;

export interface Receiver {
  url: string;
  /** All requests, the refused ones among them, whose signature was right. */
  received: Received[];
  /** Why requests were none of ours. */
  wrong: unknown[];
  /** How many are being answered, now and at most. */
  underWay: number;
  mostUnderWay: number;
  /** Of the endpoint; requests are verified from now on. */
  secret: string;
  answer: Answering;
  stop(): Promise<void>;
}

const OK: Answering = (_, response) => void response.writeHead(204).end();

/** A webhook's endpoint at this machine. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const server = createServer((request, response) => void take(request, response));
  const receiver: Receiver = {
    url: '',
    received: [],
    wrong: [],
    underWay: 0,
    mostUnderWay: 0,
    secret: '',
    answer: OK,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    receiver.underWay++;
    receiver.mostUnderWay = Math.max(receiver.mostUnderWay, receiver.underWay);
    response.once('close', () => receiver.underWay--);
    const text = (await buffer(request)).toString('utf8');
    try {
      const received = verified(receiver.secret, request.headers, text);
      receiver.received.push(received);
      receiver.answer(received, response);
    } catch (error) {
      receiver.wrong.push(error);
      response.writeHead(401).end();
    }
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return receiver;
}

function verified(secret: string, headers: IncomingMessage['headers'], text: string): Received {
  const signature = String(headers['webhook-signature']);
  const id = String(headers['webhook-id']);
  if (secret !== '') {
    new Webhook(secret).verify(text, {
      'webhook-id': id,
      'webhook-timestamp': String(headers['webhook-timestamp']),
      'webhook-signature': signature,
    });
  }
  return { id, at: Date.now(), signature, headers, text, body: JSON.parse(text) };
}
