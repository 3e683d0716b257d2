import { context, createContextKey, trace } from '@opentelemetry/api';

/** What polykeep says to OpenTelemetry, where there is one in the process: without its SDK all of it does nothing. */

/**
 * By this key OpenTelemetry's SDK knows where no spans are made. `suppressTracing` of @opentelemetry/core sets it, which
 * brings 11 MB for that line.
 */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/**
 * Does what makes no spans, neither now nor in whatever it starts. A request that comes in has spans all the same: its
 * context is a new one.
 */
export function untraced<Result>(work: () => Result): Result {
  return context.with(context.active().setValue(SUPPRESSED, true), work);
}

/** Names the span of a request by its route: OpenTelemetry itself knows the method alone. */
export function nameSpan(method: string, route: string): void {
  trace.getActiveSpan()?.updateName(`${method} ${route}`).setAttribute('http.route', route);
}
