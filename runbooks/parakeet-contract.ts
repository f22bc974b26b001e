#!/usr/bin/env -S npx tsx
/**
 * Parakeet contract: does every value have a source, and does what is here confirm it?
 *
 * Audits the contract: sources, required values, derived values computed again, decisions. Given a `.nemo`, a model
 * folder or a `model_meta.json`, every value that it states is read again and compared, type and all. Writes
 * `CONTRACT_SOURCES.md` with the gaps and a follow-up for each.
 *
 *   npx tsx runbooks/parakeet-contract.ts
 *   npx tsx runbooks/parakeet-contract.ts --nemo parakeet-tdt-0.6b-v3.nemo
 *   npx tsx runbooks/parakeet-contract.ts --model-dir models/parakeet
 */
import { join } from 'node:path'
import { readFile } from '../lib/host/files.ts'
import { choice, file, folder, runbook } from '../lib/notebook/run/runbook.ts'
import { contractName, parakeetVersions } from '../lib/systems/parakeet/contract/read.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'does every value have a source, and does what is here confirm it?',
    inputs: {
      contract: choice(parakeetVersions, { default: 'v3', help: 'which contract' }),
      nemo: file({ optional: true, env: 'NEMO_PATH', help: 'a .nemo to compare with' }),
      modelDir: folder({
        optional: true,
        help: 'an exported folder to compare with, in our layout or that of onnx-asr',
      }),
      meta: file({ optional: true, help: 'a model_meta.json to compare with' }),
    },
    steps: inputs => [
      `audit contracts/${contractName(inputs.contract)}.contract.json`,
      ...[inputs.nemo, inputs.modelDir, inputs.meta]
        .filter(path => path !== undefined)
        .map(path => `compare with ${path}`),
      'write CONTRACT_SOURCES.md',
    ],
  },
  async ({ inputs, run, cell, gate, next, hint, stamp, line }) => {
    const { checkContract } = await import('../lib/contract/contract.ts')
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const { contractLeaves } = await import('../lib/systems/parakeet/contract/leaves.ts')
    const reread = await import('../lib/systems/parakeet/contract/reread.ts')
    const { contractSources, decisionLog } = await import('../lib/systems/parakeet/contract/sources-document.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const name = contractName(inputs.contract)
    stamp({ contract: parakeetContract(inputs.contract).sha256 })

    const problems = await cell('Audit the contract', async ({ print }) => {
      const found = await checkContract(name)
      for (const problem of found) print(problem)
      return found
    })
    const leaves = contractLeaves(inputs.contract)
    gate('problems of the contract', problems.length, { equals: 0 })
    gate('values with a source', leaves.length, { atLeast: 100 })

    const found = await cell('Read the values again', async ({ own, show }) => {
      const { openNemo } = await import('../lib/formats/nemo/open.ts')
      const nemo = own(inputs.nemo === undefined ? undefined : await openNemo(inputs.nemo))
      const meta = inputs.meta ?? (inputs.modelDir === undefined ? undefined : reread.metaIn(inputs.modelDir))
      const all = [
        ...(nemo ? reread.rereadNemo(nemo, inputs.contract) : []),
        ...(inputs.modelDir === undefined ? [] : reread.rereadFolder(inputs.modelDir, inputs.contract)),
        ...(meta === undefined ? [] : reread.rereadMeta(meta, inputs.contract)),
      ]
      const wrong = all.filter(({ same }) => !same)
      if (wrong.length > 0)
        show(table(wrong.map(v => ({ ...v, contract: JSON.stringify(v.contract), found: JSON.stringify(v.found) }))))
      return all
    })
    const gaps = reread.gapsOf(leaves, found)
    run.write('CONTRACT_SOURCES.md', contractSources(name, leaves, found, gaps))
    const decisions = readFile(join(import.meta.dirname, '../contracts/DECISIONS.md')).toString('utf8')
    run.write('DECISION_LOG.md', decisionLog(leaves, decisions))
    run.write('gaps.json', `${JSON.stringify(gaps, null, 2)}\n`)
    if (inputs.nemo ?? inputs.modelDir ?? inputs.meta) {
      gate('values that were read again', found.length, { atLeast: 1 })
      gate('values that are contradicted', found.filter(({ same }) => !same).length, { equals: 0 })
    }
    line(`Contract sources: ${run.shown}/CONTRACT_SOURCES.md`)
    line(`Gaps: ${gaps.length} of ${leaves.length} values, each with a follow-up`)
    next({ pass: runbookCommand('runbooks/parakeet-export.ts') })
    hint({ fail: 'open CONTRACT_SOURCES.md: it names each value that is contradicted or has no source' })
  },
)
