import { useState } from 'preact/hooks';
import { send } from '../polykeep/client.ts';
import { failureOf } from '../polykeep/failure.ts';
import { countText } from '../words/numbers.ts';

const MEGABYTE = 1_000_000;

/** All calls that fit, as a file. The key goes in a header, so that a plain link would not do. */
export function CsvButton({ filter }: { filter: URLSearchParams }) {
  const [progress, setProgress] = useState<string | null>(null);
  const [complaint, setComplaint] = useState('');

  async function save(): Promise<void> {
    setComplaint('');
    setProgress('Asking …');
    try {
      const response = await send(`/v1/export?${withFormat(filter)}`);
      const blob = await readAll(response, (bytes) =>
        setProgress(`${countText(Math.floor(bytes / MEGABYTE))} MB …`),
      );
      offer(blob, nameIn(response));
    } catch (error) {
      setComplaint(failureOf(error)?.message ?? '');
    }
    setProgress(null);
  }

  return (
    <div class="csv">
      <button type="button" disabled={progress !== null} onClick={() => void save()}>
        {progress ?? 'Save as csv'}
      </button>
      <span role="alert" class="complaint small">
        {complaint}
      </span>
    </div>
  );
}

function withFormat(filter: URLSearchParams): URLSearchParams {
  const asked = new URLSearchParams(filter);
  asked.set('format', 'csv');
  return asked;
}

/** A connection that breaks rejects: a part is never taken for the whole. */
async function readAll(response: Response, tell: (bytes: number) => void): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    bytes += part.value.length;
    tell(bytes);
  }
  return new Blob(parts, { type: 'text/csv' });
}

function nameIn(response: Response): string {
  return /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? 'calls.csv';
}

function offer(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
