import type { FastifyInstance } from 'fastify';
import { EXAMPLE_METRICS } from '../examples.ts';

export interface MetricsRoutesOptions {
  /** Prometheus' text format. */
  metrics: () => Promise<{ body: string; contentType: string }>;
}

const schema = {
  operationId: 'getMetrics',
  summary: 'Metrics for Prometheus',
  description: 'Open to this machine; to others with a key.',
  tags: ['Operations'],
  response: {
    200: {
      description: 'In Prometheus’ text format.',
      content: {
        'text/plain': {
          schema: { type: 'string' },
          example: EXAMPLE_METRICS,
        },
      },
    },
  },
};

export function metricsRoutes(app: FastifyInstance, options: MetricsRoutesOptions, done: () => void): void {
  app.get('/metrics', { config: { access: 'local', isProbe: true }, schema }, async (_request, reply) => {
    const { body, contentType } = await options.metrics();
    return reply.type(contentType).send(body);
  });
  done();
}
