import type { Simulator } from '../../src/simulator/simulator.ts';
import { pause } from './deadline.ts';
import type { IncidentLog } from './incidents.ts';
import type { ChaosPostgres } from './postgres.ts';
import type { ChaosRedis } from './redis.ts';
import type { Supervised } from './supervised.ts';
import type { PolyAiTrouble, Trouble } from './trouble.ts';

export interface Cluster {
  postgres: ChaosPostgres;
  redis: ChaosRedis;
  workers: Supervised[];
  api: Supervised;
  simulator: Simulator;
  incidents: IncidentLog;
}

/** Does it, and resolves when all is as before. What strikes the same part at the same time waits for its turn. */
export async function strike(trouble: Trouble, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { postgres, redis, workers, api, simulator, incidents } = cluster;
  switch (trouble.kind) {
    case 'kill worker':
      return workers[trouble.worker]?.kill('worker killed', trouble.awayMs);
    case 'stop worker':
      return workers[trouble.worker]?.stop('worker stopped', trouble.awayMs);
    case 'pause worker':
      return workers[trouble.worker]?.pause('worker paused', trouble.forMs);
    case 'kill api':
      return api.kill('api killed', trouble.awayMs);
    case 'flush redis':
      return redis.flush();
    case 'cut redis':
      return redis.cut();
    case 'redis away':
      return redis.goAway(trouble.forMs);
    case 'redis refuses':
      return redis.refuse(trouble.by, trouble.forMs);
    case 'postgres read-only':
      return postgres.readOnly(trouble.forMs);
    case 'fail over postgres':
      return postgres.failOver(trouble.forMs);
    case 'lock table':
      return postgres.lockTable(trouble.forMs);
    case 'stop reading log':
      return workers[trouble.worker]?.stopReading(trouble.forMs);
    case 'freeze connections':
      incidents.note('connections frozen');
      return simulator.freezeConnections();
    case 'gateway': {
      const { code, body, forMs } = trouble;
      const over = incidents.begin('gateway', `${code}`, `for ${forMs} ms`);
      const right = simulator.misbehave({ kind: 'status', code, body });
      await pause(forMs, signal);
      right();
      return over();
    }
    case 'burst of 429': {
      const over = incidents.begin('polyai', '429 for all', `for ${trouble.forMs} ms`);
      const right = simulator.misbehave({ kind: 'status', code: 429, retryAfter: '1' });
      await pause(trouble.forMs, signal);
      right();
      return over();
    }
    case 'restart postgres':
      return postgres.restart(trouble.mode);
    case 'cut postgres':
      return postgres.cut();
    case 'postgres away':
      return postgres.goAway(trouble.forMs);
    case 'refuse token': {
      const taken = incidents.begin('token refused', '', `for ${trouble.forMs} ms`);
      const right = simulator.misbehave({ kind: 'status', code: 401 });
      await pause(trouble.forMs, signal);
      right();
      return taken();
    }
    case 'polyai':
      return misbehave(trouble, simulator, incidents, signal);
  }
}

async function misbehave(
  trouble: PolyAiTrouble,
  simulator: Simulator,
  incidents: IncidentLog,
  signal: AbortSignal,
): Promise<void> {
  const { kind, ...more } = trouble.fault;
  const detail = [kind, ...Object.values(more)].join(' ');
  if ('calls' in trouble) {
    const now = Date.now();
    const alive = [...simulator.calls.values()].filter((call) => (call.endsAt() ?? Infinity) > now);
    incidents.begin('polyai', detail, `${trouble.times} times for ${trouble.calls} calls`)();
    for (const { callSid } of alive.slice(-trouble.calls)) {
      simulator.misbehave(trouble.fault, { callSid, times: trouble.times });
    }
    return;
  }
  const { share, forMs } = trouble;
  const over = incidents.begin('polyai', detail, `for ${(share * 100).toFixed(0)} % over ${forMs} ms`);
  const right = simulator.misbehave(trouble.fault, { share });
  await pause(forMs, signal);
  right();
  over();
}
