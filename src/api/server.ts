import type { Socket } from 'node:net';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { ApiKey } from '../api-keys.ts';
import type { ArchiveReader } from '../archive/reader.ts';
import { guard } from './access.ts';
import { type CallRoutesOptions, callRoutes } from './calls.ts';
import { type ErasureRoutesOptions, erasureRoutes } from './erasure.ts';
import { type ExportRoutesOptions, exportRoutes } from './export.ts';
import { type FrontRoutesOptions, frontRoutes } from './front.ts';
import { type HealthRoutesOptions, healthRoutes } from './health.ts';
import { type MetricsRoutesOptions, metricsRoutes } from './metrics.ts';
import { describeRoutes } from './openapi.ts';
import { handleError, ProblemError, problemBody, sendProblem } from './problem.ts';
import { type StatsRoutesOptions, statsRoutes } from './stats.ts';
import { type TransitionRoutesOptions, transitionRoutes } from './transitions.ts';
import { validatorCompiler } from './validation.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/** A callSid of 200 characters, each of up to four bytes written as %XX. */
const MAX_PARAM_LENGTH = 200 * 4 * 3;

export interface ServerOptions
  extends HealthRoutesOptions,
    MetricsRoutesOptions,
    CallRoutesOptions,
    TransitionRoutesOptions,
    ErasureRoutesOptions,
    StatsRoutesOptions,
    ExportRoutesOptions,
    FrontRoutesOptions {
  accounts: CallRoutesOptions['accounts'] & FrontRoutesOptions['accounts'];
  reader: ArchiveReader;
  /** None: every caller is let in. */
  apiKeys: readonly ApiKey[];
  log: Logger;
}

/** The API, ready to listen or to be injected into. */
export function createServer({ log, apiKeys, ...options }: ServerOptions): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // A keep-alive connection must not hold up a shutdown.
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => handleError(error, request, reply),
    clientErrorHandler: refuse,
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new ProblemError(404, 'route_not_found', `no route ${request.method} ${request.url.split('?')[0]}`),
    ),
  );
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    const level = /^\/(health\/|metrics)/.test(url) ? 'debug' : 'info';
    request.log[level](
      { method, url, key: request.apiKey?.name, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    );
  });
  // A request that waits must not hold up a shutdown either.
  app.addHook('preClose', async () => options.waiting.close());
  guard(app, apiKeys);
  describeRoutes(app);
  app.register(healthRoutes, options);
  app.register(metricsRoutes, options);
  app.register(callRoutes, options);
  app.register(transitionRoutes, options);
  app.register(erasureRoutes, options);
  app.register(statsRoutes, options);
  app.register(exportRoutes, options);
  app.register(frontRoutes, options);
  return app;
}

/** What is no HTTP gets the same kind of answer as what is no request. */
function refuse(error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const body = problemBody(new ProblemError(400, 'invalid_request', `request: ${error.message}`));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
