import { describe, expect, it } from 'vitest';
import {
  type CallState,
  type FollowedCall,
  type Report,
  type Sighting,
  UNSEEN,
} from '../../src/call/call.ts';
import { Recorder } from '../../src/follow/recorder.ts';

const call = (state: CallState = UNSEEN): FollowedCall => ({
  callSid: 'a',
  account: 'default',
  state,
  ageMs: 0,
  silentMs: null,
  polls: 0,
});
const inState = (status: string): CallState => ({ ...UNSEEN, status });
const sighting = (status: string): Sighting => ({
  status,
  reason: null,
  createdAt: null,
  lastUpdated: null,
  payload: {},
  body: '{}',
  changedAfter: null,
  observedAt: new Date(),
  seenAt: new Date(),
});

/** An archive that commits when it is told to. */
function archive() {
  const reports: Report[] = [];
  const answers: PromiseWithResolvers<FollowedCall | null>[] = [];
  const recorder = new Recorder(
    {
      report(report) {
        reports.push(report);
        const answer = Promise.withResolvers<FollowedCall | null>();
        answers.push(answer);
        return answer.promise;
      },
    },
    call(),
  );
  async function commit(answer: FollowedCall | null | Error = call()): Promise<void> {
    const next = answers.shift();
    if (next === undefined) throw new Error('nothing is being written');
    if (answer instanceof Error) next.reject(answer);
    else next.resolve(answer);
    await new Promise((done) => setImmediate(done));
  }
  return { recorder, reports, commit };
}

describe('reports', () => {
  it('are written in the order they were sent, each when the one before is committed', async () => {
    const { recorder, reports, commit } = archive();
    for (const status of ['queued', 'calling', 'success']) recorder.send({ sighting: sighting(status) });
    expect(reports.map((report) => report.sighting?.status)).toEqual(['queued']);
    expect(recorder.unwritten).toBe(3);
    await commit();
    await commit();
    expect(reports.map((report) => report.sighting?.status)).toEqual(['queued', 'calling', 'success']);
    expect(recorder.unwritten).toBe(1);
    await commit();
    expect(recorder.unwritten).toBe(0);
    await recorder.written();
  });

  it('have the last answer that was no news with them, once', async () => {
    const { recorder, reports, commit } = archive();
    recorder.sawAgain('{"n":1}', 1_000);
    recorder.sawAgain('{"n":2}', 2_000);
    recorder.send({ followForMs: 1 });
    await commit();
    recorder.send({ followForMs: 1 });
    await commit();
    expect(reports).toMatchObject([{ lastSeenAt: new Date(2_000), lastBody: '{"n":2}' }, { followForMs: 1 }]);
    expect(reports[1]).not.toHaveProperty('lastSeenAt');
  });

  it('count each poll once', async () => {
    const { recorder, reports, commit } = archive();
    recorder.countPoll('HTTP 500');
    recorder.countPoll(null);
    recorder.send({});
    recorder.countPoll('HTTP 502');
    recorder.send({ followForMs: 1 });
    await commit();
    expect(reports).toEqual([
      { callSid: 'a', polls: 2, failedPolls: 1, lastError: null },
      { callSid: 'a', polls: 1, failedPolls: 1, lastError: 'HTTP 502', followForMs: 1 },
    ]);
  });

  it('without news join the one that waits, so that an outage piles up news alone', async () => {
    const { recorder, reports, commit } = archive();
    recorder.send({ sighting: sighting('queued') });
    for (let n = 1; n <= 100; n++) {
      recorder.countPoll(null);
      recorder.send({ followForMs: n });
    }
    recorder.send({ sighting: sighting('calling') });
    recorder.send({ followForMs: 200 });
    expect(recorder.unwritten).toBe(3);
    while (recorder.unwritten > 0) await commit();
    expect(reports.slice(1)).toMatchObject([
      { polls: 100, failedPolls: 0, followForMs: 100 },
      { polls: 0, followForMs: 200, sighting: { status: 'calling' } },
    ]);
  });

  it('never join the one on its way', async () => {
    const { recorder, reports, commit } = archive();
    recorder.send({ followForMs: 1 });
    recorder.send({ followForMs: 2 });
    await commit();
    expect(reports.map(({ followForMs }) => followForMs)).toEqual([1, 2]);
  });

  it('after one that is rejected are not written, and whoever asks is told', async () => {
    const { recorder, reports, commit } = archive();
    recorder.send({ sighting: sighting('queued') });
    recorder.send({ sighting: sighting('calling') });
    await commit(new Error('refused'));
    expect(reports).toHaveLength(1);
    expect(() => recorder.unwritten).toThrow('refused');
    await expect(recorder.written()).rejects.toThrow('refused');
  });
});

describe('the state', () => {
  it('is that of the archive, but not before what is still to be written is in it', async () => {
    const { recorder, commit } = archive();
    recorder.send({ sighting: sighting('queued') }, inState('queued'));
    recorder.send({ sighting: sighting('calling') }, inState('calling'));
    await commit(call(inState('queued')));
    expect(recorder.state.status).toBe('calling');
    await commit(call(inState('in-progress')));
    expect(recorder.state.status).toBe('in-progress');
  });

  it('is over at once where another follower settled the call, or it was erased', async () => {
    const settled = archive();
    settled.recorder.send({ sighting: sighting('queued') });
    settled.recorder.send({ sighting: sighting('calling') });
    await settled.commit(call({ ...UNSEEN, status: 'success', outcome: 'success' }));
    expect(settled.recorder.isOver).toBe(true);

    const erased = archive();
    erased.recorder.send({ sighting: sighting('queued') });
    expect(erased.recorder.isOver).toBe(false);
    await erased.commit(null);
    expect(erased.recorder.isOver).toBe(true);
  });
});

describe('while Postgres is away', () => {
  it('a call is full once 50 reports wait, or 128 K characters of bodies', async () => {
    const { recorder, commit } = archive();
    for (let n = 0; !recorder.isFull; n++) recorder.send({ sighting: sighting(`status-${n}`) });
    expect(recorder.unwritten).toBe(51);
    while (recorder.isFull) await commit();
    expect(recorder.unwritten).toBe(50);

    const large = archive();
    const body = 'x'.repeat(60_000);
    for (let n = 0; !large.recorder.isFull; n++) {
      large.recorder.send({ sighting: { ...sighting(`status-${n}`), body } });
    }
    expect(large.recorder.unwritten).toBe(3);
  });
});

describe('a large body', () => {
  const large = (n: number) => JSON.stringify({ status: 'queued', padding: `${n}`.repeat(60_000) });

  it('is in a report at once where it is another one than before, and is not kept', async () => {
    const { recorder, reports, commit } = archive();
    for (const [at, body] of [large(1), large(1), large(2)].entries()) {
      recorder.sawAgain(body, at);
      if (recorder.unwritten > 0) await commit();
    }
    recorder.send({ followForMs: 1 });
    await commit();
    expect(reports.map(({ lastBody }) => lastBody?.length)).toEqual([
      large(1).length,
      large(2).length,
      undefined,
    ]);
  });
});
