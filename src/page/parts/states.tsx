import type { ComponentChildren } from 'preact';
import type { Failure } from '../polykeep/failure.ts';

/** What a view shows where it has nothing to show: each says what is the matter, and what may be done. */

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <section class="state">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export function Failing({ failure, retry }: { failure: Failure; retry: () => Promise<void> }) {
  return (
    <section class="state" role="alert">
      <h2>{titleOf(failure)}</h2>
      <p>{textOf(failure)}</p>
      <button type="button" onClick={() => void retry()}>
        Try again
      </button>
    </section>
  );
}

function titleOf({ kind, code }: Failure): string {
  if (kind === 'away') return 'polykeep does not answer';
  if (code === 'archive_unavailable') return 'Postgres is away';
  if (code === 'stats_too_slow') return 'That is too much to count';
  return 'That did not work';
}

function textOf({ kind, code, message }: Failure): string {
  if (kind === 'away')
    return 'It may be starting, or the way to it is broken. Calls are in Postgres, whatever this page shows.';
  if (code === 'archive_unavailable')
    return 'Nothing can be read until it is back. What workers see meanwhile they keep, and write then.';
  if (code === 'stats_too_slow') return 'Choose a shorter period, or one account.';
  return message;
}

/** Bars where words will be: of the size of what comes, so that nothing jumps. */
export function Loading({ rows = 6, label }: { rows?: number; label: string }) {
  return (
    <div class="loading" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} class={`bone w${row % 4}`} />
      ))}
    </div>
  );
}
