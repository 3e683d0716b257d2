import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { isOnPath } from './redis-choice.ts';

/** Debian's packages ask it before they start a service; 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d';

/** Whether packages can be installed: as root on Debian. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && isOnPath('apt-get');
}

/** Installs Debian's own package. Throws an error that says what apt-get said. */
export function install(name: string): void {
  const restorePolicy = forbidServices();
  try {
    aptGet('update');
    aptGet('install', '-y', '--no-install-recommends', name);
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
