import { writeFile } from 'node:fs/promises';
import { writeClientTypes } from '../../build/client-types.ts';
import { openapiText } from './openapi.ts';

await writeFile(new URL('../../openapi.json', import.meta.url), await openapiText());
await writeClientTypes();
