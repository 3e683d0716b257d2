import { SingleBar } from 'cli-progress';

interface Progress {
  show(bytes: number, calls: number): void;
  end(): void;
}

/** A bar on standard error, where that is a terminal; `size` in bytes. */
export function createProgress(size: number): Progress {
  if (!process.stderr.isTTY) return { show: () => {}, end: () => {} };
  const format = '{bar} {percentage}% | {calls} calls | {eta_formatted}';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
  bar.start(size, 0, { calls: 0 });
  return {
    show: (bytes, calls) => bar.update(bytes, { calls }),
    end: () => bar.stop(),
  };
}
