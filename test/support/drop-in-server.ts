import { createAccounts } from '../../src/accounts/accounts.ts';
import type { ApiKey } from '../../src/api/door/api-keys.ts';
import { systemClock } from '../../src/clock.ts';
import { agentsApi } from '../../src/polyai/agents.ts';
import { outboundCallingApi } from '../../src/polyai/outbound-calling.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { silentLog as log } from './log.ts';
import { noMetrics as metrics } from './metrics.ts';
import { TOKEN } from './polyai-requests.ts';

export const AGENT = { agentId: 'agent-1', environment: 'live' } as const;

/** The whole API over HTTP, with an account of each API at a PolyAI of its own, and nothing that follows calls. */
export interface DropInServer {
  url: string;
  api: ApiServer;
  database: TestDatabase;
  polyai: Simulator;
  stop(): Promise<void>;
}

export async function startDropInServer(apiKeys: readonly ApiKey[] = []): Promise<DropInServer> {
  const database = await createDatabase();
  const polyai = await startSimulator({ token: TOKEN });
  const common = {
    token: TOKEN,
    baseUrl: polyai.url,
    maxRequestsPerSecond: null,
    pace: { intervalMinMs: 1_000, intervalMaxMs: 1_000, backoffMaxMs: 1_000 },
  };
  const accounts = createAccounts({
    settings: [
      { ...common, name: 'default', api: outboundCallingApi, scope: {} },
      { ...common, name: 'agent', api: agentsApi, scope: AGENT },
    ],
    pollTimeoutMs: 10_000,
    exchange: null,
    metrics,
    clock: systemClock,
    log,
  });
  const api = startApiServer({ url: database.url, newsUrl: null, options: { accounts, apiKeys } });
  return {
    url: await api.app.listen({ host: '127.0.0.1', port: 0 }),
    api,
    database,
    polyai,
    async stop() {
      await api.stop();
      await accounts.close();
      await polyai.stop();
      await database.drop();
    },
  };
}
