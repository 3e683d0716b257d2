import type { RateReport } from '../../src/accounts/rate.ts';
import { createRateLimit, type RateLimit } from '../../src/accounts/rate-limit.ts';
import type { RateExchange } from '../../src/accounts/rate-sharing.ts';
import { backoffDelay, Newcomers, nextPollDelay, type PaceSettings } from '../../src/call/pace.ts';
import { seededRandom } from '../../src/simulator/random.ts';
import type { Limiter } from './limiters.ts';
import { silentLog } from './log.ts';
import { VirtualTime } from './virtual-time.ts';

export interface SimulationOptions {
  /** Of each process. */
  calls: readonly number[];
  /** PolyAI's. */
  limiter: Limiter;
  /** The configured rate. */
  max?: number | null;
  /** 3.5 s from poll to poll on average, unless another is given. */
  pace?: PaceSettings;
  seed?: number;
}

/** What happened in some seconds. */
export interface Figures {
  acceptedPerSecond: number;
  /** Of all requests. */
  refusedShare: number;
  /** From one accepted poll of a call to its next. */
  meanIntervalMs: number;
  slowestIntervalMs: number;
  /** From one poll of a call to its next, whatever is answered; that which is still to come counts, too. */
  longestGapMs: number;
}

interface Poll {
  at: number;
  isAccepted: boolean;
  /** Since the accepted one before; null where there was none. */
  intervalMs: number | null;
  /** Since the one before, or since the call came. */
  gapMs: number;
}

/** 3.5 s on average, so that 350 calls ask for 100 polls per second. */
const PACE: PaceSettings = { intervalMinMs: 2_000, intervalMaxMs: 5_000, backoffMaxMs: 60_000 };
/** A status that is not young any more. */
const OLD_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Calls that never end, polled as followers do by processes with a rate limit each, in simulated time. */
export class RateSimulation {
  readonly polls: Poll[] = [];
  readonly limits: RateLimit[] = [];
  readonly #time = new VirtualTime();
  readonly #limiter: Limiter;
  readonly #pace: PaceSettings;
  readonly #random: () => number;
  /** When each call was last asked for. */
  readonly #askedAt: number[] = [];
  readonly #reports = new Map<string, RateReport>();

  private constructor({ limiter, pace = PACE, seed = 1 }: SimulationOptions) {
    this.#limiter = limiter;
    this.#pace = pace;
    this.#random = seededRandom(seed);
  }

  static async start(options: SimulationOptions): Promise<RateSimulation> {
    const simulation = new RateSimulation(options);
    const exchange = options.calls.length > 1 ? simulation.#exchange() : null;
    for (const calls of options.calls) {
      const limit = simulation.#open(exchange, options.max ?? null);
      const newcomers = new Newcomers(simulation.#random);
      for (let n = 0; n < calls; n++) simulation.#follow(limit, newcomers);
      // No two processes tick at the same time.
      await simulation.#time.pass(Math.ceil(500 * simulation.#random()));
    }
    return simulation;
  }

  /** Lets the time pass until so many seconds after the start, and tells what happened meanwhile. */
  async until(seconds: number): Promise<Figures> {
    const from = this.#time.now;
    await this.#time.pass(seconds * 1_000 - from);
    return this.#figures(from, this.#time.now);
  }

  stop(): void {
    for (const limit of this.limits) limit.stop();
  }

  #figures(fromMs: number, untilMs: number): Figures {
    const polls = this.polls.filter(({ at }) => at >= fromMs && at < untilMs);
    const accepted = polls.filter(({ isAccepted }) => isAccepted);
    const intervals = accepted.map(({ intervalMs }) => intervalMs).filter((ms) => ms !== null);
    return {
      acceptedPerSecond: (accepted.length * 1_000) / (untilMs - fromMs),
      refusedShare: polls.length === 0 ? 0 : 1 - accepted.length / polls.length,
      meanIntervalMs: intervals.reduce((sum, ms) => sum + ms, 0) / intervals.length,
      slowestIntervalMs: longest(intervals),
      longestGapMs: Math.max(
        longest(polls.map(({ gapMs }) => gapMs)),
        longest(this.#askedAt.map((at) => untilMs - at)),
      ),
    };
  }

  #open(exchange: RateExchange | null, max: number | null): RateLimit {
    const clock = { monotonic: () => this.#time.now };
    const limit = createRateLimit({ account: 'acme', max, exchange, clock, log: silentLog });
    this.limits.push(limit);
    return limit;
  }

  /** As Redis, which takes 5 to 50 ms. */
  #exchange(): RateExchange {
    return {
      exchange: (_account, report) =>
        new Promise((resolve) => {
          this.#time.at(this.#time.now + 5 + 45 * this.#random(), () => {
            this.#reports.set(report.process, report);
            resolve([...this.#reports.values()].filter(({ process }) => process !== report.process));
          });
        }),
    };
  }

  /** As `OneLease` polls: a poll that was refused once keeps its place. PolyAI takes 20 to 80 ms to answer. */
  #follow(limit: RateLimit, newcomers: Newcomers): void {
    const time = this.#time;
    const random = this.#random;
    const pace = this.#pace;
    const call = this.#askedAt.push(time.now) - 1;
    const { signal } = new AbortController();
    let lastAcceptedAt: number | null = null;
    let failures = 0;
    let place = 0;

    const pollAt = (dueAt: number) =>
      time.at(dueAt, () => {
        if (failures !== 1) place = dueAt;
        void limit.slot(place, NEVER, signal).then((hasSlot) => hasSlot && ask());
      });
    const ask = () => {
      const askedAt = time.now;
      const gapMs = askedAt - (this.#askedAt[call] ?? 0);
      this.#askedAt[call] = askedAt;
      const answerMs = 20 + 60 * random();
      time.at(askedAt + answerMs / 2, () => {
        const isAccepted = this.#limiter.allows(time.now);
        const retryAfterMs = isAccepted ? null : this.#limiter.retryAfterMs(time.now);
        const intervalMs = lastAcceptedAt === null ? null : askedAt - lastAcceptedAt;
        this.polls.push({ at: askedAt, isAccepted, intervalMs, gapMs });
        if (isAccepted) lastAcceptedAt = askedAt;
        time.at(askedAt + answerMs, () => (isAccepted ? accepted(askedAt) : refused(askedAt, retryAfterMs)));
      });
    };
    const accepted = (askedAt: number) => {
      limit.accepted(askedAt);
      failures = 0;
      const dueAt = askedAt + nextPollDelay(OLD_MS, pace, random);
      pollAt(Math.max(dueAt, time.now + pace.intervalMinMs));
    };
    const refused = (askedAt: number, retryAfterMs: number | null) => {
      limit.tooMany(retryAfterMs, askedAt);
      pollAt(time.now + backoffDelay(++failures, retryAfterMs, pace, random));
    };

    pollAt(time.now + newcomers.firstPollDelay(time.now, pace));
  }
}

function longest(times: readonly number[]): number {
  return times.reduce((most, ms) => Math.max(most, ms), 0);
}
