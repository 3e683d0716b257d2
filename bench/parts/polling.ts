import type { Part } from '../part.ts';

/** Polls per second and CPU per poll, beside a bare loop and beside what people would write instead. */
export const polling: Part = {
  name: 'polling',
  async run(bench) {
    const upstream = await bench.upstream();
    const { polls } = await upstream.report();
    return {
      title: 'Polling',
      text: '',
      tables: [{ head: ['candidate', 'polls'], rows: [['none', polls]] }],
      targets: [],
      notes: [],
      rounds: [],
    };
  },
};
