import { canInstall, install } from './debian.ts';
import { isOnPath, redisChoice, WHAT_TO_DO } from './redis-choice.ts';

/**
 * Before the tests: as root on Debian, where there is no Redis at hand, Debian's own is installed; and pgbouncer and
 * kustomize, without which what is tried with them is skipped.
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
if (!isOnPath('pgbouncer')) installOptional('pgbouncer');
// kubectl has it built in. Debian 12 has neither in a version that will do.
if (!isOnPath('kustomize') && !isOnPath('kubectl')) installOptional('kustomize');

function installOptional(name: string): void {
  if (!canInstall()) return;
  console.log(`no ${name} at hand: installing it with apt-get`);
  try {
    install(name);
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
