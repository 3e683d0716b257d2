import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { ArchiveReader } from '../archive/read/reader.ts';
import { MAX_CALL_SID_LENGTH } from '../call/limits.ts';
import { nameSpan } from '../tracing.ts';
import { guard } from './door/access.ts';
import type { ApiKey } from './door/api-keys.ts';
import { CONNECTION_TIMES, refuseConnection } from './door/connections.ts';
import type { CountRefusal } from './door/count-refusal.ts';
import { boundConnections } from './door/crowd.ts';
import { ANSWER_HEADERS } from './door/headers.ts';
import { refuseUnderPressure } from './door/pressure.ts';
import { makeReadable } from './door/readable.ts';
import { type DropInRoutesOptions, dropInRoutes } from './drop-in/drop-in.ts';
import { handleError, pathOf, sendProblem } from './error-handler.ts';
import { describeRoutes } from './openapi/openapi.ts';
import { problem } from './problems.ts';
import { type AboutRoutesOptions, aboutRoutes } from './routes/about.ts';
import { type CallRoutesOptions, callRoutes } from './routes/calls.ts';
import { type ErasureRoutesOptions, erasureRoutes } from './routes/erasure.ts';
import { type ExportRoutesOptions, exportRoutes } from './routes/export.ts';
import { type HealthRoutesOptions, healthRoutes } from './routes/health.ts';
import { type HealthReportRoutesOptions, healthReportRoutes } from './routes/health-report.ts';
import { type MetadataRoutesOptions, metadataRoutes } from './routes/metadata.ts';
import { type MetricsRoutesOptions, metricsRoutes } from './routes/metrics.ts';
import { type PageRoutesOptions, pageRoutes } from './routes/page.ts';
import { type QueueBoardOptions, queueBoard } from './routes/queue-board.ts';
import { type StatsRoutesOptions, statsRoutes } from './routes/stats.ts';
import { type TransitionRoutesOptions, transitionRoutes } from './routes/transitions.ts';
import { type WebhookDeliveryRoutesOptions, webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';
import { type WebhookRoutesOptions, webhookRoutes } from './routes/webhooks.ts';
import { validatorCompiler } from './validation.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/** Of the longest callSid in a path, each of its characters written as %XX. */
const MAX_PARAM_LENGTH = MAX_CALL_SID_LENGTH * 3;

/** What is measured of requests. */
export interface RequestMetrics {
  /** `route` is its pattern; `none` where there is no such route. */
  answered(method: string, route: string, status: number, ms: number): void;
  /** Somebody was refused at the door. */
  refused: CountRefusal;
}

export interface CoreOptions extends HealthRoutesOptions, MetricsRoutesOptions {
  requests: RequestMetrics;
  /** Without any, every caller is let in. */
  apiKeys: readonly ApiKey[];
  /** How many requests one key may make; without a key, one address. */
  maxRequestsPerSecond: number;
  /** That may be open at a time; Infinity: as many as come. */
  maxConnections: number;
  log: Logger;
}

export interface ServerOptions
  extends CoreOptions,
    CallRoutesOptions,
    TransitionRoutesOptions,
    ErasureRoutesOptions,
    MetadataRoutesOptions,
    StatsRoutesOptions,
    ExportRoutesOptions,
    WebhookRoutesOptions,
    WebhookDeliveryRoutesOptions,
    DropInRoutesOptions,
    AboutRoutesOptions,
    HealthReportRoutesOptions,
    PageRoutesOptions,
    QueueBoardOptions {
  accounts: CallRoutesOptions['accounts'] & DropInRoutesOptions['accounts'] & AboutRoutesOptions['accounts'];
  reader: ArchiveReader;
}

/** The API, ready to listen or to be injected into. */
export function createServer(options: ServerOptions): FastifyInstance {
  const app = guardedServer(options);
  // A request that waits must not hold up a shutdown, nor one that listens.
  app.addHook('preClose', async () => {
    options.waiting.close();
    options.stream.close();
  });
  describeRoutes(app);
  app.register(healthRoutes, options);
  app.register(metricsRoutes, options);
  app.register(callRoutes, options);
  app.register(transitionRoutes, options);
  app.register(erasureRoutes, options);
  app.register(metadataRoutes, options);
  app.register(statsRoutes, options);
  app.register(exportRoutes, options);
  app.register(webhookRoutes, options);
  app.register(webhookDeliveryRoutes, options);
  app.register(dropInRoutes, options);
  app.register(aboutRoutes, options);
  app.register(healthReportRoutes, options);
  app.register(pageRoutes, options);
  app.register(queueBoard, { prefix: '/queues', ...options });
  return app;
}

/** What every process with a port answers, also a worker: its health and its metrics. */
export function createCoreServer(options: CoreOptions): FastifyInstance {
  const app = guardedServer(options);
  app.register(healthRoutes, options);
  app.register(metricsRoutes, options);
  return app;
}

/** A server with all that a request passes before it reaches a route, and no routes yet. */
function guardedServer(options: CoreOptions): FastifyInstance {
  const { log, apiKeys, requests } = options;
  const count = requests.refused;
  const loggerInstance: FastifyBaseLogger = log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    ...CONNECTION_TIMES,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // A keep-alive connection must not hold up a shutdown.
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => handleError(error, request, reply),
    clientErrorHandler: refuseConnection,
  });
  boundConnections(app, { atMost: options.maxConnections, count });
  makeReadable(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, problem.routeNotFound(request.method, pathOf(request))),
  );
  app.addHook('onRequest', ({ method, routeOptions: { url } }, _reply, done) => {
    if (url !== undefined) nameSpan(method, url);
    done();
  });
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status, elapsedTime: ms } = reply;
    const { method, routeOptions } = request;
    requests.answered(method, routeOptions.url ?? 'none', status, ms);
    const level = routeOptions.config.isProbe ? 'debug' : 'info';
    request.log[level](
      { method, path: pathOf(request), key: request.apiKey?.name, status, ms: Math.round(ms) },
      'request',
    );
  });
  app.register(helmet, ANSWER_HEADERS);
  app.after(() => refuseUnderPressure(app, count));
  app.register(rateLimit, { global: false });
  // After the plugins above, so that a refused request has their headers too.
  app.after(() => guard(app, { keys: apiKeys, maxPerSecond: options.maxRequestsPerSecond, count }));
  return app;
}
