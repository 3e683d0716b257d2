import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { canInstall, install } from '../../test/support/debian.ts';
import { isOnPath } from '../../test/support/redis-choice.ts';
import { HEADERS, statusPath } from '../peers/told.ts';
import { connectionsFor, type Way } from '../upstream/way.ts';
import type { Running } from './candidate.ts';

/** Longer than any measurement. */
const FOR = '600';
const PACKAGES = { wrk: 'wrk', h2load: 'nghttp2-client' };

/** Clients in C, which ask for one call again and again: what the upstream allows at all. */
export type LoadClient = keyof typeof PACKAGES;

export function loadClientFor({ protocol }: Way): LoadClient {
  return protocol === 'https h2' ? 'h2load' : 'wrk';
}

/** As root on Debian it is installed where it is not on the PATH. False: it is not to be had. */
export function isToBeHad(name: LoadClient): boolean {
  if (isOnPath(name)) return true;
  if (!canInstall()) return false;
  install(PACKAGES[name]);
  return isOnPath(name);
}

export async function startLoadClient(way: Way, atOnce: number): Promise<Running> {
  const name = loadClientFor(way);
  let child: ReturnType<typeof spawn> | null = null;
  return {
    pids: {
      get own() {
        return child?.pid ?? 0;
      },
      redis: null,
      postmaster: null,
    },
    upstream: way.upstream,
    async follow([callSid = '']) {
      child = spawn(name, argumentsOf(name, way, atOnce, way.upstream.url + statusPath(callSid)), {
        stdio: 'ignore',
      });
      await once(child, 'spawn');
    },
    async stop() {
      if (child === null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function argumentsOf(name: LoadClient, way: Way, atOnce: number, url: string): string[] {
  const { connections, streams } = connectionsFor(way, atOnce);
  const headers = Object.entries(HEADERS).flatMap(([header, value]) => ['-H', `${header}: ${value}`]);
  const sizes = ['-t', '1', '-c', `${connections}`];
  return name === 'wrk'
    ? [...sizes, '-d', FOR, ...headers, url]
    : [...sizes, '-m', `${streams}`, '-D', FOR, ...headers, url];
}
