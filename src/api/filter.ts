import { type Static, Type } from 'typebox';
import type { CallFilter } from '../archive/read/call-filter.ts';
import { type Metadata, OUTCOMES } from '../call/call.ts';
import { invalidField } from './problem.ts';
import { Account, STORABLE } from './schemas.ts';

const METADATA_PREFIX = 'metadata.';

/** Of every route that is about many calls. */
export const scopeFields = {
  account: Type.Optional(Account),
  registeredFrom: Type.Optional(
    Type.String({ format: 'date-time', description: 'Only calls that were registered then or later.' }),
  ),
  registeredTo: Type.Optional(
    Type.String({ format: 'date-time', description: 'Only calls that were registered before then.' }),
  ),
};

export const filterFields = {
  ...scopeFields,
  status: Type.Optional(
    Type.String({ pattern: STORABLE, description: 'Only calls whose last status is this.' }),
  ),
  outcome: Type.Optional(
    Type.Enum([...OUTCOMES, 'none'], {
      type: 'string',
      description: 'Only calls that ended so; `none`: that are still followed.',
    }),
  ),
};

const MetadataValue = Type.String({ pattern: STORABLE });

/** `metadata.KEY=value`, any number of them; every name that is not listed is refused. */
export const filterOptions = {
  additionalProperties: false,
  patternProperties: { '^metadata\\.[^]+$': MetadataValue },
};

/** The same in the words of OpenAPI: the fields of an object in a query are parameters of their own. */
export const MetadataFilter = {
  type: 'object',
  propertyNames: { pattern: '^metadata\\.[^]+$' },
  additionalProperties: MetadataValue,
  description:
    'Only calls whose metadata has this value: `metadata.KEY=VALUE`, with any key, and any number of them. ' +
    '(`metadata` itself is no parameter.)',
  examples: [{}, { 'metadata.campaign': 'spring' }],
};

const FilterQuery = Type.Object(filterFields, filterOptions);
export type FilterQuery = Static<typeof FilterQuery>;

/** The filter of a query that its schema has let through. Throws `ProblemError` for a time out of range. */
export function readFilter(query: FilterQuery): CallFilter {
  const { status, outcome, account } = query;
  const registeredFrom = readTime('registeredFrom', query.registeredFrom);
  const registeredTo = readTime('registeredTo', query.registeredTo);
  const metadata = readMetadata(query);
  return {
    ...(status === undefined ? {} : { status: status.toLowerCase() }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(account === undefined ? {} : { account }),
    ...(registeredFrom === undefined ? {} : { registeredFrom }),
    ...(registeredTo === undefined ? {} : { registeredTo }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** Postgres' own limits are wider than the four digits of ISO 8601, but it has no year 0. */
function readTime(field: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  const year = time.getUTCFullYear();
  if (Number.isNaN(year) || year < 1 || year > 9999) throw invalidField(field, 'is out of range');
  return time;
}

function readMetadata(query: object): Metadata | undefined {
  const entries = Object.entries(query)
    .filter(([name]) => name.startsWith(METADATA_PREFIX))
    .map(([name, value]) => [name.slice(METADATA_PREFIX.length), String(value)]);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
