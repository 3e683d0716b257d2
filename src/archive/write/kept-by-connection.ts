import type { PoolClient } from 'pg';

/** What is read and never changed, such as the number of a status; but PolyAI may invent any number of statuses. */
const KEPT_AT_MOST = 1_000;

/**
 * What each connection has read, by its key: empty for a new one, and anew once it is full. By connection, since whoever
 * puts another database in the place of this one has ended its connections first.
 */
export function keptByConnection<Key, Value>(): (client: PoolClient) => Map<Key, Value> {
  const kept = new WeakMap<PoolClient, Map<Key, Value>>();
  return (client) => {
    const values = kept.get(client);
    if (values !== undefined && values.size < KEPT_AT_MOST) return values;
    const none = new Map<Key, Value>();
    kept.set(client, none);
    return none;
  };
}
