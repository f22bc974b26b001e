#!/usr/bin/env -S npx tsx
/**
 * Parakeet inventory: what does a source tree hold before anything in it is changed?
 *
 * Scans a tree for build systems, entry points, contracts, metadata, parity tools and the switches that its programs
 * read, and writes `INVENTORY.md` and `inventory.json` with the tree, the maps and what is unknown.
 *
 *   npx tsx runbooks/parakeet-inventory.ts
 *   npx tsx runbooks/parakeet-inventory.ts --tree ~/trt-asr-engine
 */
import { folder, runbook } from '../lib/notebook/run/runbook.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'what does a source tree hold before anything in it is changed?',
    inputs: { tree: folder({ optional: true, help: 'the tree to scan; default: this project' }) },
    steps: ({ tree }) => [`scan ${tree ?? 'this project'}`, 'write INVENTORY.md and inventory.json'],
  },
  async ({ inputs, run, cell, show, gate, next, hint, line }) => {
    const { scanTree } = await import('../lib/systems/parakeet/inventory/scan.ts')
    const { inventoryDocument } = await import('../lib/systems/parakeet/inventory/document.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const { join } = await import('node:path')
    const root = inputs.tree ?? join(import.meta.dirname, '..')
    const found = await cell(`Scan ${root}`, () => scanTree(root))
    const parts = [
      'buildSystems',
      'entryPoints',
      'contracts',
      'metadata',
      'parityTools',
      'toggles',
      'unknowns',
    ] as const
    show(table(parts.map(part => ({ part, found: found[part].length, first: found[part][0]?.path ?? '' }))))
    const document = inventoryDocument(found)
    run.write('INVENTORY.md', document)
    run.write('inventory.json', `${JSON.stringify(found, null, 2)}\n`)
    line(`Inventory: ${run.shown}/INVENTORY.md`)
    gate('files', found.files, { atLeast: 1 })
    const sections = ['Repository map', 'Tooling map', 'Runtime map', 'Current contracts', 'Unknowns']
    gate('sections of the inventory', sections.filter(title => document.includes(`## ${title}`)).length, { equals: 5 })
    next({ pass: runbookCommand('runbooks/parakeet-contract.ts') })
    hint({ fail: 'give --tree a folder with sources' })
  },
)
