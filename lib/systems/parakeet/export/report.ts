/**
 * Writes `EXPORT_REPORT.md`: what was exported from what, with which versions, and the digest of every file.
 */
import type { ModelMeta } from '../model/meta.ts'
import type { ComparedValue, FileProblems } from './check-export.ts'

/** What a report is made of. */
export interface ExportFacts {
  readonly meta: ModelMeta
  readonly command: string
  readonly versions: Readonly<Record<string, string>>
  readonly graphs: readonly FileProblems[]
  readonly values: readonly ComparedValue[]
  readonly contract: string
}

/** The report as Markdown. */
export function exportReport({ meta, command, versions, graphs, values, contract }: ExportFacts): string {
  const row = (...cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const differing = values.filter(({ same }) => !same)
  return [
    '# Export report',
    '',
    `Model: ${meta.model}. Contract: ${contract}.`,
    '',
    '## Command',
    '',
    '```sh',
    command,
    '```',
    '',
    '## Source',
    '',
    ...Object.entries(meta.source).map(([key, value]) => `- ${key}: ${JSON.stringify(value)}`),
    '',
    '## Versions',
    '',
    ...Object.entries(versions).map(([name, version]) => `- ${name} ${version}`),
    '',
    '## Artifacts',
    '',
    row('File', 'Bytes', 'SHA-256', 'Problems'),
    row('---', '---:', '---', '---'),
    ...Object.entries(meta.artifacts).map(([file, { bytes, sha256 }]) => {
      const problems = graphs.find(graph => graph.file === file)?.problems
      return row(
        file,
        bytes,
        sha256,
        problems === undefined ? '' : problems.length === 0 ? 'none' : problems.join('; '),
      )
    }),
    '',
    `## Contract: ${values.length - differing.length} of ${values.length} values agree`,
    '',
    ...differing.map(
      v => `- ${v.pointer}: the contract says ${JSON.stringify(v.contract)}, the model ${JSON.stringify(v.found)}`,
    ),
    '',
  ].join('\n')
}
