import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { ArchiveReader } from '../../archive/read/reader.ts';
import type { MetadataEditor } from '../../archive/write/metadata.ts';
import { sendJson, writtenAs } from '../json-text.ts';
import { problem } from '../problems.ts';
import { CallJson, CallSid, MetadataPatchBody } from '../schemas.ts';

export interface MetadataRoutesOptions {
  metadata: MetadataEditor;
  reader: Pick<ArchiveReader, 'readCall'>;
}

const Params = Type.Object({ callSid: CallSid });

export const metadataRoutes: FastifyPluginCallbackTypebox<MetadataRoutesOptions> = (app, options, done) => {
  const { metadata, reader } = options;
  // The type that RFC 7396 has for it.
  app.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  );

  app.patch(
    '/v1/calls/:callSid',
    {
      schema: {
        operationId: 'patchCall',
        summary: 'Change the metadata of a call',
        description:
          'A JSON merge patch (RFC 7396): null removes a key, a text is put in its place, others stay.',
        tags: ['Calls'],
        params: Params,
        body: MetadataPatchBody,
        response: { 200: writtenAs(CallJson) },
        problems: ['call_not_found'],
      },
    },
    async ({ params: { callSid }, body }, reply) => {
      const patched = await metadata.patch(callSid, body.metadata);
      if (patched === 'too large') throw problem.invalidField('metadata', 'is larger than 8 KB');
      const call = patched === 'not found' ? null : await reader.readCall(callSid);
      if (call === null) throw problem.callNotFound();
      return sendJson(reply, call.json);
    },
  );

  done();
};
