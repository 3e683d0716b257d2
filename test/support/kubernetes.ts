import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type { ConfigMap, Service, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { parseAllDocuments } from 'yaml';
import { isOnPath } from './redis-choice.ts';

/** By their kinds, each as Kubernetes publishes it, which `typeErrors` finds out. */
interface Resources {
  ConfigMap?: ConfigMap[];
  Deployment?: Deployment[];
  HorizontalPodAutoscaler?: HorizontalPodAutoscaler[];
  NetworkPolicy?: NetworkPolicy[];
  PodDisruptionBudget?: PodDisruptionBudget[];
  Service?: Service[];
  ServiceAccount?: ServiceAccount[];
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RENDERERS = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
] as const;
const renderer = RENDERERS.find(([program]) => isOnPath(program));

export const canRender = renderer !== undefined;

/** As `kubectl apply --kustomize` would send them. */
export function rendered(overlay: string): Resources {
  const [program, command] = renderer ?? ['kubectl', 'kustomize'];
  const folder = join(ROOT, 'deploy/kubernetes/overlays', overlay);
  const documents = parseAllDocuments(execFileSync(program, [command, folder], { encoding: 'utf8' }));
  return Object.groupBy(
    documents.map((document) => document.toJS()),
    ({ kind }) => kind,
  );
}

/**
 * What a compiler says of the resources by the types that are made of Kubernetes' OpenAPI document: a field that is
 * not known, is missing or holds something else. Empty where all is well.
 */
export async function typeErrors(resources: readonly object[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-kubernetes-'));
  try {
    await writeFile(join(folder, 'resources.ts'), resources.map(declarationOf).join('\n'));
    const compilerOptions = {
      strict: true,
      noEmit: true,
      types: [],
      paths: { 'kubernetes-types/*': [join(ROOT, 'node_modules/kubernetes-types/*')] },
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    return await promisify(execFile)(process.execPath, [tsc, '--project', folder, '--pretty', 'false']).then(
      () => '',
      ({ stdout, message }: { stdout?: string; message: string }) => stdout || message,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `networking.k8s.io/v1` is in `kubernetes-types/networking/v1`, and `v1` in `core/v1`. */
function declarationOf(resource: object, index: number): string {
  const { apiVersion, kind } = { apiVersion: '', kind: '', ...resource };
  const path = apiVersion.includes('/') ? apiVersion.replace('.k8s.io', '') : `core/${apiVersion}`;
  const type = `import('kubernetes-types/${path}').${kind}`;
  return `export const resource${index}: ${type} = ${JSON.stringify(resource)};`;
}
