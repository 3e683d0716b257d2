import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { type Clock, systemClock } from '../clock.ts';
import type { RateReport } from './rate.ts';
import type { RateExchange } from './rate-sharing.ts';

interface RateExchangeOptions {
  /** Without an offline queue: a report that waited for Redis to be back would tell of the past. */
  redis: Redis | Cluster;
  /** First part of every key in Redis. */
  prefix: string;
  clock?: Pick<Clock, 'monotonic'>;
}

const Count = Type.Integer({ minimum: 0 });
const Rate = Type.Number({ exclusiveMinimum: 0 });
const Report = Type.Object({
  process: Type.String(),
  seq: Count,
  waiting: Count,
  asked: Count,
  accepted: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
  cuts: Count,
  good: Rate,
  low: Rate,
  backMs: Type.Number({ minimum: 0 }),
  grownMs: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
  holdMs: Type.Number({ minimum: 0 }),
});

/** A process's field in the hash. */
interface Seen {
  /** null where the field holds no report. */
  seq: number | null;
  /** When `seq` was first seen so, in milliseconds of `clock.monotonic()`. */
  at: number;
}

/** A process whose `seq` has stood still for so long is taken to be dead. */
const ALIVE_MS = 5_000;
/** After so long the field of a dead process is deleted. */
const FORGET_MS = 60_000;
/** The hash itself goes once no process has written to it for so long. */
const KEY_TTL_MS = 60_000;

/**
 * How processes tell each other of an account's rate: one Redis hash per account, with a field for each process, which
 * holds its last report. A process that was stopped or killed is known by its `seq`, which stands still. No times are
 * compared, since the clocks of two machines differ.
 */
export function createRateExchange({
  redis,
  prefix,
  clock = systemClock,
}: RateExchangeOptions): RateExchange {
  const seenByAccount = new Map<string, Map<string, Seen>>();

  function seenOf(account: string): Map<string, Seen> {
    const seen = seenByAccount.get(account) ?? new Map<string, Seen>();
    seenByAccount.set(account, seen);
    return seen;
  }

  return {
    async exchange(account, report) {
      const seen = seenOf(account);
      const now = clock.monotonic();
      const key = `${prefix}:rate:${account}`;
      const old = [...seen].filter(([, { at }]) => now - at >= FORGET_MS).map(([process]) => process);
      const pipeline = redis
        .pipeline()
        .hset(key, report.process, JSON.stringify(report))
        .pexpire(key, KEY_TTL_MS);
      if (old.length > 0) pipeline.hdel(key, ...old);
      const fields = await fieldsOf(pipeline.hgetall(key));
      fields.delete(report.process);
      return alive(fields, seen, clock.monotonic());
    },
  };
}

/** What the last command of the pipeline, HGETALL, answered. Rejects where any of its commands failed. */
async function fieldsOf(pipeline: ChainableCommander): Promise<Map<string, unknown>> {
  const answers = (await pipeline.exec()) ?? [];
  for (const [error] of answers) if (error !== null) throw error;
  return new Map(Object.entries(answers.at(-1)?.[1] ?? {}));
}

/** The reports of processes that are alive at `now`. Keeps `seen` up to date. */
function alive(fields: ReadonlyMap<string, unknown>, seen: Map<string, Seen>, now: number): RateReport[] {
  for (const process of seen.keys()) if (!fields.has(process)) seen.delete(process);
  const reports: RateReport[] = [];
  for (const [process, text] of fields) {
    const report = parseReport(text);
    const seq = report?.seq ?? null;
    const last = seen.get(process);
    const at = last?.seq === seq ? last.at : now;
    seen.set(process, { seq, at });
    if (report !== null && now - at < ALIVE_MS) reports.push({ ...report, process });
  }
  return reports;
}

function parseReport(text: unknown): Static<typeof Report> | null {
  try {
    const report: unknown = JSON.parse(`${text}`);
    return Value.Check(Report, report) ? report : null;
  } catch {
    return null;
  }
}
