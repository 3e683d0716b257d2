import { hrefOf } from '../address.ts';
import { Mark } from '../parts/mark.tsx';
import { Scroll } from '../parts/scroll.tsx';
import type { AccountHealth } from '../polykeep/answers.ts';
import { countText } from '../words/numbers.ts';
import type { Meaning } from '../words/outcomes.ts';
import { durationText } from '../words/times.ts';

const STATES: Readonly<Record<string, { words: string; meaning: Meaning }>> = {
  ok: { words: 'Fine', meaning: 'success' },
  limited: { words: 'Slowed by PolyAI', meaning: 'concluded' },
  failing: { words: 'No answer', meaning: 'failure' },
  paused: { words: 'Token refused', meaning: 'failure' },
  unproven: { words: 'Knows no call', meaning: 'concluded' },
  unconfigured: { words: 'Not configured', meaning: 'concluded' },
};

interface AccountTableProps {
  accounts: readonly AccountHealth[];
  /** Polls are made elsewhere: how they go is not known here. */
  isRemote: boolean;
}

export function AccountTable({ accounts, isRemote }: AccountTableProps) {
  return (
    <section class="panel" aria-labelledby="accounts">
      <h2 id="accounts">Accounts</h2>
      <Scroll label="Accounts in numbers">
        <table class="accounts">
          <thead>
            <tr>
              <th scope="col">Account</th>
              <th scope="col">Polls</th>
              <th scope="col" class="number">
                Followed
              </th>
              <th scope="col" class="number">
                At risk
              </th>
              <th scope="col" class="number wide">
                Longest silence
              </th>
              <th scope="col" class="wide">
                Rate limit
              </th>
            </tr>
          </thead>
          <tbody>
            {accounts.map((account) => (
              <AccountRow key={account.name} account={account} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="muted small">
        At risk: PolyAI has shown nothing of the call for half an hour. It forgets a call two hours after its
        end.
        {isRemote &&
          ' How polls go is known to the workers; here it is shown as far as this process has polled.'}
      </p>
    </section>
  );
}

function AccountRow({ account }: { account: AccountHealth }) {
  const { name, state, detail, followed, atRisk, longestSilenceSeconds } = account;
  const { words, meaning } = STATES[state] ?? { words: state, meaning: 'concluded' as const };
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf(['calls'], { account: name })}>{name}</a>
        {account.api !== null && <div class="muted small">{account.api}</div>}
      </th>
      <td>
        <span class={`state-word ${meaning}`}>
          <Mark meaning={meaning} />
          {words}
        </span>
        {detail !== null && <div class="reason">{detail}</div>}
      </td>
      <td class="number">
        {followed === null ? (
          '–'
        ) : (
          <a href={hrefOf(['calls'], { account: name, outcome: 'none' })}>{countText(followed)}</a>
        )}
      </td>
      <td class="number">{atRisk === null ? '–' : countText(atRisk)}</td>
      <td class="number wide">
        {longestSilenceSeconds === null || followed === 0 ? '–' : durationText(longestSilenceSeconds * 1000)}
      </td>
      <td class="wide">
        <Rate account={account} />
      </td>
    </tr>
  );
}

function Rate({
  account: { requestsPerSecond, maxRequestsPerSecond, waitingPolls },
}: {
  account: AccountHealth;
}) {
  if (requestsPerSecond === null) return <span class="muted">none known</span>;
  return (
    <>
      {countText(Math.round(requestsPerSecond * 10) / 10)}/s
      {maxRequestsPerSecond !== null && <span class="muted"> of {countText(maxRequestsPerSecond)}</span>}
      {waitingPolls > 0 && <div class="muted small">{countText(waitingPolls)} polls wait</div>}
    </>
  );
}
