import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { isOnPath, redisChoice, WHAT_TO_DO } from './redis-choice.ts';

/** Debian's packages ask it before they start a service; 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d';

/** Before the tests: as root on Debian, where there is no Redis at hand, Debian's own is installed. */
if ((await redisChoice()) === 'none') {
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) fail(WHAT_TO_DO);
  console.log('no Redis at hand: installing redis-server with apt-get');
  try {
    installRedis();
  } catch (error) {
    // The message of a failed command has what the command said.
    console.error(error instanceof Error ? error.message.trim() : error);
    fail(WHAT_TO_DO);
  }
}

function installRedis(): void {
  const restorePolicy = forbidServices();
  try {
    aptGet('update');
    aptGet('install', '-y', '--no-install-recommends', 'redis-server');
  } finally {
    restorePolicy();
  }
}

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The package would start a server of its own on Redis's port; the tests start theirs. */
function forbidServices(): () => void {
  try {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { flag: 'wx', mode: 0o755 });
  } catch {
    // The machine has a policy of its own, as container images do.
    return () => {};
  }
  return () => rmSync(POLICY, { force: true });
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
