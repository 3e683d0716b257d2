import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LifeTime, Report, Trouble } from './answers.ts';
import type { Command, Spoken } from './main.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The bench's PolyAI, in a process of its own. */
export interface Upstream {
  url: string;
  pid: number;
  /** What it has counted since the last report. */
  report(): Promise<Report>;
  /** Whether intervals are kept from now on: they take some of its time. Counts begin anew. */
  keepIntervals(on: boolean): Promise<void>;
  /** Counts begin anew with this and the next. */
  trouble(trouble: Trouble): Promise<Report>;
  latency(ms: number): Promise<Report>;
  lives(lifeTime: LifeTime): Promise<Report>;
  stop(): Promise<void>;
}

export async function startUpstream(spoken: Spoken): Promise<Upstream> {
  const child = fork(MAIN, { serialization: 'advanced' });
  // One answer for each command, in their order.
  let last: Promise<unknown> = Promise.resolve();
  function ask<Reply = Report>(command: Command): Promise<Reply> {
    const answer = last.then(async () => {
      const answered = once(child, 'message');
      child.send(command);
      const reply: Reply = (await answered)[0];
      return reply;
    });
    last = answer;
    return answer;
  }
  const { port } = await ask<{ port: number }>({ kind: 'speak', spoken });
  return {
    url: `http${spoken.tls === null ? '' : 's'}://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    report: () => ask({ kind: 'report' }),
    keepIntervals: async (on) => void (await ask({ kind: 'intervals', on })),
    trouble: (trouble) => ask({ kind: 'trouble', trouble }),
    latency: (ms) => ask({ kind: 'latency', ms }),
    lives: (lifeTime) => ask({ kind: 'lives', lifeTime }),
    async stop() {
      if (!child.connected) return;
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
