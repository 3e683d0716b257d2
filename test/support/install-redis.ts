import { canInstall, install } from './debian.ts';
import { isOnPath, redisChoice, WHAT_TO_DO } from './redis-choice.ts';

/**
 * Before the tests: as root on Debian, where there is no Redis at hand, Debian's own is installed; and pgbouncer, without
 * which what is tried with it is skipped.
 */
if ((await redisChoice()) === 'none') {
  if (!canInstall()) fail(WHAT_TO_DO);
  console.log('no Redis at hand: installing redis-server with apt-get');
  try {
    install('redis-server');
  } catch (error) {
    console.error(wordsOf(error));
    fail(WHAT_TO_DO);
  }
}
if (!isOnPath('pgbouncer') && canInstall()) {
  console.log('no pgbouncer at hand: installing it with apt-get');
  try {
    install('pgbouncer');
  } catch (error) {
    console.error(`${wordsOf(error)}\nits tests are skipped`);
  }
}

/** The message of a failed command has what the command said. */
function wordsOf(error: unknown): unknown {
  return error instanceof Error ? error.message.trim() : error;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
