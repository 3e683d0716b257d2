import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './client.ts';
import { type Failure, failureOf } from './failure.ts';

/** What a path answers. While it is asked for again, what it answered last stays to be seen. */
export interface Resource<T> {
  answer: T | null;
  failure: Failure | null;
  isLoading: boolean;
  /** Asks again; resolves when that was answered or failed. */
  renew: () => Promise<void>;
}

interface State<T> {
  path: string | null;
  answer: T | null;
  failure: Failure | null;
}

/** null: there is nothing to ask for. An answer of another path is not shown for this one. */
export function useResource<T>(path: string | null, read: Read<T> = readJson): Resource<T> {
  const [state, setState] = useState<State<T>>({ path, answer: null, failure: null });
  const [isLoading, setLoading] = useState(path !== null);
  const running = useRef<AbortController | null>(null);

  const renew = useCallback(async () => {
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    if (path === null) return;
    setLoading(true);
    try {
      const answer = await read(path, own.signal);
      if (!own.signal.aborted) setState({ path, answer, failure: null });
    } catch (error) {
      const failure = failureOf(error);
      if (own.signal.aborted || failure === null) return;
      setState((last) => ({ path, answer: last.path === path ? last.answer : null, failure }));
    } finally {
      if (running.current === own) setLoading(false);
    }
  }, [path, read]);

  useEffect(() => {
    void renew();
    return () => running.current?.abort();
  }, [renew]);

  const isOfAnother = state.path !== path;
  return {
    answer: isOfAnother ? null : state.answer,
    failure: isOfAnother ? null : state.failure,
    isLoading: isLoading || isOfAnother,
    renew,
  };
}

export type Read<T> = (path: string, signal: AbortSignal) => Promise<T>;

function readJson<T>(path: string, signal: AbortSignal): Promise<T> {
  return ask<T>(path, { signal });
}
