import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { Environment } from '../../src/config/environment.ts';
import { isOnPath } from '../support/redis-choice.ts';

interface Resource {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  spec?: {
    template?: { spec: Pod };
    strategy?: object;
    scaleTargetRef?: { kind: string; name: string };
    metrics?: { type: string; pods?: { metric: { name: string } } }[];
  };
}

interface Pod {
  containers: { args: string[]; envFrom: object[] }[];
}

/** As `kubectl apply --kustomize` would send them. */
function rendered(overlay: string): Resource[] {
  const folder = fileURLToPath(new URL(`../../deploy/kubernetes/overlays/${overlay}`, import.meta.url));
  const text = execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document): Resource => document.toJS());
}

const named = (resources: readonly Resource[], kind: string) =>
  resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name);

describe.skipIf(!isOnPath('kubectl'))(
  'deploy/kubernetes, rendered by kubectl kustomize (else skipped)',
  () => {
    it.each([
      ['small', { polykeep: 'serve' }],
      ['large', { 'polykeep-api': 'api', 'polykeep-worker': 'worker' }],
    ])('%s runs what it says, without privileges', (overlay, commands) => {
      const deployments = rendered(overlay).filter(({ kind }) => kind === 'Deployment');
      const started = deployments.map(({ metadata, spec }) => [
        metadata.name,
        spec?.template?.spec.containers[0]?.args[0],
      ]);
      expect(Object.fromEntries(started)).toEqual(commands);
      for (const { spec } of deployments) {
        expect(spec?.template?.spec).toMatchObject({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: { runAsNonRoot: true },
          containers: [
            {
              envFrom: [{ configMapRef: { name: 'polykeep' } }, { secretRef: { name: 'polykeep' } }],
              livenessProbe: { httpGet: { path: '/health/live' } },
              readinessProbe: { httpGet: { path: '/health/ready' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        });
      }
    });

    it.each(['small', 'large'])('%s sets variables that polykeep knows', (overlay) => {
      const settings = rendered(overlay).find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
      expect(Object.keys(settings).filter((name) => !(name in Environment.properties))).toEqual([]);
      expect(settings).toMatchObject({ HOST: '0.0.0.0', PORT: '8080' });
    });

    it('small never has two processes at once, and large spares them from disruptions', () => {
      const [deployment] = rendered('small').filter(({ kind }) => kind === 'Deployment');
      expect(deployment?.spec?.strategy).toEqual({ type: 'Recreate' });
      const large = rendered('large');
      expect(named(large, 'PodDisruptionBudget')).toEqual(['polykeep-api', 'polykeep-worker']);
      expect(named(large, 'NetworkPolicy')).toEqual(['polykeep']);
    });

    it('large scales what there is, by a metric that there is', async () => {
      const large = rendered('large');
      const scalers = large.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
      const scaled = scalers.map(({ spec }) => spec?.scaleTargetRef?.name);
      expect(scaled).toEqual(named(large, 'Deployment'));
      const metrics = scalers
        .flatMap(({ spec }) => spec?.metrics ?? [])
        .flatMap(({ pods }) => pods?.metric.name ?? []);
      const manual = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
      expect(metrics).toEqual(['polykeep_calls_followed']);
      for (const metric of metrics) expect(manual).toContain(`| \`${metric}\` | gauge |`);
    });
  },
);
