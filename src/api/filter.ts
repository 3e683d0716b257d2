import { type Static, Type } from 'typebox';
import type { CallFilter } from '../archive/read/call-filter.ts';
import { type Metadata, OUTCOMES } from '../call/call.ts';
import {
  CALL_SID_PREFIX_PATTERN,
  isStorableTime,
  MAX_CALL_SID_LENGTH,
  STORABLE_PATTERN,
} from '../call/limits.ts';
import { problem } from './problems.ts';
import { Account } from './schemas.ts';
import { checker } from './validation.ts';

const METADATA_PREFIX = 'metadata.';

/** Fields of each route that answers about many calls. */
export const scopeFields = {
  account: Type.Optional(Account),
  registeredFrom: time('Only calls that were registered then or later.'),
  registeredTo: time('Only calls that were registered before then.'),
};

/** Fields of each route that lists or exports calls. */
export const filterFields = {
  ...scopeFields,
  status: Type.Optional(
    Type.String({ pattern: STORABLE_PATTERN, description: 'Only calls whose last status is this.' }),
  ),
  outcome: Type.Optional(
    Type.Enum([...OUTCOMES, 'none'], {
      type: 'string',
      description: 'Only calls that ended so; `none`: that are still followed.',
    }),
  ),
  settledFrom: time('Only calls that settled then or later.'),
  settledTo: time('Only calls that settled before then.'),
  reason: Type.Optional(
    Type.String({
      minLength: 1,
      pattern: STORABLE_PATTERN,
      description: 'Only calls whose last reason is exactly this.',
    }),
  ),
  callSidPrefix: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: MAX_CALL_SID_LENGTH,
      pattern: CALL_SID_PREFIX_PATTERN,
      description: 'Only calls whose callSid begins so.',
    }),
  ),
};

function time(description: string) {
  return Type.Optional(Type.String({ format: 'date-time', description }));
}

const MetadataValue = Type.String({ pattern: STORABLE_PATTERN });

/** `metadata.KEY=value`, any number of them; every name that is not listed is refused. */
export const filterOptions = {
  additionalProperties: false,
  patternProperties: { '^metadata\\.[^]+$': MetadataValue },
};

/** The same for OpenAPI, to which each field of an object in a query is a parameter of its own. */
export const MetadataFilter = {
  type: 'object',
  propertyNames: { pattern: '^metadata\\.[^]+$' },
  additionalProperties: MetadataValue,
  description:
    'Only calls whose metadata has this value: `metadata.KEY=VALUE`, with any key, and any number of them. ' +
    '(`metadata` itself is no parameter.)',
  examples: [{}, { 'metadata.campaign': 'spring' }],
};

const FilterFields = Type.Object(filterFields, filterOptions);
type FilterFields = Static<typeof FilterFields>;
const checkFields = checker<FilterFields>(FilterFields, 'filter');

/** The filter that text fields say, by the names they have in a query. Throws `invalid_request` that names the field. */
export function readFilter(fields: Readonly<Record<string, string | undefined>>): CallFilter {
  return filterOf(checkFields(fields));
}

/** The same of a query that its route's schema has let through. */
export function filterOf(query: FilterFields): CallFilter {
  const { status, outcome, account, reason, callSidPrefix } = query;
  const metadata = readMetadata(query);
  return {
    ...(status === undefined ? {} : { status: status.toLowerCase() }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(account === undefined ? {} : { account }),
    ...readTimes(query),
    ...(reason === undefined ? {} : { reason }),
    ...(callSidPrefix === undefined ? {} : { callSidPrefix }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

const TIMES = ['registeredFrom', 'registeredTo', 'settledFrom', 'settledTo'] as const;

function readTimes(query: FilterFields): Pick<CallFilter, (typeof TIMES)[number]> {
  const times: Pick<CallFilter, (typeof TIMES)[number]> = {};
  for (const field of TIMES) {
    const text = query[field];
    if (text === undefined) continue;
    const time = new Date(text);
    if (!isStorableTime(time)) throw problem.invalidField(field, 'is out of range');
    times[field] = time;
  }
  return times;
}

function readMetadata(query: object): Metadata | undefined {
  const entries = Object.entries(query)
    .filter(([name]) => name.startsWith(METADATA_PREFIX))
    .map(([name, value]) => [name.slice(METADATA_PREFIX.length), String(value)]);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
