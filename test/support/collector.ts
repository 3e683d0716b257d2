import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

const Span = Type.Object({
  traceId: Type.String(),
  spanId: Type.String(),
  parentSpanId: Type.Optional(Type.String()),
  name: Type.String(),
  kind: Type.Integer(),
});
const Traces = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({
      scopeSpans: Type.Array(
        Type.Object({ scope: Type.Object({ name: Type.String() }), spans: Type.Array(Span) }),
      ),
    }),
  ),
});

export interface CollectedSpan extends Static<typeof Span> {
  /** The package that made it: `pg` for @opentelemetry/instrumentation-pg. */
  by: string;
}

export interface Collector {
  url: string;
  /** In the order in which they came. */
  spans: readonly CollectedSpan[];
  stop(): Promise<void>;
}

/** What OpenTelemetry sends its traces to, by OTLP over HTTP as JSON. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = Value.Parse(Traces, await json(request));
    for (const { scope, spans: made } of resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)) {
      const by = scope.name.replace('@opentelemetry/instrumentation-', '');
      spans.push(...made.map((span) => ({ ...span, by })));
    }
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the collector has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
