import { hrefOf } from '../address.ts';
import { State } from '../parts/mark.tsx';
import { DoubtfulTime, Time } from '../parts/time.tsx';
import type { Call } from '../polykeep/answers.ts';
import { isConclusion } from '../words/outcomes.ts';

/** Of a call's metadata: the rest is in its own view. */
const SHOWN_KEYS = 3;

export function CallTable({ calls }: { calls: readonly Call[] }) {
  return (
    <table class="calls">
      <caption class="unseen">Calls, newest first</caption>
      <thead>
        <tr>
          <th scope="col">How it went</th>
          <th scope="col">Call</th>
          <th scope="col" class="wide">
            Metadata
          </th>
          <th scope="col" class="wide">
            Account
          </th>
          <th scope="col">Registered</th>
          <th scope="col" class="wide">
            Ended
          </th>
        </tr>
      </thead>
      <tbody>
        {calls.map((call) => (
          <CallRow key={call.callSid} call={call} />
        ))}
      </tbody>
    </table>
  );
}

function CallRow({ call }: { call: Call }) {
  return (
    <tr>
      <td>
        <State call={call} />
        {call.reason !== null && <div class="reason">{call.reason}</div>}
      </td>
      <th scope="row">
        <a class="sid" href={hrefOf(['calls', call.callSid])} title={call.callSid}>
          {call.callSid}
        </a>
      </th>
      <td class="wide">
        <Metadata metadata={call.metadata} />
      </td>
      <td class="wide">{call.account}</td>
      <td>
        <Time at={call.registeredAt} />
      </td>
      <td class="wide">
        <Ended call={call} />
      </td>
    </tr>
  );
}

function Metadata({ metadata }: Pick<Call, 'metadata'>) {
  const entries = Object.entries(metadata);
  return (
    <ul class="chips">
      {entries.slice(0, SHOWN_KEYS).map(([key, value]) => (
        <li key={key}>
          <a href={hrefOf(['calls'], { [`metadata.${key}`]: value })} title={`${key}: ${value}`}>
            <span class="muted">{key}</span> {value}
          </a>
        </li>
      ))}
      {entries.length > SHOWN_KEYS && <li class="muted">+{entries.length - SHOWN_KEYS}</li>}
    </ul>
  );
}

/** An end that PolyAI showed is known as far as the polls saw it; a conclusion has the time at which it was drawn. */
function Ended({ call: { outcome, settledAt, transitions } }: { call: Call }) {
  if (outcome === null || settledAt === null) return <span class="muted">–</span>;
  const last = transitions.at(-1);
  if (isConclusion(outcome) || last === undefined) {
    return (
      <>
        <span class="muted">concluded </span>
        <Time at={settledAt} />
      </>
    );
  }
  return <DoubtfulTime change={last} />;
}
