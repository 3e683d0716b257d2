import type { FastifyInstance } from 'fastify';

export interface MetricsRoutesOptions {
  /** Prometheus' text format. */
  metrics: () => Promise<{ body: string; contentType: string }>;
}

export function metricsRoutes(app: FastifyInstance, options: MetricsRoutesOptions, done: () => void): void {
  app.get('/metrics', { config: { access: 'local', isProbe: true } }, async (_request, reply) => {
    const { body, contentType } = await options.metrics();
    return reply.type(contentType).send(body);
  });
  done();
}
