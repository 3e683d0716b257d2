import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** A metric as a query asks for it. */
export interface Selector {
  name: string;
  /** Those it is selected by, and those of the `by (…)` around it. */
  labels: string[];
}

/** The metrics that a query asks for. Throws where it is no PromQL. */
export function selectorsOf(query: string): Selector[] {
  const found: Selector[] = [];
  const text = ({ from, to }: { from: number; to: number }) => query.slice(from, to);

  function visit(node: SyntaxNode, grouping: readonly string[]): void {
    if (node.type.isError) throw new Error(`at ${node.from}: no PromQL: ${query}`);
    const modifier = node.getChild('AggregateModifier');
    const inner = modifier === null ? grouping : [...grouping, ...labelsIn(modifier)];
    if (node.name === 'VectorSelector') {
      const name = node.getChild('Identifier');
      if (name === null) throw new Error(`a selector without a metric: ${query}`);
      const matchers = node.getChild('LabelMatchers');
      found.push({ name: text(name), labels: [...inner, ...(matchers === null ? [] : labelsIn(matchers))] });
    }
    for (let child = node.firstChild; child !== null; child = child.nextSibling) visit(child, inner);
  }

  function labelsIn(node: SyntaxNode): string[] {
    const labels: string[] = [];
    node.cursor().iterate((each) => {
      if (each.name === 'LabelName') labels.push(text(each));
    });
    return labels;
  }

  visit(parser.parse(query).topNode, []);
  return found;
}
