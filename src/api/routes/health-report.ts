import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { HealthReportJson } from '../schemas.ts';

export interface HealthReportRoutesOptions {
  healthReport: () => Promise<HealthReportJson>;
}

export const healthReportRoutes: FastifyPluginCallbackTypebox<HealthReportRoutesOptions> = (
  app,
  { healthReport },
  done,
) => {
  app.get(
    '/v1/health',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'How each part is, in numbers',
        description: 'Answered with 200 whatever is wrong: `/health/ready` is what a load balancer asks.',
        tags: ['Operations'],
        response: { 200: HealthReportJson },
      },
    },
    healthReport,
  );

  done();
};
