import type { Report, Sighting } from '../../call/call.ts';

/**
 * A report that Postgres refuses, with ever less in it. The status, the outcome, the times of polykeep's own and the
 * counters are in each of them: a call's end must not be lost for what came with it.
 */
export const REDUCTIONS: readonly { without: string; reduce: (report: Report) => Report }[] = [
  { without: 'body', reduce: withoutBody },
  { without: 'body, reason, error', reduce: withoutTexts },
  { without: "body, reason, error, PolyAI's times", reduce: withoutTimes },
];

function withoutBody({ lastBody: _, ...report }: Report): Report {
  return withSighting(report, ({ status }) => ({
    // Who asks the drop-in must not be answered with the status before.
    payload: { status },
    body: JSON.stringify({ status }),
  }));
}

function withoutTexts(report: Report): Report {
  const { lastError: _, ...rest } = withoutBody(report);
  return withSighting(rest, () => ({ reason: null }));
}

function withoutTimes(report: Report): Report {
  return withSighting(withoutTexts(report), () => ({ createdAt: null, lastUpdated: null }));
}

function withSighting(report: Report, change: (sighting: Sighting) => Partial<Sighting>): Report {
  const { sighting } = report;
  return sighting === undefined ? report : { ...report, sighting: { ...sighting, ...change(sighting) } };
}
