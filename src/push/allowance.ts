import ipaddr from 'ipaddr.js';

type Network = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number];

/** What webhooks may reach beside public addresses over https. */
export interface Allowance {
  /** Names, in small letters and without a dot at the end. */
  readonly hosts: ReadonlySet<string>;
  readonly networks: readonly Network[];
}

const LOOPBACK = { hosts: ['localhost'], networks: ['127.0.0.0/8', '::1/128'] };

/**
 * Never reached, whatever is allowed: what is on the same link, and what clouds tell a machine of itself at, its keys
 * among it; and the unspecified address, which Linux takes for loopback.
 */
const NEVER = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  'fe80::/10',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  'ff00::/8',
].map((range) => ipaddr.parseCIDR(range));
/** All that IPv6 has given out for the world. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Reads WEBHOOKS_ALLOW: `loopback`, hosts, addresses and networks, with commas between. What is wrong is added
 * to `problems`.
 */
export function readAllowance(text: string, problems: string[]): Allowance {
  const hosts = new Set<string>();
  const networks: Network[] = [];
  for (const entry of text.split(',').map((part) => part.trim().toLowerCase())) {
    if (entry === 'loopback') {
      for (const host of LOOPBACK.hosts) hosts.add(host);
      networks.push(...LOOPBACK.networks.map((range) => ipaddr.parseCIDR(range)));
    } else if (ipaddr.isValidCIDR(entry)) networks.push(ipaddr.parseCIDR(entry));
    else if (ipaddr.isValid(entry)) networks.push(whole(ipaddr.process(entry)));
    else if (HOST.test(entry)) hosts.add(entry);
    else problems.push(`WEBHOOKS_ALLOW: ${JSON.stringify(entry)} is no host, no address and no network`);
  }
  return { hosts, networks };
}

const HOST = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

function whole(address: ipaddr.IPv4 | ipaddr.IPv6): Network {
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/**
 * Why an endpoint of this name must not be reached at this address; null where it may. An IPv4 address is the same when
 * it is written as one of IPv6.
 */
export function refusalOf(
  allowance: Allowance,
  { hostname, isTls }: { hostname: string; isTls: boolean },
  address: string,
): string | null {
  const parsed = ipaddr.process(address);
  if (isIn(parsed, NEVER)) return `${address} is never reached: it is link-local or of the machine itself`;
  if (allowance.hosts.has(hostname) || isIn(parsed, allowance.networks)) return null;
  if (!isPublic(parsed)) return `${address} is not public, and WEBHOOKS_ALLOW does not name it`;
  return isTls ? null : 'must be https:// unless WEBHOOKS_ALLOW names its host';
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const isGlobal = address.kind() === 'ipv4' || isIn(address, [GLOBAL_IPV6]);
  return isGlobal && address.range() === 'unicast';
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, networks: readonly Network[]): boolean {
  return networks.some(
    ([network, bits]) => network.kind() === address.kind() && address.match([network, bits]),
  );
}
