import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LogPipe } from '../chaos/log-pipe.ts';

/** Writes a number each 10 ms, as a process that blocks until its log is read. */
const COUNT = `let n = 0; setInterval(() => require('fs').writeSync(1, n++ + '\\n'), 10)`;

it('a process that writes to a log pipe whose reader stopped waits until it is read on', async () => {
  const pipe = await LogPipe.make();
  const child = spawn(process.execPath, ['-e', COUNT], { stdio: ['ignore', pipe.writeFd, 'inherit'] });
  const read: number[] = [];
  createInterface(pipe.reader).on('line', (line) => /^\d+$/.test(line) && read.push(Number(line)));
  try {
    await expect.poll(() => read.length).toBeGreaterThan(10);
    await pipe.stopReading();
    const stoppedAt = read.length;
    await sleep(3_000);
    expect(read.length).toBe(stoppedAt);
    pipe.readOn();
    await expect.poll(() => read.length).toBeGreaterThan(stoppedAt + 10);
    // It was stopped for 3 s, in which it would have written 300 lines.
    expect(read.at(-1)).toBeLessThan(stoppedAt + 200);
    expect(read).toEqual(read.map((_, index) => index));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    pipe.close();
  }
});
