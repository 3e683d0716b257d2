import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command, Report } from './upstream.ts';

const UPSTREAM = fileURLToPath(new URL('./upstream.ts', import.meta.url));

/** The bench's PolyAI, in a process of its own. */
export interface Upstream {
  url: string;
  pid: number;
  /** What it has counted since the last report. */
  report(): Promise<Report>;
  /** Whether intervals are kept from now on: they take some of its time. Counts begin anew. */
  keepIntervals(on: boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const child = fork(UPSTREAM, { serialization: 'advanced' });
  const { port }: { port: number } = (await once(child, 'message'))[0];
  // One answer for each command, in their order.
  let last: Promise<unknown> = Promise.resolve();
  function ask(command: Command): Promise<Report> {
    const answer = last.then(async () => {
      const answered = once(child, 'message');
      child.send(command);
      const report: Report = (await answered)[0];
      return report;
    });
    last = answer;
    return answer;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    report: () => ask({ kind: 'report' }),
    keepIntervals: async (on) => void (await ask({ kind: 'intervals', on })),
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
