import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { runbookPage } from '../../build/runbook.ts';

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');

it('makes HTML of what the document uses', () => {
  const { content } = runbookPage(
    '# A & B\n\nSee `<a>` and **b** [there](#x-y).\n\n- one\n- two\n\n| h |\n|---|\n| `c` |\n',
  );
  expect(content.split('\n')).toEqual([
    '<h1 id="a--b">A &amp; B</h1>',
    '<p>See <code>&lt;a&gt;</code> and <strong>b</strong> <a href="#x-y">there</a>.</p>',
    '<ul><li>one</li><li>two</li></ul>',
    '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead><tr><th>h</th></tr></thead><tbody><tr><td><code>c</code></td></tr></tbody></table></div>',
  ]);
});

it('has each heading that the page leads to', async () => {
  const { content } = runbookPage(await read('docs/operations.md'));
  const named = [...(await read('src/page/words/troubles.ts')).matchAll(/runbook: '([^']+)'/g)].map(
    ([, name]) => name,
  );
  expect(named.length).toBeGreaterThan(7);
  expect(named.filter((name) => !content.includes(`id="${name}"`))).toEqual([]);
});
