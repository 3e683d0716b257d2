import { checkPromises } from './check-promises.ts';
import type { Death, Evidence } from './evidence.ts';
import { isPostgresOut } from './incidents.ts';
import type { Violation, ViolationKind } from './violation.ts';
import { covers, widened } from './windows.ts';

const STOP_MS = 10_000;
/** A connection that is being made when Postgres goes is given up after 5 s. */
const CONNECTING_MS = 6_000;

/** What is no matter of one call. */
export function checkCluster(evidence: Evidence): Violation[] {
  return [
    ...evidence.strangers.map((callSid) => violation('invented', `${callSid} was never registered`)),
    ...checkPromises(evidence),
    ...evidence.leftInRedis.map((key) => violation('left in Redis', key)),
    ...evidence.exits
      .filter(({ code, tookMs }) => code !== 0 || tookMs > STOP_MS)
      .map(({ process, at, code, tookMs }) =>
        violation(
          'exit',
          `${process} ended with ${code} in ${tookMs} ms, asked at ${new Date(at).toISOString()}`,
        ),
      ),
    ...evidence.deaths
      .filter((death) => death.running || !couldNotStart(death, evidence))
      .map(({ process, at, said }) =>
        violation('death', `${process} at ${new Date(at).toISOString()}: ${said}`),
      ),
    ...evidence.oddAnswers.map((answer) => violation('odd answer', answer)),
  ];
}

/** polykeep does not start without Postgres, and says so: whoever runs it starts it again. */
function couldNotStart({ at }: Death, { incidents }: Evidence): boolean {
  const away = incidents.filter(isPostgresOut);
  return covers(
    away.map((one) => widened(one, 0, CONNECTING_MS)),
    at,
  );
}

function violation(kind: ViolationKind, detail: string): Violation {
  return { kind, callSid: null, detail };
}
