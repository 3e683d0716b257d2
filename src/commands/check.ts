import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkAccount } from '../accounts/account-check.ts';
import { checkPostgres } from '../archive/check.ts';
import type { Config, ReadConfig } from '../config/config.ts';
import { type Finding, unwell, well } from '../network/finding.ts';
import { checkRoot } from '../push/root-check.ts';
import { checkRedis } from '../queue/check.ts';
import { codeOf, wordsOf } from '../words.ts';
import { archiveUrl } from './archive-url.ts';

const ACCOUNTS_AT_ONCE = 10;
const OF_POSTGRES = /^(DATABASE_|DATA_DIR)/;
const OF_REDIS = /^REDIS_URL/;
const OF_ACCOUNTS = /^(POLYAI_|ACCOUNTS_FILE|HTTPS?_PROXY|POLL_)/;

/**
 * `polykeep check`: tries all that polykeep needs and says one line of each, ✓ or ✗ and what to do. What the
 * configuration cannot say is told of, and not tried. Gives the exit code: 1 where one is ✗.
 */
export async function check(
  { config, problems }: ReadConfig,
  say: (line: string) => void = console.log,
): Promise<number> {
  let isAllWell = true;
  const tell = (findings: readonly Finding[]) => {
    for (const { isWell, line } of findings) {
      say(`${isWell ? '✓' : '✗'} ${line}`);
      isAllWell &&= isWell;
    }
  };
  const isUsable = (variables: RegExp) => !problems.some((problem) => variables.test(problem));

  tell(problems.length === 0 ? [well('configuration: it can be used')] : problems.map(unwell));
  for (const warning of config.warnings) say(`! ${warning}`);
  if (isUsable(OF_POSTGRES)) tell(await postgresAndWebhooks(config));
  if (isUsable(OF_REDIS)) tell(await redis(config));
  if (isUsable(OF_ACCOUNTS)) for await (const finding of accounts(config)) tell([finding]);
  return isAllWell ? 0 : 1;
}

async function postgresAndWebhooks(config: Config): Promise<Finding[]> {
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl, WEBHOOKS_SECRET: root = null } = config;
  if (url === undefined) return [await embedded(config), well('webhooks: their root is kept in DATA_DIR')];
  const direct = directUrl ?? url;
  const findings = await checkPostgres({ direct, pooled: directUrl === undefined ? null : url });
  if (findings.some(({ isWell }) => !isWell)) return findings;
  return [...findings, await checkRoot(root, direct)];
}

/** The Postgres that comes along: of a polykeep that runs, or else the folder that it will be in. */
async function embedded(config: Config): Promise<Finding> {
  const folder = resolve(config.DATA_DIR);
  const url = await archiveUrl(config).catch(() => null);
  const running = url === null ? [] : await checkPostgres({ direct: url, pooled: null });
  const [first] = running;
  if (first?.isWell) return running.find(({ isWell }) => !isWell) ?? first;
  try {
    await writable(folder);
    return well(`Postgres: the one that comes along, which serve starts in ${folder}`);
  } catch (error) {
    return unwell(
      `DATA_DIR: ${wordsOf(error)}: set it to a folder that this user may write to, or set DATABASE_URL`,
    );
  }
}

/** Rejects where a file in the folder, or the folder where there is none yet, cannot be made. */
async function writable(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT';
    if (!isMissing || dirname(folder) === folder) throw error;
    await writable(dirname(folder));
  }
}

async function redis({ REDIS_URL: url }: Config): Promise<Finding[]> {
  return url === undefined ? [well('Redis: none, and none is needed by one process alone')] : checkRedis(url);
}

async function* accounts(config: Config): AsyncGenerator<Finding> {
  const options = {
    timeoutMs: config.POLL_TIMEOUT_MS,
    http2: config.POLYAI_HTTP2,
    proxies: config.proxies,
  };
  for (let start = 0; start < config.accounts.length; start += ACCOUNTS_AT_ONCE) {
    const some = config.accounts.slice(start, start + ACCOUNTS_AT_ONCE);
    yield* await Promise.all(some.map((settings) => checkAccount(settings, options)));
  }
}
