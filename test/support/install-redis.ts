import { execFileSync } from 'node:child_process';
import { isOnPath, redisChoice, WHAT_TO_DO } from './redis-choice.ts';

/** Before the tests: as root on Debian, where there is no Redis at hand, Debian's own is installed. */
if ((await redisChoice()) === 'none') {
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    console.error(WHAT_TO_DO);
    process.exit(1);
  }
  console.log('no Redis at hand: installing redis-server with apt-get');
  // RUNLEVEL=1: the package must not start a server of its own; the tests start theirs.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const aptGet = (...args: string[]) =>
    execFileSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  aptGet('-qq', 'update');
  aptGet('-qq', 'install', '-y', '--no-install-recommends', 'redis-server');
}
