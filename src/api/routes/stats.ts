import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { StatsTooSlowError, TooManyRowsError, TooManyStatsError } from '../../archive/errors.ts';
import { BUCKETS } from '../../archive/read/buckets.ts';
import { type ArchiveStats, MAX_STATS_ROWS } from '../../archive/read/statistics.ts';
import type { StatsQuestion, StatsRow } from '../../archive/read/stats-question.ts';
import { OUTCOMES } from '../../call/call.ts';
import { FIRST_TIME, STORABLE_CHARACTER } from '../../call/limits.ts';
import { EXAMPLE_STATS } from '../examples.ts';
import { filterOf, filterOptions, scopeFields } from '../filter.ts';
import { problem } from '../problems.ts';
import { Nullable, Time } from '../schemas.ts';

export interface StatsRoutesOptions {
  stats: ArchiveStats;
}

const StatsQuery = Type.Object(
  {
    ...scopeFields,
    bucket: Type.Enum([...BUCKETS], {
      type: 'string',
      default: 'day',
      description: 'How long each part of the time is; a week begins on Monday.',
    }),
    timezone: Type.String({
      default: 'UTC',
      description: 'Where hours, days, weeks and months begin: UTC or an IANA name.',
      examples: ['Europe/London'],
    }),
    groupBy: Type.Optional(
      Type.String({
        pattern: `^(account|reason|metadata\\.${STORABLE_CHARACTER}+)$`,
        description:
          'Apart for each `account`, each `reason` that PolyAI gave, or each value of `metadata.KEY`.',
        examples: ['metadata.campaign'],
      }),
    ),
    seconds: Type.Boolean({
      default: true,
      description: 'false: all `seconds` are null, and the answer sooner there where calls are asked.',
    }),
  },
  filterOptions,
);

const PercentilesJson = Nullable(Type.Object({ p50: Type.Number(), p90: Type.Number(), p99: Type.Number() }));

const StatsJson = Type.Object(
  {
    timezone: Type.String(),
    bucket: Type.Enum([...BUCKETS]),
    percentiles: Type.Enum(['exact', 'within 1 %'], {
      type: 'string',
      description:
        'How far percentiles may be from those of the calls; `within 1 %` where they come from rollups. Counts are exact.',
    }),
    data: Type.Array(
      Type.Object({
        bucket: Time,
        group: Nullable(Type.String()),
        calls: Type.Integer(),
        outcomes: Type.Object({
          ...Object.fromEntries(OUTCOMES.map((outcome) => [outcome, Type.Integer()])),
          none: Type.Integer(),
        }),
        successRate: Nullable(Type.Number()),
        seconds: Type.Object({ queued: PercentilesJson, calling: PercentilesJson }),
      }),
    ),
  },
  {
    description: '`seconds` is how long calls that are settled were in a status.',
    examples: [EXAMPLE_STATS],
  },
);

/** The shortest of them. */
const BUCKET_MS = { hour: 3_600_000, day: 86_400_000, week: 7 * 86_400_000, month: 28 * 86_400_000 };
const DEFAULT_DAYS = 30;

export const statsRoutes: FastifyPluginCallbackTypebox<StatsRoutesOptions> = (app, { stats }, done) => {
  app.get(
    '/v1/stats',
    {
      schema: {
        operationId: 'getStats',
        summary: 'Outcomes and times over time',
        description: 'Of calls by the time they were registered; of the last 30 days unless told otherwise.',
        tags: ['Reports'],
        querystring: StatsQuery,
        response: { 200: StatsJson },
        problems: ['too_many_stats', 'stats_too_slow'],
      },
    },
    async (request) => {
      const { bucket, timezone, groupBy, seconds } = request.query;
      const { registeredTo = new Date(), ...rest } = filterOf(request.query);
      const { registeredFrom = daysBefore(registeredTo), ...filter } = rest;
      if ((registeredTo.getTime() - registeredFrom.getTime()) / BUCKET_MS[bucket] > MAX_STATS_ROWS) {
        throw problem.invalidField(
          'bucket',
          `gives more than ${MAX_STATS_ROWS} buckets: ask for a shorter time`,
        );
      }
      const question: StatsQuestion = {
        filter: { ...filter, registeredFrom, registeredTo },
        bucket,
        timeZone: readTimeZone(timezone),
        groupBy: readGroupBy(groupBy),
        withSeconds: seconds,
      };
      const { rows, percentiles } = await stats.read(question).catch((error: unknown) => {
        throw problemOf(error);
      });
      return { timezone, bucket, percentiles, data: rows.map((row) => rowJson(row, seconds)) };
    },
  );

  done();
};

function daysBefore(to: Date): Date {
  return new Date(Math.max(to.getTime() - DEFAULT_DAYS * BUCKET_MS.day, FIRST_TIME.getTime()));
}

/**
 * Takes UTC and names with a slash: another name (`CET`) is an abbreviation to many, with a fixed offset. Throws
 * `invalid_request`.
 */
function readTimeZone(timezone: string): string {
  if (/^(utc|[a-z_]+(\/[\w+-]+)+)$/i.test(timezone) && isKnown(timezone)) return timezone;
  throw problem.invalidField('timezone', 'must be UTC or an IANA name such as Europe/London');
}

function isKnown(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

function readGroupBy(groupBy: string | undefined): StatsQuestion['groupBy'] {
  if (groupBy === undefined) return null;
  if (groupBy === 'reason') return { reason: true };
  return groupBy === 'account' ? { account: true } : { metadata: groupBy.slice('metadata.'.length) };
}

function problemOf(error: unknown): unknown {
  if (error instanceof TooManyRowsError) {
    return problem.invalidField('groupBy', `gives more than ${MAX_STATS_ROWS} rows: ask for a shorter time`);
  }
  if (error instanceof TooManyStatsError) return problem.tooManyStats();
  if (error instanceof StatsTooSlowError) return problem.statsTooSlow();
  return error;
}

const NO_SECONDS = { queued: null, calling: null };

function rowJson({ bucket, group, calls, outcomes, queued, calling }: StatsRow, withSeconds: boolean) {
  const ended = outcomes.success + outcomes.failure;
  return {
    bucket: bucket.toISOString(),
    group,
    calls,
    outcomes,
    successRate: ended === 0 ? null : outcomes.success / ended,
    seconds: withSeconds ? { queued, calling } : NO_SECONDS,
  };
}
