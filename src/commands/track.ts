import { parseArgs } from 'node:util';
import type { Config } from '../config/config.ts';
import { CallsFileError } from './calls-file-error.ts';
import { createProgress } from './progress.ts';
import { checkFile, registerFile, type TrackSummary } from './register-file.ts';
import type { RegisteringOptions } from './registering.ts';
import { openRereadable, type Rereadable } from './rereadable.ts';
import { placeOf } from './wrong-lines.ts';

interface TrackOptions extends RegisteringOptions {
  path: string;
  isDryRun: boolean;
}

/**
 * The command: gives the exit code. The whole file is read and checked before any call is registered. Throws an `Error`
 * of one plain line where it cannot begin.
 */
export async function track(
  args: string[],
  config: Pick<Config, 'PORT' | 'POLYKEEP_API_KEY'>,
): Promise<number> {
  const options = readTrackOptions(args, config);
  const file = await openRereadable(options.path);
  try {
    const { calls, wrong } = await checkFile(file.read());
    const isRight = wrong.count === 0;
    if (isRight && !options.isDryRun) return await registerAll(file, options);
    for (const line of wrong.told(file.name)) console.error(line);
    const registered = options.isDryRun ? `would register ${isRight ? calls : 0}` : 'created 0, existing 0';
    console.log(`${registered}, invalid ${wrong.count}`);
    return isRight ? 0 : 1;
  } catch (error) {
    if (!(error instanceof CallsFileError)) throw error;
    throw new Error(`${placeOf(file.name, error.line)}: ${error.message}; nothing was registered`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
}

function readTrackOptions(args: string[], config: Pick<Config, 'PORT' | 'POLYKEEP_API_KEY'>): TrackOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { url: { type: 'string' }, key: { type: 'string' }, 'dry-run': { type: 'boolean' } },
  });
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0)
    throw new Error('usage: polykeep track FILE [--dry-run] [--url URL] [--key KEY]');
  const url = values.url ?? `http://127.0.0.1:${config.PORT}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Error('--url: must be an http:// or https:// URL');
  return { path, url, apiKey: values.key ?? config.POLYKEEP_API_KEY, isDryRun: values['dry-run'] ?? false };
}

async function registerAll(file: Rereadable, options: RegisteringOptions): Promise<number> {
  const progress = createProgress(file.size);
  const summary = await registerFile(file.read(), options, progress.show);
  progress.end();
  tell(summary, file.name);
  return summary.wrong.count > 0 || summary.gaveUp !== null ? 1 : 0;
}

function tell({ created, reopened, existing, wrong, gaveUp }: TrackSummary, file: string): void {
  for (const line of wrong.told(file)) console.error(line);
  if (gaveUp !== null)
    console.error(`polykeep: ${gaveUp}; what is registered stays, run it again for the rest`);
  const again = reopened > 0 ? `, reopened ${reopened}` : '';
  console.log(`created ${created}${again}, existing ${existing}, invalid ${wrong.count}`);
}
