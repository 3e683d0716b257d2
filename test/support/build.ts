import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import config from '../../rolldown.config.ts';
import pageConfig from '../../rolldown.page.config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Builds what `npm run build` builds into `dist/` of a folder, with links beside it to what it needs of the package.
 * Returns the path of its `main.js`.
 */
export async function buildIn(folder: string): Promise<string> {
  for (const name of ['migrations', 'node_modules', 'package.json'])
    await symlink(join(ROOT, name), join(folder, name));
  const dir = join(folder, 'dist');
  await build({ ...config, cwd: ROOT, output: { ...config.output, dir } });
  await build({ ...pageConfig, cwd: ROOT, output: { ...pageConfig.output, dir: join(dir, 'page') } });
  return join(dir, 'main.js');
}
