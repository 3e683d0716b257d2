import { appendFileSync } from 'node:fs';
import { Client } from 'pg';

/** Loaded in front of a polykeep (`node --import`): writes each query that it sends to the file RECORD_TO. */

export interface SentQuery {
  /** Which connection it went over, counted from 1. */
  connection: number;
  text: string;
  values: unknown[];
}

/** Connections whose queries depend on the schema; not those of migrations, which are the schema. */
const RECORDED = ['polykeep', 'polykeep export'];

const file = process.env.RECORD_TO;
const connections = new Map<Client, number>();
const { query } = Client.prototype;

function record(this: Client, ...args: unknown[]): unknown {
  const [config, given] = args;
  const { text, values = given } = typeof config === 'string' ? { text: config } : Object(config);
  if (!connections.has(this)) connections.set(this, connections.size + 1);
  if (file !== undefined && typeof text === 'string' && RECORDED.includes(applicationOf(this))) {
    const sent = { connection: connections.get(this), text, values: Array.isArray(values) ? values : [] };
    appendFileSync(file, `${JSON.stringify(sent)}\n`);
  }
  return Reflect.apply(query, this, args);
}

function applicationOf(client: Client): string {
  const parameters: unknown = Reflect.get(client, 'connectionParameters');
  return String(Reflect.get(Object(parameters), 'application_name'));
}

Reflect.set(Client.prototype, 'query', record);
