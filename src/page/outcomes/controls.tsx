import { type Address, go, hrefOf } from '../address.ts';
import { about } from '../polykeep/session.ts';
import { OWN_ZONE } from '../words/times.ts';
import { PERIODS, type Question } from './question.ts';

const BUCKET_WORDS = { hour: 'Hour', day: 'Day', week: 'Week' };

export function Controls({ query, question }: { query: Address['query']; question: Question }) {
  const { accounts = [], statsBy = [] } = about.value ?? {};
  const change = (field: string) => (value: string) => {
    const next = new URLSearchParams(query);
    next.set(field, value);
    // Each period has the bucket that suits it; who wants another one chooses it then.
    if (field === 'period') next.delete('bucket');
    if (value === '') next.delete(field);
    go(hrefOf(['outcomes'], next));
  };
  const groups = [['', 'Nothing'], ['account', 'Account'], ...statsBy.map((key) => [`metadata.${key}`, key])];
  return (
    <div class="controls fields">
      <Choice
        label="Period"
        value={question.period}
        options={Object.entries(PERIODS).map(([name, { words }]) => [name, words])}
        change={change('period')}
      />
      <Choice
        label="By"
        value={question.bucket}
        options={Object.entries(BUCKET_WORDS)}
        change={change('bucket')}
      />
      <Choice
        label="Account"
        value={question.account}
        options={[['', 'All'], ...accounts.map((name) => [name, name])]}
        change={change('account')}
      />
      <Choice label="Split by" value={question.by} options={groups} change={change('by')} />
      <label>
        Time zone
        <input
          list="zones"
          value={question.zone}
          onChange={({ currentTarget }) => change('zone')(currentTarget.value.trim())}
        />
        <Zones />
      </label>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly string[])[];
  change: (value: string) => void;
}

function Choice({ label, value, options, change }: ChoiceProps) {
  return (
    <label>
      {label}
      <select value={value} onChange={({ currentTarget }) => change(currentTarget.value)}>
        {options.map(([name = '', words = '']) => (
          <option key={name} value={name} selected={name === value}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

const ZONES = [OWN_ZONE, 'UTC', ...Intl.supportedValuesOf('timeZone')];

function Zones() {
  return (
    <datalist id="zones">
      {[...new Set(ZONES)].map((zone) => (
        <option key={zone} value={zone} />
      ))}
    </datalist>
  );
}
