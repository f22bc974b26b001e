/**
 * Writes `CONTRACT_SOURCES.md`: every value of the contract, where it comes from, and what could not be confirmed here.
 */
import type { Leaf } from './leaves.ts'
import type { Gap, Reread } from './reread.ts'

/** The document as Markdown. */
export function contractSources(
  name: string,
  leaves: readonly Leaf[],
  found: readonly Reread[],
  gaps: readonly Gap[],
): string {
  const row = (...cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const count = (same: boolean) => found.filter(value => value.same === same).length
  const seen = new Map(found.map(value => [value.pointer, value]))
  const state = ({ pointer, source }: Leaf) => {
    const value = seen.get(pointer)
    if (value !== undefined)
      return value.same ? `confirmed by ${value.where}` : `CONTRADICTED: ${JSON.stringify(value.found)}`
    return source.kind === 'derived' ? 'computed again' : 'not confirmed here'
  }
  return [
    `# Sources of ${name}`,
    '',
    `${leaves.length} values: ${count(true)} confirmed here, ${count(false)} contradicted, ${gaps.length} gaps.`,
    '',
    row('Value', 'Is', 'Kind', 'Source', 'State'),
    row('---', '---', '---', '---', '---'),
    ...leaves.map(leaf =>
      row(leaf.pointer, JSON.stringify(leaf.value), leaf.source.kind, leaf.source.ref, state(leaf)),
    ),
    '',
    '## Gaps',
    '',
    row('Value', 'Kind', 'Follow-up'),
    row('---', '---', '---'),
    ...gaps.map(({ pointer, kind, followUp }) => row(pointer, kind, followUp)),
    '',
  ].join('\n')
}

/** `DECISION_LOG.md`: the decisions that the contract rests on, out of the text of all decisions. */
export function decisionLog(leaves: readonly Leaf[], decisions: string): string {
  const ids = new Set(leaves.filter(({ source }) => source.kind === 'decision').map(({ source }) => source.ref))
  const blocks = decisions.split(/^## /m).filter(block => ids.has(/^D-\d+/.exec(block)?.[0] ?? ''))
  return `# Decision log\n\n${blocks.map(block => `## ${block.trim()}\n`).join('\n')}`
}
