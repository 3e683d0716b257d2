import { canInstall, install } from './debian.ts';
import { redisChoice, WHAT_TO_DO } from './redis-choice.ts';

/** Before the tests: as root on Debian, where there is no Redis at hand, Debian's own is installed. */
if ((await redisChoice()) === 'none') {
  if (!canInstall()) fail(WHAT_TO_DO);
  console.log('no Redis at hand: installing redis-server with apt-get');
  try {
    install('redis-server');
  } catch (error) {
    // The message of a failed command has what the command said.
    console.error(error instanceof Error ? error.message.trim() : error);
    fail(WHAT_TO_DO);
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
