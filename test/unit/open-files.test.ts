import { describe, expect, it } from 'vitest';
import { connectionLimits, openFilesLimit } from '../../src/open-files.ts';

describe('the connections of a process', () => {
  it.each([256, 1_024, 65_536, 1_048_576])('leave 80 of %i open files for its own', (limit) => {
    const { api, polyai } = connectionLimits(limit);
    expect(limit - api - polyai).toBeGreaterThanOrEqual(80);
    expect(limit - api - polyai).toBeLessThan(82);
  });

  it('are a few at least, and as many as come where the limit is not known', () => {
    expect(connectionLimits(64)).toEqual({ api: 16, polyai: 16 });
    expect(connectionLimits(null)).toEqual({ api: Infinity, polyai: Infinity });
  });

  it.runIf(process.platform === 'linux')('go by the limit in force', () => {
    expect(openFilesLimit()).toBeGreaterThan(80);
  });
});
