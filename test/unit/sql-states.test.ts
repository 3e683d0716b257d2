import { DatabaseError } from 'pg';
import { expect, it } from 'vitest';
import { consequencesOf, isRefusal, isUnavailable } from '../../src/archive/sql-states.ts';

function ofPostgres(code: string): Error {
  return Object.assign(new DatabaseError('no', 0, 'error'), { code, severity: 'ERROR' });
}

it.each([
  // The connection cannot take what it is for.
  ['25006', 'again', 'all unfit'],
  ['57P01', 'again', 'unfit'],
  ['57P02', 'again', 'unfit'],
  ['57P03', 'again', 'unfit'],
  ['57P05', 'again', 'unfit'],
  ['53100', 'again', 'unfit'],
  ['53300', 'again', 'unfit'],
  ['08006', 'again', 'unfit'],
  ['0A000', 'again', 'unfit'],
  ['26000', 'again', 'unfit'],
  ['42P05', 'again', 'unfit'],
  // It can, later.
  ['57014', 'again', 'fit'],
  ['55P03', 'again', 'fit'],
  ['40001', 'again', 'fit'],
  ['40P01', 'again', 'fit'],
  // Somebody has to act.
  ['28P01', 'again', 'unfit'],
  ['3D000', 'again', 'unfit'],
  ['42501', 'again', 'unfit'],
  ['42703', 'again', 'unfit'],
  // The values.
  ['22021', 'never', 'fit'],
  ['22P05', 'never', 'fit'],
  ['23514', 'never', 'fit'],
  ['54000', 'apart', 'fit'],
  ['54001', 'never', 'fit'],
  // Nobody knows.
  ['XX001', 'apart', 'unfit'],
  ['P0001', 'apart', 'unfit'],
])('%s: %s, and the connection is %s', (code, retry, connection) => {
  expect(consequencesOf(ofPostgres(code))).toMatchObject({ retry, connection });
  expect(consequencesOf(new Error('wrapped', { cause: ofPostgres(code) }))).toMatchObject({ retry });
});

it.each([
  Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
  Object.assign(new Error('another host'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
  Object.assign(new Error('wrong version number'), { code: 'EPROTO' }),
  new Error('The server does not support SSL connections'),
])('who is not trusted is not waited for: $message', (error) => {
  expect(consequencesOf(error)).toMatchObject({ retry: 'again', isAway: true, isForOperator: true });
});

it('an error without a SQLSTATE is a lost connection, unless our own code made it', () => {
  expect(consequencesOf(new Error('Query read timeout'))).toMatchObject({ retry: 'again', isAway: true });
  expect(consequencesOf(new RangeError('Invalid time value'))).toMatchObject({
    retry: 'apart',
    isAway: false,
  });
});

it('a request is answered 503 where Postgres is at fault, and only there', () => {
  const codes = ['25006', '53300', '57014', '55P03', '28P01', '42501', '22P05', '42703', 'XX000'];
  expect(codes.filter((code) => isUnavailable(ofPostgres(code)))).toEqual(codes.slice(0, 6));
  expect(codes.filter((code) => isRefusal(ofPostgres(code)))).toEqual(['22P05']);
});
