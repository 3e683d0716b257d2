import { describe, expect, it } from 'vitest';
import { readAllowance, refusalOf } from '../../src/push/allowance.ts';
import { createTargets, TargetError } from '../../src/push/targets.ts';

const read = (text: string) => readAllowance(text, []);
const LOOPBACK = read('loopback');
const by = (hostname: string, isTls = true) => ({ hostname, isTls });

const INSIDE = [
  '127.0.0.1',
  '127.9.9.9',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '::ffff:10.0.0.1',
  '100.64.0.1',
  '198.18.0.1',
  '192.0.2.1',
  '240.0.0.1',
  'fc00::1',
  'fd12:3456::1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '2001:db8::1',
  '::127.0.0.1',
  '4000::1',
];
const NEVER = [
  '0.0.0.0',
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '169.254.1.1',
  'fe80::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '168.63.129.16',
  '::',
  '224.0.0.1',
  '255.255.255.255',
  'ff02::1',
];

describe('an address', () => {
  it.each(['1.1.1.1', '93.184.216.34', '2606:4700::1111', '::ffff:8.8.8.8'])(
    '%s is public, over https',
    (address) => {
      expect(refusalOf(read('elsewhere'), by('a.example'), address)).toBeNull();
      expect(refusalOf(read('elsewhere'), by('a.example', false), address)).toMatch('https');
    },
  );

  it.each(INSIDE)('%s is not', (address) => {
    expect(refusalOf(read('elsewhere'), by('a.example'), address)).toMatch('WEBHOOKS_ALLOW');
  });

  it.each(INSIDE)('%s is reached where it is allowed, over http too', (address) => {
    expect(refusalOf(read('0.0.0.0/0,::/0'), by('a.example', false), address)).toBeNull();
    expect(refusalOf(read('a.example'), by('a.example', false), address)).toBeNull();
  });

  it.each(NEVER)('%s is never reached, whatever is allowed', (address) => {
    expect(refusalOf(read('0.0.0.0/0,::/0,a.example'), by('a.example'), address)).toMatch('never');
  });

  it('of this machine is allowed by default, by any name that leads to it', () => {
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      expect(refusalOf(LOOPBACK, by('a.example', false), address)).toBeNull();
    expect(refusalOf(LOOPBACK, by('a.example', false), '10.0.0.1')).not.toBeNull();
  });
});

it('an entry that is nothing is named', () => {
  const problems: string[] = [];
  readAllowance('loopback, http://x, 10.0.0.0/99, ok.internal, ,10.0.0.1', problems);
  expect(problems).toEqual([
    expect.stringContaining('"http://x"'),
    expect.stringContaining('"10.0.0.0/99"'),
    expect.stringContaining('""'),
  ]);
});

describe('a host as a URL has it', () => {
  const targets = createTargets(read('elsewhere'), {
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  });

  it.each([
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://localhost./',
    'http://LOCALHOST/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://127.0.0.1./',
    'https://①②⑦.0.0.1/',
  ])('%s is this machine', async (url) => {
    await expect(targets.wayTo(url.replace('http:', 'https:'))).rejects.toThrow(
      expect.objectContaining({ code: 'forbidden_address' }),
    );
  });

  it('whose name leads inside by one of its addresses is refused', async () => {
    const mixed = createTargets(read('elsewhere'), {
      resolve: async () => [
        { address: '93.184.216.34', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ],
    });
    await expect(mixed.wayTo('https://a.example/')).rejects.toThrow(TargetError);
  });

  it('without an address is told of, and no more than two are looked up at a time', async () => {
    let most = 0;
    let running = 0;
    const failing = createTargets(LOOPBACK, {
      resolve: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
      },
    });
    const asked = Array.from({ length: 20 }, (_, index) =>
      failing.wayTo(`https://host-${index % 5}.example/`),
    );
    for (const answer of await Promise.allSettled(asked)) {
      expect(answer).toMatchObject({ reason: { code: 'no_address' } });
    }
    expect(most).toBe(2);
  });
});
