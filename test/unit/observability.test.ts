import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { isOnPath } from '../support/redis-choice.ts';

const file = (name: string) => new URL(`../../${name}`, import.meta.url);
const read = (name: string) => readFile(file(name), 'utf8');

interface Service {
  image?: string;
  volumes?: (string | object)[];
  secrets?: string[];
  profiles?: string[];
}

const compose: { services: Record<string, Service>; secrets: Record<string, object>; volumes: object } =
  parse(await read('docker-compose.yml'), { merge: true });

describe('the profile observability of docker-compose.yml', () => {
  const services = Object.values(compose.services);

  it.each(['prometheus', 'grafana'])('%s is started by the profile alone, in one version', (name) => {
    expect(compose.services[name]).toMatchObject({
      profiles: ['observability'],
      image: expect.stringMatching(/:v?\d+\.\d+\.\d+$/),
    });
  });

  it('mounts files that there are', async () => {
    const mounted = services
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => `${volume}`.split(':')[0]);
    const ours = mounted.filter((path = '') => path.startsWith('./ops/'));
    expect(ours).toHaveLength(5);
    for (const path of ours) await access(file(`${path}`));
    const secrets = services.flatMap((service) => service.secrets ?? []);
    expect(Object.keys(compose.secrets).toSorted()).toEqual([...new Set(secrets)].toSorted());
  });

  it('scrapes the services that are polykeep’s, at their ports, under the job of the alerts', async () => {
    const { scrape_configs: configs, rule_files: rules } = parse(await read('ops/prometheus.yml'));
    expect(rules).toEqual(['alerts.yml']);
    expect(configs).toMatchObject([
      { job_name: 'polykeep', dns_sd_configs: [{ names: ['api', 'worker'], type: 'A', port: 8080 }] },
    ]);
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['api', 'worker']));
  });

  it('gives Grafana what its dashboards ask for', async () => {
    const { datasources } = parse(await read('ops/grafana/datasources/datasources.yml'));
    const [, secret] =
      /^\$__file\{\/run\/secrets\/(\w+)\}$/.exec(datasources[1].secureJsonData.password) ?? [];
    expect(compose.services.grafana?.secrets).toContain(secret);
    const types = datasources.map(({ type }: { type: string }) => type);
    const dashboards = await Promise.all(
      ['ops/grafana-dashboard.json', 'ops/outcomes-dashboard.json'].map(async (name) =>
        JSON.parse(await read(name)),
      ),
    );
    const asked = dashboards.map(({ templating }) => templating.list[0].query);
    expect(types).toEqual(asked);
  });
});

describe.skipIf(!isOnPath('bash'))('the health check of the image, by bash', async () => {
  const [, command = ''] = /^HEALTHCHECK [\s\S]*?CMD (\[[\s\S]*?\])\n/m.exec(await read('Dockerfile')) ?? [];
  const [program = '', ...args]: string[] = JSON.parse(command.replace('\\\n', ''));

  async function exitCode(port: number): Promise<number> {
    const env = { PATH: process.env.PATH, PORT: '1', WORKER_PORT: `${port}` };
    return promisify(execFile)(program, args, { env }).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  }

  it.each([
    [200, 0],
    [503, 1],
  ])('an answer %i is exit code %i', async (status, code) => {
    const asked: (string | undefined)[] = [];
    const server = createServer(({ url }, response) => {
      asked.push(url);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await exitCode(port)).toBe(code);
    expect(asked).toEqual(['/health/live']);
  });

  it('nobody who listens is exit code 1', async () => {
    expect(await exitCode(1)).toBe(1);
  });
});
