import type { RolldownOptions } from 'rolldown';
import { pageFiles } from './build/page-files.ts';

/** `dist/page/`: the page of `src/page`, with all that it needs: whoever opens it asks no other host for anything. */
export default {
  input: 'src/page/main.tsx',
  platform: 'browser',
  tsconfig: 'src/page/tsconfig.json',
  transform: { target: 'es2022' },
  plugins: [pageFiles()],
  output: {
    dir: 'dist/page',
    cleanDir: true,
    minify: true,
    entryFileNames: 'assets/[name]-[hash].js',
    chunkFileNames: 'assets/[name]-[hash].js',
  },
} satisfies RolldownOptions;
