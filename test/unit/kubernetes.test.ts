import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Environment } from '../../src/config/environment.ts';
import { SECRET_FILES } from '../../src/config/secret-files.ts';
import { canRender, rendered, typeErrors } from '../support/kubernetes.ts';

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
const OVERLAYS = ['small', 'large'];

describe.skipIf(!canRender)('deploy/kubernetes, rendered (else skipped)', () => {
  it.each(OVERLAYS)('%s is what Kubernetes publishes of each kind', async (overlay) => {
    expect(await typeErrors(Object.values(rendered(overlay)).flat())).toBe('');
  });

  it('a field that is misspelt, missing or of another type is found', async () => {
    const { Deployment = [], HorizontalPodAutoscaler: [scaler] = [] } = rendered('large');
    const misspelt = JSON.stringify(Deployment).replaceAll('"readinessProbe"', '"readynessProbe"');
    expect(await typeErrors(JSON.parse(misspelt))).toMatch(
      /readynessProbe"' does not exist in type 'Container'/,
    );
    const ofText = { ...scaler, spec: { ...scaler?.spec, maxReplicas: 'eight' } };
    expect(await typeErrors([ofText])).toMatch(/Type 'string' is not assignable to type 'number'/);
    const missing = { ...scaler, spec: { maxReplicas: 8 } };
    expect(await typeErrors([missing])).toMatch(/'scaleTargetRef' is missing/);
  });

  it.each([
    ['small', { polykeep: 'serve' }],
    ['large', { 'polykeep-api': 'api', 'polykeep-worker': 'worker' }],
  ])('%s runs what it says, without privileges', (overlay, commands) => {
    const { Deployment = [] } = rendered(overlay);
    const started = Deployment.map(({ metadata, spec }) => [
      metadata?.name,
      spec?.template.spec?.containers[0]?.args?.[0],
    ]);
    expect(Object.fromEntries(started)).toEqual(commands);
    for (const { spec } of Deployment) {
      expect(spec?.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        terminationGracePeriodSeconds: 30,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            startupProbe: { httpGet: { path: '/health/live', port: 'http' } },
            livenessProbe: { httpGet: { path: '/health/live', port: 'http' } },
            readinessProbe: { httpGet: { path: '/health/ready', port: 'http' } },
            lifecycle: { preStop: { exec: { command: ['sleep', '5'] } } },
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

  it.each(OVERLAYS)('%s has its secrets by reference, as variables or as files', (overlay) => {
    const { Deployment = [] } = rendered(overlay);
    for (const { spec } of Deployment) {
      const [container] = spec?.template.spec?.containers ?? [];
      expect(container?.envFrom).toEqual([
        { configMapRef: { name: 'polykeep' } },
        { secretRef: { name: 'polykeep', optional: true } },
      ]);
      expect(container?.volumeMounts).toContainEqual({
        name: 'secrets',
        mountPath: '/secrets',
        readOnly: true,
      });
      const secret = { secretName: 'polykeep-files', optional: true };
      expect(spec?.template.spec?.volumes).toContainEqual({ name: 'secrets', secret });
    }
  });

  it('the manual names files by variables that there are', async () => {
    const manual = await read('docs/kubernetes.md');
    const names = [...manual.matchAll(/^ +(\w+_FILE): \/secrets\//gm)].map(([, name = '']) => name);
    expect(names).toContain('DATABASE_URL_FILE');
    expect(names.filter((name) => name !== 'ACCOUNTS_FILE' && !SECRET_FILES.includes(name))).toEqual([]);
  });

  it.each(OVERLAYS)('%s sets variables that polykeep knows', (overlay) => {
    const { ConfigMap: [settings] = [] } = rendered(overlay);
    expect(Object.keys(settings?.data ?? {}).filter((name) => !(name in Environment.properties))).toEqual([]);
    expect(settings?.data).toMatchObject({ HOST: '0.0.0.0', PORT: '8080' });
  });

  it.each(OVERLAYS)('%s lets others in to its port alone, and says where it may go', (overlay) => {
    const { Deployment = [], NetworkPolicy = [] } = rendered(overlay);
    expect(NetworkPolicy).toMatchObject([
      { spec: { policyTypes: ['Ingress', 'Egress'], ingress: [{ ports: [{ port: 8080 }] }] } },
    ]);
    const selected = NetworkPolicy[0]?.spec?.podSelector?.matchLabels;
    expect(selected).toEqual({ 'app.kubernetes.io/name': 'polykeep' });
    for (const { spec } of Deployment) expect(spec?.template.metadata?.labels).toMatchObject({ ...selected });
  });

  it('small never has two processes at once', () => {
    const { Deployment } = rendered('small');
    expect(Deployment).toMatchObject([{ spec: { replicas: 1, strategy: { type: 'Recreate' } } }]);
  });

  it('large spares its own pods from disruptions, and no others', () => {
    const { Deployment = [], PodDisruptionBudget = [] } = rendered('large');
    const own = Deployment.map(({ spec }) => spec?.selector);
    expect(own).toHaveLength(2);
    expect(PodDisruptionBudget.map(({ spec }) => spec?.selector)).toEqual(own);
    const spreads = Deployment.flatMap(({ spec }) => spec?.template.spec?.topologySpreadConstraints ?? []);
    expect(spreads.map(({ labelSelector }) => labelSelector)).toEqual(own);
  });

  it('large scales what there is, by a metric that there is', async () => {
    const { Deployment = [], HorizontalPodAutoscaler = [] } = rendered('large');
    const scaled = HorizontalPodAutoscaler.map(({ spec }) => spec?.scaleTargetRef.name);
    expect(scaled).toEqual(Deployment.map(({ metadata }) => metadata?.name));
    const metrics = HorizontalPodAutoscaler.flatMap(({ spec }) => spec?.metrics ?? []).flatMap(
      ({ pods }) => pods?.metric.name ?? [],
    );
    expect(metrics).toEqual(['polykeep_calls_followed']);
    const manual = await read('docs/operations.md');
    for (const metric of metrics) expect(manual).toContain(`| \`${metric}\` | gauge |`);
  });
});
