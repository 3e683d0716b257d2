import type { Pool } from 'pg';
import { MAX_METADATA_BYTES } from '../../call/limits.ts';
import { answering } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { countedAnew } from './rollup-changes.ts';

/** As JSON merge patch (RFC 7396) has it: null removes a key, a text is put in its place. */
export type MetadataPatch = Readonly<Record<string, string | null>>;

export type Patched = 'done' | 'not found' | 'too large';

export interface MetadataEditor {
  /** Changes a call's metadata, and what statistics it counts in. Rejects with `ArchiveUnavailableError` where Postgres is away. */
  patch(callSid: string, patch: MetadataPatch): Promise<Patched>;
}

/** Bytes of a flat object as JSON without spaces, of which `jsonb` writes one behind each `:` and `,`. */
export const bytesOf = (metadata: string) =>
  `octet_length(${metadata}::text) - greatest(0, 2 * (select count(*) from jsonb_object_keys(${metadata})) - 1)`;

/** What is smaller than it was is never too large: the drop-in takes over whatever a trigger has. */
const JUDGE_PATCH = `
with known as (
  select id, metadata as before, (metadata || $2::jsonb) - $3::text[] as after
    from polykeep_internal.calls
   where call_sid = $1
     for update
)
select id, after <> before as "isChange", ${bytesOf('after')} <= greatest($4, ${bytesOf('before')}) as fits from known`;

const PATCH_METADATA =
  'update polykeep_internal.calls set metadata = (metadata || $2::jsonb) - $3::text[] where id = $1';

interface Judged {
  id: string;
  isChange: boolean;
  fits: boolean;
}

export function createMetadataEditor(pool: Pool): MetadataEditor {
  return {
    patch(callSid, patch) {
      const entries = Object.entries(patch);
      const put = JSON.stringify(Object.fromEntries(entries.filter(([, value]) => value !== null)));
      const removed = entries.filter(([, value]) => value === null).map(([key]) => key);
      const patched = inTransaction(pool, 'begin', async (client): Promise<Patched> => {
        const values = [callSid, put, removed, MAX_METADATA_BYTES];
        const { rows } = await client.query<Judged>({ name: 'judge_patch', text: JUDGE_PATCH, values });
        const [call] = rows;
        if (call === undefined) return 'not found';
        if (!call.fits) return 'too large';
        if (!call.isChange) return 'done';
        const change = { name: 'patch_metadata', text: PATCH_METADATA, values: [call.id, put, removed] };
        await countedAnew(client, [call.id], () => client.query(change));
        return 'done';
      });
      return answering(patched);
    },
  };
}
