import { readdir, readFile } from 'node:fs/promises';

/** As `getconf CLK_TCK` says on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  parent: number;
  /** Seconds: of the process with all its threads, and of its children that have ended. */
  own: number;
  ended: number;
}

/** Seconds of CPU that a process has used so far, all its threads together. */
export async function cpuOf(pid: number): Promise<number> {
  return (await statOf(pid)).own;
}

/** As `cpuOf`, with its children: those of a Postgres, say, also those that have ended. */
export async function cpuOfTree(pid: number): Promise<number> {
  const { own, ended } = await statOf(pid);
  let seconds = own + ended;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // It may end while we look.
    const child = await statOf(Number(name)).catch(() => null);
    if (child?.parent === pid) seconds += child.own;
  }
  return seconds;
}

/** Bytes of memory that a process holds now, as its resident set. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

async function statOf(pid: number): Promise<Stat> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before it stands in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (...at: number[]) =>
    at.reduce((sum, index) => sum + Number(fields[index]), 0) / TICKS_PER_SECOND;
  return { parent: Number(fields[1]), own: seconds(11, 12), ended: seconds(13, 14) };
}
