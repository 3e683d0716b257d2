import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import manifest from '../../../package.json' with { type: 'json' };
import type { Accounts } from '../../accounts/accounts.ts';
import { AboutJson } from '../schemas.ts';

export interface AboutRoutesOptions {
  accounts: Pick<Accounts, 'all'>;
  /** Metadata keys that statistics are kept by. */
  statsBy?: readonly string[];
}

export const aboutRoutes: FastifyPluginCallbackTypebox<AboutRoutesOptions> = (app, options, done) => {
  const { accounts, statsBy = [] } = options;

  app.get(
    '/v1/about',
    {
      schema: {
        operationId: 'getAbout',
        summary: 'Who asks, and what may be asked for',
        description:
          'What a client needs to open: the scope of its key, the accounts, and keys of statistics.',
        tags: ['Operations'],
        response: { 200: AboutJson },
      },
    },
    async ({ apiKey }) => ({
      version: manifest.version,
      key: apiKey === null ? null : { name: apiKey.name, scope: apiKey.scope },
      accounts: accounts.all().map(({ name }) => name),
      statsBy: [...statsBy],
    }),
  );

  done();
};
