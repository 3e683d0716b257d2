#!/usr/bin/env node
/**
 * The command line, in `src/` as in `dist/`. Nothing is imported before the version of Node is known: what an older one
 * cannot parse would be its own words, and not ours.
 */
const OLDEST_NODE = 22;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  console.error(`polykeep needs Node ${OLDEST_NODE} or later, this is ${process.version}`);
  process.exit(1);
}
// The stacks of `dist/` name the lines of `src/`. Maps are read when there is a stack to tell: the start pays nothing.
process.setSourceMapsEnabled(true);
const { runCommandLine } = await import('./command-line.ts');
await runCommandLine(process.argv.slice(2));
