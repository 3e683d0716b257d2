import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { createChecks } from '../../src/api/checks.ts';

it('a check that many wait for runs outside of the request that asked for it first', async () => {
  const request = new AsyncLocalStorage<string>();
  const checkedIn: unknown[] = [];
  const check = async () => void checkedIn.push(request.getStore());
  const checks = createChecks({ check, gapMs: 0 });
  request.run('the first', () => checks.within(0));
  await expect.poll(() => checkedIn).toEqual([undefined]);
  checks.stop();
});
