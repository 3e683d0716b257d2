import { closeClient, openClient } from '../archive/postgres-client.ts';
import { USUAL_LIMITS } from '../archive/session.ts';
import { type Difference, recount } from '../archive/write/recount.ts';
import { type ArchiveConfig, archiveUrl } from './archive-url.ts';

/** The calls of one day are counted by one statement. */
const LIMITS = { ...USUAL_LIMITS, statementMs: 600_000, lockMs: 60_000, answerMs: 660_000 };
/** Of so many differences each is told. */
const TOLD = 20;

/**
 * `polykeep check --statistics`: counts all calls anew and puts the statistics right where they differ. Gives the exit
 * code: 1 where they did.
 */
export async function checkStatistics(
  config: ArchiveConfig,
  say: (line: string) => void = console.log,
): Promise<number> {
  const client = await openClient(await archiveUrl(config), 'polykeep check', LIMITS);
  try {
    return (await recountAndTell(client, say)) === 0 ? 0 : 1;
  } finally {
    await closeClient(client);
  }
}

async function recountAndTell(
  client: Parameters<typeof recount>[0],
  say: (line: string) => void,
): Promise<number> {
  let differing = 0;
  await recount(client, (difference) => {
    differing++;
    if (differing <= TOLD) say(lineOf(difference));
  });
  if (differing > TOLD) say(`and ${differing - TOLD} more`);
  say(
    differing === 0
      ? '✓ statistics: what is kept is what the calls count for'
      : `✗ statistics: ${differing} rows of what is kept differed from the calls; they are right now`,
  );
  return differing;
}

function lineOf({ unit, at, account, outcome, key, value, missingCalls }: Difference): string {
  const by = key === null ? '' : `, ${key} ${value ?? 'not given'}`;
  const where = `${unit} ${at.toISOString()}, account ${account}, ${outcome ?? 'still followed'}${by}`;
  if (missingCalls > 0) return `${where}: ${missingCalls} calls were missing, and are added`;
  if (missingCalls < 0) return `${where}: ${-missingCalls} calls were too many, and are taken out`;
  return `${where}: polls or seconds were wrong, and are put right`;
}
