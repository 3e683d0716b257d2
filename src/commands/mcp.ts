import { parseArgs } from 'node:util';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createClient } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import { createMcpServer } from './mcp-tools.ts';

/**
 * `polykeep mcp`: the Model Context Protocol on standard input and output, until the input ends; nothing else is written
 * to the output. Throws an `Error` of one plain line where it cannot begin.
 */
export function mcp(
  args: string[],
  { PORT, POLYKEEP_API_KEY }: Pick<Config, 'PORT' | 'POLYKEEP_API_KEY'>,
): void {
  const { values } = parseArgs({ args, options: { url: { type: 'string' } } });
  const url = values.url ?? `http://127.0.0.1:${PORT}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Error('--url: must be an http:// or https:// URL');
  const polykeep = createClient({
    url,
    ...(POLYKEEP_API_KEY === undefined ? {} : { apiKey: POLYKEEP_API_KEY }),
  });
  serveStdio(() => createMcpServer(polykeep), {
    onerror: (error) => console.error(`polykeep: ${error.message}`),
  });
}
