import { createServer } from 'node:net';
import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { createMcpServer } from '../../src/commands/mcp-tools.ts';

it('an assistant hears of a polykeep that takes its request and never answers', async () => {
  const frozen = createServer(() => {});
  await new Promise<void>((resolve) => frozen.listen(0, '127.0.0.1', resolve));
  const address = frozen.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const server = createMcpServer(createClient({ url: `http://127.0.0.1:${port}` }), 200);
  const client = new Client({ name: 'test', version: '1' });
  const [near, far] = InMemoryTransport.createLinkedPair();
  onTestFinished(async () => {
    await client.close();
    frozen.close();
  });
  await Promise.all([server.connect(far), client.connect(near)]);
  for (const [name, given] of [
    ['find_call', { callSid: 'one' }],
    ['list_calls', {}],
    ['call_statistics', {}],
    ['health', {}],
  ] as const) {
    const { isError, content } = await client.callTool({ name, arguments: given });
    expect({ isError, text: JSON.stringify(content) }, name).toEqual({
      isError: true,
      text: expect.stringContaining('polykeep cannot be asked: The operation was aborted due to timeout'),
    });
  }
});
