import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As V8 writes a `.cpuprofile`; times in microseconds of the monotonic clock. */
interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

export interface SelfTime {
  name: string;
  /** File, without the folders above the project or the library, and line; empty for what is V8's own. */
  place: string;
  /** Our own folder, or the library, that it is of. */
  owner: string;
  /** Of the time that the process was not idle. */
  share: number;
}

export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** The only profile in the folder, from then until then. */
export async function selfTimes(folder: string, fromUs: number, untilUs: number): Promise<SelfTime[]> {
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error(`no profile in ${folder}`);
  const profile: CpuProfile = JSON.parse(await readFile(join(folder, name), 'utf8'));
  return tally(profile, fromUs, untilUs);
}

function tally({ nodes, startTime, samples, timeDeltas }: CpuProfile, fromUs: number, untilUs: number) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, SelfTime & { us: number }>();
  let at = startTime;
  let busyUs = 0;
  for (const [index, id] of samples.entries()) {
    const us = timeDeltas[index] ?? 0;
    at += us;
    const frame = frames.get(id);
    if (at < fromUs || at > untilUs || frame === undefined || frame.functionName === '(idle)') continue;
    const place = placeOf(frame.url, frame.lineNumber);
    const key = `${frame.functionName} ${place}`;
    const time = times.get(key) ?? {
      name: frame.functionName || '(anonymous)',
      place,
      owner: ownerOf(frame.functionName, frame.url),
      share: 0,
      us: 0,
    };
    times.set(key, time);
    time.us += us;
    busyUs += us;
  }
  const all = [...times.values()].sort((one, other) => other.us - one.us);
  return all.map(({ us, ...time }) => ({ ...time, share: us / busyUs }));
}

function placeOf(url: string, line: number): string {
  if (url === '') return '';
  const short = url.replace(/^.*\/node_modules\//, '').replace(/^file:.*\/(src|bench)\//, '$1/');
  return `${short}:${line + 1}`;
}

function ownerOf(name: string, url: string): string {
  const library = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (library !== undefined) return library;
  const ours = /^file:.*\/(src\/[^/]+)/.exec(url)?.[1];
  if (ours !== undefined) return ours;
  if (url.startsWith('node:')) return url.replace(/^(node:(?:internal\/)?[^/]+).*/, '$1');
  return name.startsWith('(') ? name : 'native';
}
