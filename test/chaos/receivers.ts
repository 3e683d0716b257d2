import { setTimeout as sleep } from 'node:timers/promises';
import { Value } from 'typebox/value';
import { ShownWebhookJson } from '../../src/api/webhook-schemas.ts';
import { client } from '../support/client.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import type { ToldEvidence } from './evidence.ts';

/** How an endpoint behaves until all is calm. */
export type ReceiverManner =
  /** Nobody listens before `until`. */
  | { kind: 'dead'; until: number }
  /** Such a part of the answers is 500. */
  | { kind: 'failing'; part: number }
  /** Each answer takes up to so long. */
  | { kind: 'slow'; upToMs: number };

/** Endpoints that are told of everything, and what came to them. */
export interface ChaosReceivers {
  /** From now on all answer well. */
  calm(): void;
  told(): ToldEvidence[];
  stop(): Promise<void>;
}

/** Makes a webhook at each. One that is dead at first keeps its port for when it comes. */
export async function startReceivers(
  manners: readonly ReceiverManner[],
  apiUrl: string,
  random: () => number,
  until: (at: number) => Promise<void>,
): Promise<ChaosReceivers> {
  const endpoints = await Promise.all(manners.map((manner) => startEndpoint(manner, apiUrl, random, until)));
  return {
    calm() {
      for (const endpoint of endpoints) endpoint.calm();
    },
    told: () => endpoints.map((endpoint) => endpoint.told()),
    stop: async () => void (await Promise.all(endpoints.map((endpoint) => endpoint.stop()))),
  };
}

async function startEndpoint(
  manner: ReceiverManner,
  apiUrl: string,
  random: () => number,
  until: (at: number) => Promise<void>,
) {
  const accepted: ToldEvidence['accepted'] = [];
  let isCalm = false;
  let receiver = await startReceiver();
  const { url } = receiver;
  const settings = { url, events: ['call.settled', 'call.transition'] };
  const { body } = await client(apiUrl).post('/v1/webhooks', settings);
  const { secret } = Value.Parse(ShownWebhookJson, body);

  function listenAt(started: Receiver): void {
    receiver = started;
    receiver.secret = secret;
    receiver.answer = ({ id, body }, response) => {
      if (!isCalm && manner.kind === 'failing' && random() < manner.part) {
        response.writeHead(500).end();
        return;
      }
      const waitMs = !isCalm && manner.kind === 'slow' ? random() * manner.upToMs : 0;
      setTimeout(() => {
        accepted.push({ id, type: body.type, timestamp: body.timestamp, data: body.data });
        response.writeHead(204).end();
      }, waitMs);
    };
  }

  if (manner.kind === 'dead') {
    await receiver.stop();
    void until(manner.until).then(async () => listenAt(await startReceiver(Number(new URL(url).port))));
  } else listenAt(receiver);

  return {
    calm: () => {
      isCalm = true;
    },
    told: (): ToldEvidence => ({
      receiver: manner.kind,
      accepted,
      wrong: receiver.wrong.map(String),
    }),
    stop: () => receiver.stop().catch(() => sleep(0)),
  };
}
