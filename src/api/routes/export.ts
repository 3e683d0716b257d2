import { Readable } from 'node:stream';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { TooManyExportsError } from '../../archive/errors.ts';
import type { Exporter } from '../../archive/read/exporter.ts';
import { EXAMPLE_CALL } from '../examples.ts';
import { COLUMNS, csv, ndjson, withBom } from '../export-formats.ts';
import { filterFields, filterOf, filterOptions } from '../filter.ts';
import { problem } from '../problems.ts';

export interface ExportRoutesOptions {
  exporter: Exporter;
}

const FORMATS = {
  csv: { write: csv, type: 'text/csv; charset=utf-8; header=present' },
  ndjson: { write: ndjson, type: 'application/x-ndjson' },
};

/** How long a client may take for an export. */
const EXPORT_WITHIN_MS = 60 * 60_000;

const ExportQuery = Type.Object(
  {
    ...filterFields,
    format: Type.Enum(['csv', 'ndjson'], {
      type: 'string',
      default: 'ndjson',
      description:
        'A row for each call with a header, or a line of JSON as `GET /v1/calls/{callSid}` answers it.',
    }),
    bom: Type.Boolean({
      default: false,
      description: 'Of csv: whether a byte order mark comes first, by which Excel knows UTF-8.',
    }),
  },
  filterOptions,
);

const ANSWERS: Readonly<Record<number, object>> = {
  200: {
    description: 'The calls. A connection that is cut means that some are missing.',
    headers: { 'Content-Disposition': { type: 'string', description: 'With a name for the file.' } },
    content: {
      'application/x-ndjson': {
        schema: { type: 'string' },
        example: `${JSON.stringify(EXAMPLE_CALL)}\n`,
      },
      'text/csv': { schema: { type: 'string' }, example: `${COLUMNS.join(',')}\r\n` },
    },
  },
};

export const exportRoutes: FastifyPluginCallbackTypebox<ExportRoutesOptions> = (app, { exporter }, done) => {
  app.get(
    '/v1/export',
    {
      schema: {
        operationId: 'exportCalls',
        summary: 'Stream all calls that fit',
        description: 'In csv, text that a spreadsheet would take for a formula has an apostrophe in front.',
        tags: ['Reports'],
        querystring: ExportQuery,
        response: ANSWERS,
        problems: ['too_many_exports'],
      },
      // A slow client keeps a connection, one of two places, and in Postgres all rows that were deleted since.
      handlerTimeout: EXPORT_WITHIN_MS,
      // A HEAD would read the whole archive for nothing.
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const { format, bom } = request.query;
      if (bom && format !== 'csv') throw problem.invalidField('bom', 'is for csv alone');
      const gone = new AbortController();
      const cut = () => void reply.raw.destroy();
      reply.raw.once('close', () => gone.abort());
      const batches = await exporter
        .open(filterOf(request.query), gone.signal, cut)
        .catch((error: unknown) => {
          throw error instanceof TooManyExportsError ? problem.tooManyExports() : error;
        });
      const { write, type } = FORMATS[format];
      const text = bom ? withBom(write(batches)) : write(batches);
      // A stream that fails half-way ends the connection, so that no client takes a part for the whole.
      return reply
        .type(type)
        .header('content-disposition', `attachment; filename="${fileName(format)}"`)
        .send(Readable.from(text, { objectMode: false }));
    },
  );

  done();
};

function fileName(format: string): string {
  return `calls-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}.${format}`;
}
