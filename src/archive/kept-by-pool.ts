import type { Pool } from 'pg';

/**
 * What was read over a pool's connections, by its key: empty again with each new connection, since that may lead to
 * another server, where a row of the same version has other contents. Whoever asks a second time and gets another map
 * has to forget what the first one had; what is put into that one then is never found.
 */
export function keptByPool<Key, Value>(): (pool: Pool) => Map<Key, Value> {
  const kept = new WeakMap<Pool, { values: Map<Key, Value> }>();
  return (pool) => {
    const existing = kept.get(pool);
    if (existing !== undefined) return existing.values;
    const made = { values: new Map<Key, Value>() };
    kept.set(pool, made);
    pool.on('connect', () => {
      made.values = new Map();
    });
    return made.values;
  };
}

/** Puts it behind all others; where there are too many then, the first goes. */
export function keepLast<Key, Value>(values: Map<Key, Value>, key: Key, value: Value, atMost: number): void {
  values.delete(key);
  values.set(key, value);
  if (values.size <= atMost) return;
  for (const oldest of values.keys()) {
    values.delete(oldest);
    return;
  }
}
