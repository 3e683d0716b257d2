import { distance } from 'fastest-levenshtein';
import { Environment } from './environment.ts';
import { SECRET_FILES } from './secret-files.ts';

/** Variables that are not polykeep's, and that somebody may take for its own. */

type Variables = Readonly<Record<string, string | undefined>>;

const NAMES = [...Object.keys(Environment.properties), ...SECRET_FILES];
/** What Kubernetes puts into each container for a service `X`: `X_PORT=tcp://10.0.0.1:80`. */
const OF_SERVICE = /^(tcp|udp|sctp):\/\//;
const KUBERNETES = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$/;
/** First parts of our names that other programs hardly have. */
const OURS =
  /^(POLYAI|POLYKEEP|POLL|WEBHOOKS|EMBEDDED_POSTGRES|RETENTION|LEASE|STATS|NOT_FOUND|MAX_TRACKING)_/;
/** Letters to be changed, left out or put in; in a short name they make it another one. */
const FEW = 2;
const SHORT = 8;

/** The names of ours that Kubernetes gave to a service of that name, as `WORKER_PORT` for the service `worker`. */
export function kubernetesPorts(environment: Variables): string[] {
  return NAMES.filter((name) => name.endsWith('PORT') && OF_SERVICE.test(environment[name] ?? ''));
}

export function wordsOfPort(name: string): string {
  return `${name}: is that of a Kubernetes service, and not taken for ours: enableServiceLinks: false keeps it out`;
}

/** One line for each name that may be one of ours misspelt; those in `known` are used as they are. */
export function unknownVariables(given: readonly string[], known: readonly string[]): string[] {
  return given.flatMap((name) => {
    const isOthers = NAMES.includes(name.toUpperCase()) || known.includes(name) || KUBERNETES.test(name);
    if (isOthers) return [];
    if (OURS.test(name) && NAMES.some((ours) => name === `${ours}_FILE`)) {
      return [`${name}: is not known: of files only secrets are read, as of POLYAI_AUTH_TOKEN_FILE`];
    }
    const meant = meantBy(name) ?? cutShort(name);
    if (meant !== null) return [`${name}: is not known: did you mean ${meant}?`];
    return OURS.test(name) ? [`${name}: is not known`] : [];
  });
}

/** One that begins otherwise is another program's: `FTP_PROXY` is no `HTTP_PROXY`. */
function meantBy(name: string): string | null {
  const near = NAMES.map((ours) => ({ ours, far: distance(name, ours) }))
    .filter(({ ours, far }) => ours[0] === name[0] && far <= (ours.length < SHORT ? 1 : FEW))
    .sort((a, b) => a.far - b.far);
  return near[0]?.ours ?? null;
}

/** One whose parts stand in ours in their order, as of POLYAI_TOKEN in POLYAI_AUTH_TOKEN. */
function cutShort(name: string): string | null {
  if (!OURS.test(`${name}_`)) return null;
  const parts = name.split('_');
  const holds = (ours: string) => {
    let found = 0;
    for (const part of ours.split('_')) if (part === parts[found]) found++;
    return found === parts.length && ours.startsWith(`${parts[0]}_`);
  };
  return NAMES.find(holds) ?? null;
}
