import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { type FollowedCall, type Report, UNSEEN } from '../../src/call/call.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { Findings } from '../../src/follow/findings.ts';
import { Recorder } from '../../src/follow/recorder.ts';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { PolyAiError } from '../../src/polyai/polyai-error.ts';
import { silentLog as log } from '../support/log.ts';

const settings = {
  notFoundGraceMs: 120_000,
  retentionMs: 7_200_000,
  maxTrackingMs: 86_400_000,
  pollTimeoutMs: 10_000,
};

/** What one lease finds out, with an archive that commits at once. */
function lease(callSid: string, reported: (report: Report) => void = () => {}) {
  const call: FollowedCall = {
    callSid,
    account: 'default',
    state: UNSEEN,
    ageMs: 0,
    silentMs: null,
    polls: 0,
  };
  const recorder = new Recorder(
    {
      async report(report) {
        reported(report);
        return { ...call, state: recorder.state };
      },
    },
    call,
  );
  const health = { isTrusted: true, contradicted: () => {} };
  return { recorder, findings: new Findings({ settings, clock, log }, call, null, { recorder, health }) };
}

const settled = () => new Promise((done) => setImmediate(done));

it('what 1,000 calls keep of answers of 65 KB is a few kilobytes each', async () => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const used = () => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const leases = Array.from({ length: 1_000 }, (_, n) => lease(`call-${n}`));
  const before = used();
  for (let poll = 0; poll < 3; poll++) {
    for (const [n, { findings }] of leases.entries()) {
      const reason = `${poll} ${n} ${'why '.repeat(8_000)}`;
      const body = JSON.stringify({ status: 'queued', reason, padding: `${n}`.padEnd(32_000, '.') });
      findings.answered(api.observe(`call-${n}`, body), Date.now());
    }
    await settled();
  }
  const perCall = (used() - before) / leases.length;
  expect(perCall).toBeLessThan(5_000);
  expect(leases.every(({ recorder }) => recorder.unwritten === 0)).toBe(true);
});

it('a first failure is told at once, and not each one where answers and failures take turns', async () => {
  const reports: Report[] = [];
  const { findings } = lease('call', (report) => void reports.push(report));
  const failure = new PolyAiError('unavailable', 'HTTP 502');
  const answer = api.observe('call', '{"status":"queued"}');
  findings.failed(failure);
  expect(reports).toMatchObject([{ polls: 1, failedPolls: 1, lastError: 'HTTP 502' }]);
  await settled();
  findings.failed(failure);
  findings.answered(answer, Date.now());
  await settled();
  // The transition told that all is well again: the next failure is news.
  expect(reports.slice(1)).toMatchObject([{ polls: 2, lastError: null, sighting: { status: 'queued' } }]);
  for (let n = 0; n < 50; n++) {
    findings.failed(failure);
    await settled();
    findings.answered(answer, Date.now());
    await settled();
  }
  expect(reports.slice(2)).toMatchObject([{ failedPolls: 1, lastError: 'HTTP 502' }]);
});

it('an answer that a stopped process reads a minute late was seen within its time-out, and observed now', async () => {
  const reports: Report[] = [];
  const { findings } = lease('late', (report) => reports.push(report));
  const askedAt = Date.now() - 60_000;
  findings.answered(api.observe('late', '{"status":"queued"}'), askedAt);
  await settled();
  const sighting = reports[0]?.sighting;
  expect(sighting?.seenAt.getTime()).toBe(askedAt + settings.pollTimeoutMs);
  expect(sighting?.observedAt.getTime()).toBeGreaterThanOrEqual(askedAt + 60_000);
});
