import { signal } from '@preact/signals';
import { Failure } from './failure.ts';

const KEY = 'polykeep.key';

/** Whether the last request was answered at all. */
export const isAway = signal(false);
/** Whether the last request was refused for its key, or for want of one. */
export const isRefused = signal(false);
/** When something was answered last. */
export const answeredAt = signal<Date | null>(null);

/** The key is kept for this tab alone, and goes with it. */
export function keepKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

export interface Asked {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: object;
  signal?: AbortSignal | undefined;
}

/** The JSON that a route answers. Throws `Failure`, and the browser's `AbortError` where `signal` is aborted. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await send(path, asked);
  return response.json();
}

/** The answer itself, where it is no JSON. Throws likewise. */
export async function send(path: string, { method = 'GET', body, signal }: Asked = {}): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: headersFor(body),
    cache: 'no-store',
    credentials: 'same-origin',
    redirect: 'error',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    throw unanswered(error);
  });
  isAway.value = false;
  answeredAt.value = new Date();
  if (response.ok) return response;
  throw await problemIn(response);
}

function headersFor(body: object | undefined): Record<string, string> {
  const key = sessionStorage.getItem(KEY);
  return {
    accept: 'application/json',
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

function unanswered(error: unknown): unknown {
  if (error instanceof DOMException && error.name === 'AbortError') return error;
  isAway.value = true;
  return new Failure('away', 'polykeep does not answer.');
}

async function problemIn(response: Response): Promise<Failure> {
  const { status } = response;
  const problem: { code?: string; detail?: string; title?: string } = await response.json().catch(() => ({}));
  const detail = problem.detail ?? problem.title ?? `polykeep answered ${status}.`;
  if (status === 401) {
    isRefused.value = true;
    return new Failure('refused', detail, status, problem.code);
  }
  // What stands before polykeep says so while polykeep itself is away.
  const isGateway = (status === 502 || status === 504) && problem.code === undefined;
  if (isGateway) isAway.value = true;
  return new Failure(isGateway ? 'away' : 'problem', detail, status, problem.code);
}
