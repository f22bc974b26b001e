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
    `${leaves.length} values. ${found.filter(v => v.same).length} confirmed here, ${found.filter(v => !v.same).length} contradicted, ${gaps.length} gaps.`,
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
