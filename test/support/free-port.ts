import { isFree } from '../../src/embedded-postgres/port.ts';

/**
 * Below what Linux (32768) and others (49152) give to the near ends of connections: a port from there can be taken by
 * any connection of the machine before its server is started, or while that is stopped. A member of a Redis Cluster
 * takes the port 10,000 above its own besides, so these end where those begin.
 */
const FIRST = 10_000;
const COUNT = 10_000;
/** Processes that run beside each other begin apart, as many ports as hardly any of them takes. */
const APART = 97;

let taken = process.pid * APART;

/** A port that nothing listens at, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    taken += 1;
    const port = FIRST + (taken % COUNT);
    if (await isFree(port)) return port;
  }
}
