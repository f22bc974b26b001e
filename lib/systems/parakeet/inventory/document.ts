/**
 * Writes `INVENTORY.md`: map of the repository, of its tools and of its runtime, its contracts, and what is unknown.
 */
import type { Found, Inventory } from './scan.ts'

/** The inventory as Markdown. */
export function inventoryDocument(i: Inventory): string {
  const list = (found: readonly Found[]) =>
    found.length === 0 ? ['- none found', ''] : [...found.map(({ path, what }) => `- \`${path}\`: ${what}`), '']
  return [
    '# Inventory',
    '',
    `${i.files} files, ${(i.bytes / 2 ** 20).toFixed(1)} MiB.`,
    '',
    '## Repository map',
    '',
    ...i.tree.map(({ folder, files }) => `${'  '.repeat(folder.split('/').length - 1)}- ${folder}/ (${files})`),
    '',
    '## Tooling map',
    '',
    '### Build systems',
    '',
    ...list(i.buildSystems),
    '### Entry points',
    '',
    ...list(i.entryPoints),
    '### Parity tools',
    '',
    ...list(i.parityTools),
    '## Runtime map',
    '',
    ...Object.entries(i.languages).map(([language, files]) => `- ${language}: ${files} files`),
    '',
    '### Switches read from the environment',
    '',
    ...list(i.toggles.map(({ path, what }) => ({ path: what, what: `first read in ${path}` }))),
    '## Current contracts',
    '',
    ...list(i.contracts),
    '### Metadata',
    '',
    ...list(i.metadata),
    '## Unknowns',
    '',
    ...list(i.unknowns),
  ].join('\n')
}
