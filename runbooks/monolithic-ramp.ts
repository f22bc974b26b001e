#!/usr/bin/env -S npx tsx
/**
 * Monolithic prefix ramp: which is the first prefix of ConvTasNet that does not compile?
 *
 * Takes the channels of one rung, gives them enough blocks and repeats to climb, and compiles prefixes from small to
 * large: the masker bypassed, the first k blocks, whole stacks of blocks, repeats; or the graph cut after each of its
 * nodes. The boundary is the last prefix that passes and the first that fails; a time-out or a broken installation
 * leaves it open. With no vendor's compiler on the machine the host toolchain answers, and there everything is expected
 * to pass. With `--model` the same is asked of any ONNX file, node by node, and the first node that fails is named.
 *
 *   npx tsx runbooks/monolithic-ramp.ts
 *   npx tsx runbooks/monolithic-ramp.ts --by end-nodes --search bisect --n-blocks 2 --n-repeats 1
 *   PROFILE=extended npx tsx runbooks/monolithic-ramp.ts --by truncate --rung 4 --resume 20260223_052929
 *   npx tsx runbooks/monolithic-ramp.ts --model my.onnx --shape mix=1x1x16000
 */
import { rampInputs } from '../lib/systems/monolithic/ramp/inputs.ts'
import { shownPath } from '../lib/host/files.ts'
import { monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { runbook } from '../lib/notebook/run/runbook.ts'

const contract = monolithicContract()
const { files } = contract
const declared = rampInputs()

export default runbook(
  import.meta,
  {
    asks: 'which is the first prefix of ConvTasNet that does not compile?',
    inputs: declared,
    steps: async inputs => {
      if (inputs.model !== undefined) return [`compile ${inputs.model} up to node after node, by halves`]
      const { prefixesFor } = await import('../lib/systems/monolithic/ramp/cases.ts')
      return prefixesFor(inputs).map(({ stage, tag }) => `compile ${tag} (${stage})`)
    },
  },
  async ({ inputs, run, cell, gate, hint, next, line, mark, stamp, signal }) => {
    const { openSearch } = await import('../lib/systems/monolithic/search/search.ts')
    const { prefixesFor, rampCase } = await import('../lib/systems/monolithic/ramp/cases.ts')
    const { rampSummary, runRamp } = await import('../lib/systems/monolithic/ramp/ramp.ts')
    const report = await import('../lib/systems/monolithic/ramp/report.ts')
    const { caseTeller, milestoneTeller } = await import('../lib/ladder/report.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const { rampModel } = await import('../lib/systems/monolithic/given/ramp-runbook.ts')
    const { model: given } = inputs
    const prefixes = given === undefined ? prefixesFor(inputs) : []
    const search = await cell('Choose the toolchain', ({ print }) =>
      openSearch(inputs, { folder: run.folder, signal, print }),
    )
    const { toolchain, tail } = search
    mark('toolchain', toolchain.name)
    stamp({ toolchain: toolchain.name, toolchainVersion: search.version, contract: contract.sha256 })
    if (given !== undefined)
      return rampModel({ cell, gate, hint, line, next, run, signal }, { ...inputs, model: given }, search)

    const cases = await cell(`List ${prefixes.length} prefixes`, ({ print, show }) => {
      show(table(report.stageRows(prefixes), { title: 'stages' }))
      if (inputs.search === 'bisect') print('asked by halves, which takes for granted that all behind a failure fail')
      return prefixes.map(prefix => rampCase(prefix, search.setting))
    })

    const ramp = await cell(`Compile prefix by prefix (${toolchain.name})`, async ({ print, note, show }) => {
      const path = run.path(files.rampSummary)
      const climbed = await runRamp({
        ...search.ladder,
        cases,
        search: inputs.search,
        profile: inputs.profile,
        summary: rampSummary(path, cases, toolchain.name),
        onCase: caseTeller({ print, note }, cases.length),
        onLine: milestoneTeller(note),
      })
      show(...report.rampDisplays(cases, climbed.results, shownPath(path)))
      return climbed
    })
    signal.throwIfAborted()

    const { boundary } = ramp
    const step = await cell('Name the boundary', ({ print, show }) => {
      const { scriptExtra } = search.setting
      const chosen = report.rampNext(ramp, { cases, toolchain: toolchain.name, declared, inputs, run, scriptExtra })
      const { by, search: how, profile } = inputs
      const shared = { run_ts: run.ts, toolchain: toolchain.name, by, search: how, profile }
      const record = report.boundaryRecord(ramp, shared)
      run.write(report.boundaryFile, `${JSON.stringify({ ...record, ...chosen }, null, 2)}\n`)
      show(table(report.boundaryRows(cases, boundary), { title: 'boundary' }))
      for (const { tag } of boundary.passBehind) print(`not monotone: ${tag} passes behind the first failure`)
      print(`${boundary.open ?? 'the question is answered'}\nnext: ${chosen.next} (${chosen.because})`)
      return chosen
    })
    const found = report.boundaryText(boundary)
    const passed = report.passing(ramp.results)
    if (boundary.open === null)
      gate(`prefixes that compile (${toolchain.name})`, passed, { atLeast: 1 }, { note: found })
    else gate.blocked('boundary', boundary.open)
    line(`Ramp boundary: ${found}${tail}`)
    next({ pass: step.next, blocked: step.next, fail: step.next })
  },
)
