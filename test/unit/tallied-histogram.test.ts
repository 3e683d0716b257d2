import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { TalliedHistogram } from '../../src/metrics/tallied-histogram.ts';
import { Scrape } from '../support/prometheus.ts';

const FIELDS = { name: 'seconds', help: 'Seconds.', buckets: [0.5, 1, 2.5] };
const observations = fc.array(
  fc.record({
    account: fc.constantFrom('us', 'uk', 'a "quoted" one'),
    value: fc.oneof(fc.constantFrom(0, 0.5, 1, 2.5), fc.double({ min: 0, max: 5, noNaN: true })),
  }),
);

it("tells Prometheus what prom-client's own histogram tells", async () => {
  await fc.assert(
    fc.asyncProperty(observations, async (observed) => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const tallied = new TalliedHistogram({ ...FIELDS, registers: [ours] });
      const plain = new Histogram({ ...FIELDS, labelNames: ['account'], registers: [theirs] });
      for (const { account, value } of observed) {
        tallied.tally(account).observe(value);
        plain.observe({ account }, value);
      }
      const [told, expected] = [await ours.metrics(), await theirs.metrics()].map((text) => new Scrape(text));
      expect(told).toEqual(expected);
      expect((await plain.get()).values).toMatchObject((await tallied.get()).values);
    }),
  );
});
