import type { RolldownOptions } from 'rolldown';

/**
 * drizzle-orm, which Node takes a second and 200 MB to load from its thousand files, typebox, which it takes 16 MB to
 * load from its many, and what the build itself adds.
 */
const BUNDLED =
  /^(drizzle-orm|typebox|@whatwg-node\/disposablestack|@whatwg-node\/promise-helpers|@oxc-project\/runtime|tslib)(\/|$)/;

/**
 * `dist/`: our code side by side in a few files, with one that each command begins in. All other packages stay outside,
 * since OpenTelemetry hooks into packages as they are imported. `client.js` is `polykeep/client`.
 */
export default {
  input: { main: 'src/main.ts', client: 'src/client/client.ts' },
  platform: 'node',
  external: (id) => /^[^./]/.test(id) && !BUNDLED.test(id),
  transform: {
    // `using` is known from Node 24 on, and so is this global.
    target: 'node22',
    inject: { AsyncDisposableStack: ['@whatwg-node/disposablestack', 'AsyncDisposableStack'] },
  },
  output: {
    dir: 'dist',
    cleanDir: true,
    sourcemap: true,
    // Node keeps each map in memory, which would be 11 MB with the sources in them. Lines are told without.
    sourcemapExcludeSources: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  },
} satisfies RolldownOptions;
