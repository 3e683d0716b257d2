import { fileURLToPath } from 'node:url';

/** polykeep as users run it: `npm run bench` builds it before. */
export const BUILT = fileURLToPath(new URL('../dist/main.js', import.meta.url));
