import { AsyncLocalStorage } from 'node:async_hooks';
import { kill } from 'node:process';
import { expect, it, onTestFinished } from 'vitest';
import { createNews } from '../../src/archive/news.ts';
import { createDatabase } from '../support/database.ts';
import { silentLog as log } from '../support/log.ts';

it('is listened to on another connection where the server behind the first has gone without a word', async () => {
  const test = await createDatabase();
  onTestFinished(() => test.drop());
  const news = createNews({ url: test.url, log, checkEveryMs: 50 });
  onTestFinished(() => news.stop());
  let words = 0;
  news.listen(() => words++);
  const listening = `select pid from pg_stat_activity
                      where datname = current_database() and application_name = 'polykeep news'`;
  // The first word is that some may have been missed before.
  await expect.poll(() => words).toBe(1);
  const [{ pid } = { pid: 0 }] = await test.query<{ pid: number }>(listening);
  kill(pid, 'SIGSTOP');
  try {
    await expect.poll(() => words).toBe(2);
    await test.query(`select pg_notify('polykeep', '')`);
    await expect.poll(() => words).toBe(3);
  } finally {
    kill(pid, 'SIGCONT');
  }
  await expect.poll(() => test.query(listening)).toHaveLength(1);
});

it('is listened to outside of the request that asked first', async () => {
  const test = await createDatabase();
  onTestFinished(() => test.drop());
  const news = createNews({ url: test.url, log });
  onTestFinished(() => news.stop());
  const request = new AsyncLocalStorage<string>();
  const heardIn: unknown[] = [];
  request.run('the first', () => news.listen(() => heardIn.push(request.getStore())));
  await expect.poll(() => heardIn).toEqual([undefined]);
});
