import { openDatabase } from '../archive/database.ts';
import { newsTeller } from '../archive/news.ts';
import { systemClock as clock } from '../clock.ts';
import { takeReplaySteps } from '../push/replays.ts';
import { createSender } from '../push/sender.ts';
import { createDeliveryRetention } from '../upkeep/deliveries.ts';
import { createRounds } from '../upkeep/rounds.ts';
import { type Common, unlessHung } from './common.ts';
import { isPooled } from './postgres.ts';

/** Of what delivers: it takes none of the connections of what follows calls. */
const CONNECTIONS = 3;
const RETENTION_EVERY_MS = 300_000;
const REPLAY_EVERY_MS = 1_000;

/** Delivers what waits. Without a root nothing can be signed, and where there is no webhook nothing waits. */
export function startDelivering(common: Common): void {
  const { postgres, direct, news, push, metrics, log, running } = common;
  const retention = createDeliveryRetention({
    pool: direct.pool,
    everyMs: RETENTION_EVERY_MS,
    clock,
    log,
  });
  retention.start();
  running.defer(() => unlessHung(retention.stop()));
  const { secrets, archive, poster } = push;
  if (secrets === null) return;
  const { pool, close } = openDatabase(postgres.pooled, log, {
    max: CONNECTIONS,
    isPooled: isPooled(postgres),
  });
  running.defer(() => unlessHung(close()));
  const wake = newsTeller(pool, log, 'deliveries');
  const replays = createRounds({
    name: 'replays to webhooks',
    work: (signal) => takeReplaySteps(pool, wake, signal),
    everyMs: REPLAY_EVERY_MS,
    clock,
    log,
  });
  replays.start();
  running.defer(() => unlessHung(replays.stop()));
  const sender = createSender({ pool, news, archive, secrets, poster, metrics: metrics.pushes, log });
  sender.start();
  running.defer(() => sender.stop());
}
