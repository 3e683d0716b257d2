import type { Address } from '../address.ts';
import { hrefOf } from '../address.ts';
import { Empty, Failing, Loading } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import type { CallPage } from '../polykeep/answers.ts';
import { useNews } from '../polykeep/news.ts';
import { useResource } from '../polykeep/resource.ts';
import { CallTable } from './call-table.tsx';
import { CsvButton } from './csv-button.tsx';
import { filterOf } from './filter.ts';
import { Filters } from './filters.tsx';
import { readPage } from './read-page.ts';

const PAGE_SIZE = 50;

/** The calls, newest first, and live as long as the reader is on the first page. */
export function CallsView({ query }: { query: Address['query'] }) {
  useTitle('Calls');
  const filter = filterOf(query);
  const cursor = query.get('cursor');
  const path = pathOf(filter, cursor);
  const page = useResource<CallPage>(path, readPage);
  const isLive = cursor === null && page.answer !== null;
  useNews(isLive, filter.get('account'), page.renew);

  return (
    <>
      <div class="head">
        <h1>Calls</h1>
        {isLive && page.failure === null && <span class="live">live</span>}
        <CsvButton filter={filter} />
      </div>
      <Filters filter={filter} />
      <List page={page} filter={filter} isFirst={cursor === null} />
    </>
  );
}

function pathOf(filter: URLSearchParams, cursor: string | null): string {
  const asked = new URLSearchParams(filter);
  asked.set('limit', String(PAGE_SIZE));
  if (cursor !== null) asked.set('cursor', cursor);
  return `/v1/calls?${asked}`;
}

interface ListProps {
  page: ReturnType<typeof useResource<CallPage>>;
  filter: URLSearchParams;
  isFirst: boolean;
}

function List({ page: { answer, failure, renew }, filter, isFirst }: ListProps) {
  if (answer === null) {
    if (failure !== null) return <Failing failure={failure} retry={renew} />;
    return <Loading rows={10} label="Loading calls" />;
  }
  if (answer.data.length === 0)
    return isFirst ? <NoCalls isFiltered={filter.size > 0} /> : <NoMore filter={filter} />;
  return (
    <>
      <CallTable calls={answer.data} />
      <nav class="pages" aria-label="Pages">
        {!isFirst && <a href={hrefOf(['calls'], filter)}>Newest</a>}
        {!isFirst && (
          <button type="button" class="link" onClick={() => history.back()}>
            Newer
          </button>
        )}
        {answer.nextCursor !== null && (
          <a
            href={hrefOf(
              ['calls'],
              [...filter, ['cursor', answer.nextCursor]].reduce(withEntry, new URLSearchParams()),
            )}
          >
            Older
          </a>
        )}
      </nav>
    </>
  );
}

function withEntry(entries: URLSearchParams, [name = '', value = '']: string[]): URLSearchParams {
  entries.set(name, value);
  return entries;
}

function NoCalls({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No call fits">
        <p>
          Take a filter away, or <a href="#/calls">see all calls</a>.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No call yet">
      <p>polykeep follows what it is told of. Tell it of a call:</p>
      <pre>
        <code>{`curl -X POST ${location.origin}/v1/calls -H 'content-type: application/json' \\\n     -d '{"callSid": "OUT-…"}'`}</code>
      </pre>
      <p class="muted">It appears here by itself.</p>
    </Empty>
  );
}

function NoMore({ filter }: { filter: URLSearchParams }) {
  return (
    <Empty title="No older call">
      <p>
        <a href={hrefOf(['calls'], filter)}>Back to the newest</a>
      </p>
    </Empty>
  );
}
