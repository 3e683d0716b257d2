import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What the project has in its folders, and texts name; `data` and the like come to be when it runs. */
const NAMED_FILE = /`((?:src|test|bench|docs|migrations|\.ci)(?:\/[\w.-]+)*(?:\/|\.\w+)?)`/g;

const pages: [path: string, text: string][] = [];
for await (const path of glob('**/*.md', {
  cwd: ROOT,
  exclude: (name) => /^(node_modules|data|\.git)$/.test(name),
})) {
  pages.push([path, await readFile(join(ROOT, path), 'utf8')]);
}
const textOf = new Map(pages);

/** Without code, in which brackets are brackets. */
function proseOf(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(text).matchAll(/^#+ +(.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-');
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linksOf(text: string): string[] {
  return [...proseOf(text).matchAll(/\]\(\s*<?([^)\s>]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

function isBroken(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const at = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(ROOT, at))) return true;
  return anchor !== undefined && !anchorsOf(textOf.get(at) ?? '').has(anchor);
}

it.each(pages)('%s has no link to what is not there', (page, text) => {
  expect(linksOf(text).filter((target) => isBroken(page, target))).toEqual([]);
});

it.each(pages)('%s names no file that is not there', (page, text) => {
  const named = [...proseOf(text).matchAll(NAMED_FILE)].map(([, path = '']) => path);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  // Of the page that tells where everything is, that it does is to be seen.
  if (page === 'docs/architecture.md') expect(named.length).toBeGreaterThan(30);
});

it('every page in docs can be reached from README', () => {
  const reached = new Set<string>();
  const open = ['README.md'];
  for (let page = open.pop(); page !== undefined; page = open.pop()) {
    if (reached.has(page)) continue;
    reached.add(page);
    for (const target of linksOf(textOf.get(page) ?? '')) {
      const path = normalize(join(dirname(page), target.split('#')[0] ?? ''));
      if (textOf.has(path)) open.push(path);
    }
  }
  expect(pages.map(([page]) => page).filter((page) => !reached.has(page))).toEqual([]);
});
