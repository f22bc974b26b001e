#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer export: is there an encoder with a motif head that is worth serving?
 *
 * Authors the TCN encoder in three forms from trained weights (those that ship, or a donor's), trains the twelve motifs
 * on labelled windows, and writes `exports/`: the ONNX files, `export_config.yaml` that locks channel order and
 * normalisation, golden windows, and a card. Accuracy stands beside what twelve numbers reach.
 *
 *   npx tsx runbooks/edgeinfer-export.ts
 *   npx tsx runbooks/edgeinfer-export.ts --data "UCI HAR Dataset"
 *   npx tsx runbooks/edgeinfer-export.ts --weights encoder.onnx --data session.csv --rate 50
 */
import { join } from 'node:path'
import { makeFolder, shownPath } from '../lib/host/files.ts'
import { number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { commandAt, homeInput } from '../lib/systems/edgeinfer/home.ts'

export default runbook(
  import.meta,
  {
    asks: 'is there an encoder with a motif head that is worth serving?',
    inputs: {
      home: homeInput,
      weights: text({ default: 'shipped', help: 'shipped, seeded, or a donor: .safetensors, .npz or .onnx' }),
      data: text({
        optional: true,
        help: 'a folder laid out as UCI HAR, or a CSV file; default: the windows that ship',
      }),
      rate: number({ default: 100, min: 10, max: 1000, unit: 'Hz', help: 'samples a second of a CSV file' }),
    },
    steps: ({ home }) => ['read weights and windows', 'train the motif head', `write ${join(home, 'exports')}`],
  },
  async ({ inputs, run, cell, show, gate, hint, next, stamp }) => {
    const { edgeinferContract } = await import('../lib/systems/edgeinfer/contract.ts')
    const author = await import('../lib/systems/edgeinfer/export/author.ts')
    const { compareForms } = await import('../lib/systems/edgeinfer/export/forms.ts')
    const { markdown, table } = await import('../lib/notebook/display/show.ts')
    const contract = edgeinferContract()
    const folder = makeFolder(join(inputs.home, contract.names.folders.exports))
    stamp({ contract: contract.sha256 })

    const donor = await cell('Read the weights', ({ print }) => author.openDonor(inputs.weights, print))
    const data = await cell('Read the recordings', async ({ print }) => {
      const { readDataSet } = await import('../lib/systems/edgeinfer/data/read.ts')
      const set = await readDataSet(inputs.data, { rateHz: inputs.rate })
      print(`${set.recordings.length} recordings, labels: ${set.labels.join(', ') || 'none'} (${set.from})`)
      return set
    })
    const windows = author.windowsForTraining(data)
    const latents = await cell(`Encode ${windows.length} windows`, ({ advance }) =>
      author.latentsOf(
        donor.weights,
        windows.map(({ window }) => window),
        { folder: run.folder, onDone: advance },
      ),
    )
    const { trained, scores } = await cell(`Train ${contract.model.motifs} motifs`, () =>
      author.trainAndScore(windows, latents, data.labels),
    )
    const exported = await cell(`Write ${shownPath(folder)}`, async ({ print }) => {
      const written = await author.writeExport(folder, { donor, trained, labels: data.labels })
      for (const { file, sha256 } of written.config.files) print(`${file} ${sha256.slice(0, 12)}`)
      const card = author.cardOf(written, scores, data)
      run.write('card.md', card)
      show(markdown(card, { title: 'card.md' }))
      return written
    })
    const forms = await cell('Compare the three forms', () => compareForms(folder, exported.config))
    show(table(forms.rows, { title: 'each form against the first, over the golden windows' }))
    gate('forms of one network agree', forms.maxAbsOfScale, {
      atMost: contract.gates.formsMaxAbs,
    })
    if (scores === null) gate('motifs that are used', new Set(forms.top).size, { atLeast: 2 })
    else {
      show(table([scores], { title: 'activities from motif scores' }))
      gate('test accuracy, against twelve numbers', scores.testAccuracy, { atLeast: scores.baselineAccuracy })
      if (donor.isShipped) gate('test accuracy', scores.testAccuracy, { atLeast: contract.gates.accuracyMin })
    }
    next({ pass: commandAt(inputs.home, 'runbooks/edgeinfer-parity.ts') })
    hint({ fail: 'give other weights, or more windows with --data' })
  },
)
