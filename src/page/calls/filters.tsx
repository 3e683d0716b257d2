import { useEffect, useRef, useState } from 'preact/hooks';
import { go, hrefOf } from '../address.ts';
import { about } from '../polykeep/session.ts';
import { OUTCOME_WORDS, statusText } from '../words/outcomes.ts';
import { localInput, timeText } from '../words/times.ts';
import { type Field, searchTextOf, withField, withSearch } from './filter.ts';

const STATUSES = ['queued', 'calling', 'success', 'failure'];
const LABELS: Record<string, string> = {
  outcome: 'Outcome',
  status: 'Last status',
  account: 'Account',
  reason: 'Reason',
  registeredFrom: 'Registered from',
  registeredTo: 'Registered before',
  settledFrom: 'Ended from',
  settledTo: 'Ended before',
  callSidPrefix: 'callSid begins with',
};

export function Filters({ filter }: { filter: URLSearchParams }) {
  const change = (field: string, value: string) => go(hrefOf(['calls'], withField(filter, field, value)));
  return (
    <section class="filters" aria-label="Search and filters">
      <Search filter={filter} />
      <details class="panel">
        <summary>Filters{filter.size > 0 && <span class="count"> {filter.size}</span>}</summary>
        <div class="fields">
          <Choice field="outcome" filter={filter} change={change} options={Object.entries(OUTCOME_WORDS)} />
          <Choice
            field="status"
            filter={filter}
            change={change}
            options={STATUSES.map((status) => [status, statusText(status)])}
          />
          <Choice
            field="account"
            filter={filter}
            change={change}
            options={(about.value?.accounts ?? []).map((name) => [name, name])}
          />
          <Text field="reason" filter={filter} change={change} />
          <Moment field="registeredFrom" filter={filter} change={change} />
          <Moment field="registeredTo" filter={filter} change={change} />
          <Moment field="settledFrom" filter={filter} change={change} />
          <Moment field="settledTo" filter={filter} change={change} />
        </div>
      </details>
      <Chosen filter={filter} change={change} />
    </section>
  );
}

function Search({ filter }: { filter: URLSearchParams }) {
  const text = searchTextOf(filter);
  const input = useRef<HTMLInputElement>(null);
  // The address may change under the box: by a chip, or by the way back.
  useEffect(() => {
    if (input.current !== null) input.current.value = text;
  }, [text]);

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    go(hrefOf(['calls'], withSearch(filter, input.current?.value ?? '')));
  }

  return (
    <search>
      <form class="search" onSubmit={submit}>
        <input
          ref={input}
          type="search"
          aria-label="Search by callSid or metadata"
          placeholder="callSid or its beginning, or customer:C-1042"
          defaultValue={text}
          spellcheck={false}
          autocomplete="off"
        />
        <button type="submit" class="primary">
          Search
        </button>
      </form>
    </search>
  );
}

interface FieldProps {
  field: Field;
  filter: URLSearchParams;
  change: (field: string, value: string) => void;
}

function Choice({
  field,
  filter,
  change,
  options,
}: FieldProps & { options: readonly (readonly string[])[] }) {
  const chosen = filter.get(field) ?? '';
  return (
    <label>
      {LABELS[field]}
      <select value={chosen} onChange={({ currentTarget }) => change(field, currentTarget.value)}>
        <option value="">Any</option>
        {options.map(([value = '', word = '']) => (
          <option key={value} value={value} selected={value === chosen}>
            {word}
          </option>
        ))}
        {chosen !== '' && !options.some(([value]) => value === chosen) && (
          <option value={chosen} selected>
            {chosen}
          </option>
        )}
      </select>
    </label>
  );
}

function Text({ field, filter, change }: FieldProps) {
  return (
    <label>
      {LABELS[field]}
      <input
        type="text"
        value={filter.get(field) ?? ''}
        placeholder="e.g. no answer"
        onChange={({ currentTarget }) => change(field, currentTarget.value.trim())}
      />
    </label>
  );
}

/** The reader's clock in the field, UTC in the address. It counts when the field is left, not at each digit. */
function Moment({ field, filter, change }: FieldProps) {
  const given = new Date(filter.get(field) ?? '');
  const known = Number.isNaN(given.getTime()) ? '' : localInput(given);
  const [value, setValue] = useState(known);
  useEffect(() => setValue(known), [known]);

  function leave(): void {
    if (value === known) return;
    const time = new Date(value);
    change(field, Number.isNaN(time.getTime()) ? '' : time.toISOString());
  }

  return (
    <label>
      {LABELS[field]}
      <input
        type="datetime-local"
        value={value}
        onInput={({ currentTarget }) => setValue(currentTarget.value)}
        onBlur={leave}
        onKeyDown={({ key }) => key === 'Enter' && leave()}
      />
    </label>
  );
}

/** What is chosen, each to be taken away again. */
function Chosen({ filter, change }: Omit<FieldProps, 'field'>) {
  if (filter.size === 0) return null;
  return (
    <ul class="chosen" aria-label="Chosen filters">
      {[...filter].map(([name, value]) => (
        <li key={name}>
          <button
            type="button"
            onClick={() => change(name, '')}
            aria-label={`Take away ${chipText(name, value)}`}
          >
            {chipText(name, value)} <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
      <li>
        <a href="#/calls">Clear all</a>
      </li>
    </ul>
  );
}

function chipText(name: string, value: string): string {
  if (name.startsWith('metadata.')) return `${name.slice('metadata.'.length)}: ${value}`;
  return `${LABELS[name] ?? name}: ${valueText(name, value)}`;
}

function valueText(name: string, value: string): string {
  if (name === 'status') return statusText(value);
  if (name === 'outcome')
    return Object.entries(OUTCOME_WORDS).find(([outcome]) => outcome === value)?.[1] ?? value;
  const time = new Date(value);
  return /(From|To)$/.test(name) && !Number.isNaN(time.getTime()) ? timeText(time) : value;
}
