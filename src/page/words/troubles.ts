import type { AccountHealth, Health } from '../polykeep/answers.ts';
import { counted } from './numbers.ts';
import { durationText } from './times.ts';

/** Something that is not as it should be, in words for whoever has never read the code. */
export interface Trouble {
  /** `bad`: calls are being lost, or will be within hours. */
  severity: 'bad' | 'warning';
  title: string;
  text: string;
  /** The heading in docs/operations.md that says what to do. */
  runbook: string;
}

/** The worst first. */
export function troublesOf(health: Health): Trouble[] {
  const troubles = [
    ...(health.archive.state === 'down' ? [ARCHIVE_DOWN] : []),
    ...(health.queue.state === 'down' ? [QUEUE_DOWN] : []),
    ...nobodyWorks(health),
    ...health.accounts.flatMap((account) => [...stateTroubles(account), ...riskTroubles(account)]),
  ];
  const isBad = ({ severity }: Trouble) => Number(severity === 'bad');
  return troubles.sort((a, b) => isBad(b) - isBad(a));
}

const ARCHIVE_DOWN: Trouble = {
  severity: 'bad',
  title: 'Postgres is away, or takes no writes',
  text: 'New calls are refused. Workers follow on, keep what they see in memory, and write it when Postgres is back: do not restart them.',
  runbook: 'polykeeparchiveaway',
};

const QUEUE_DOWN: Trouble = {
  severity: 'warning',
  title: 'Redis is away, or refuses writes',
  text: 'Calls are still taken in and followed. New ones are found in Postgres, some seconds later than usual.',
  runbook: 'polykeepqueueaway',
};

/** Calls wait, and there is nobody to follow them. */
function nobodyWorks({ workers, accounts }: Health): Trouble[] {
  const followed = accounts.reduce((sum, account) => sum + (account.followed ?? 0), 0);
  if (workers.count !== 0 || followed === 0) return [];
  return [
    {
      severity: 'bad',
      title: 'No worker runs',
      text: `${counted(followed, 'call has', 'calls have')} not ended, and nobody asks PolyAI about them. Start a worker.`,
      runbook: 'polykeepnobodypolls',
    },
  ];
}

function stateTroubles(account: AccountHealth): Trouble[] {
  const { name, state, detail, nextProbeSeconds, followed } = account;
  switch (state) {
    case 'ok':
      return [];
    case 'paused':
      return [
        {
          severity: 'bad',
          title: `PolyAI refuses the token of the account ${name}`,
          text: `Its calls wait${probe(nextProbeSeconds)}. Put a valid token into the configuration: what ends meanwhile is known to PolyAI for two hours.`,
          runbook: 'polykeepaccountpaused',
        },
      ];
    case 'failing':
      return [
        {
          severity: 'bad',
          title: `PolyAI does not answer for the account ${name}`,
          text: `The last poll met: ${detail ?? 'no answer'}. Each call is asked for again, more and more rarely.`,
          runbook: 'polykeepaccountfailing',
        },
      ];
    case 'unproven':
      return [
        {
          severity: 'warning',
          title: `PolyAI knows none of the calls of the account ${name}`,
          text: 'Its URL, region or token may be those of another account. Nothing is concluded of its calls meanwhile.',
          runbook: 'polykeepaccountunproven',
        },
      ];
    case 'limited':
      return [
        {
          severity: 'warning',
          title: `PolyAI slows the account ${name} down`,
          text: 'It answers “too many requests”: calls are asked for less often than they should be, and times are less sure.',
          runbook: 'polykeeppollsstretched',
        },
      ];
    case 'unconfigured':
      return followed === 0 ? [] : [unconfigured(account)];
    default:
      return [
        {
          severity: 'warning',
          title: `The account ${name} is ${state}`,
          text: detail ?? '',
          runbook: 'alerts',
        },
      ];
  }
}

function unconfigured({ name, followed, atRisk }: AccountHealth): Trouble {
  const calls = followed === null ? 'Its calls wait' : counted(followed, 'call waits', 'calls wait');
  return {
    severity: atRisk === null || atRisk === 0 ? 'warning' : 'bad',
    title: `The account ${name} is not configured`,
    text: `${calls} for it, and PolyAI forgets a call two hours after its end. Configure it again, or erase them.`,
    runbook: 'polykeepcallsatrisk',
  };
}

function riskTroubles({ name, state, atRisk, longestSilenceSeconds }: AccountHealth): Trouble[] {
  if (atRisk === null || atRisk === 0 || state === 'unconfigured') return [];
  const longest =
    longestSilenceSeconds === null ? '' : `, ${durationText(longestSilenceSeconds * 1000)} at the longest`;
  return [
    {
      severity: 'bad',
      title: `${counted(atRisk, 'call', 'calls')} of the account ${name} may be lost`,
      text: `PolyAI has shown nothing of them for half an hour${longest}. It forgets a call two hours after its end.`,
      runbook: 'polykeepcallsatrisk',
    },
  ];
}

function probe(seconds: number | null): string {
  return seconds === null ? '' : `; the token is tried again in ${durationText(seconds * 1000)}`;
}

export const runbookHref = (heading: string) => `/runbook#${heading}`;
