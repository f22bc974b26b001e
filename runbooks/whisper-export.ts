#!/usr/bin/env -S npx tsx
/**
 * Whisper export: do the graphs that we author say what the weights say?
 *
 * Reads the weights of a Whisper (Hugging Face, CTranslate2, or OpenAI's checkpoint, without running its pickle) and
 * authors its graphs in ONNX: encoder, and a decoder with a cache, in float32 or with 8-bit weights; or both in the
 * fixed lengths that Hailo's compiler wants. With the goldens of openai/whisper at hand it compares hidden states, log
 * probabilities, tokens, segments and words, and counts wrong words on a set of recordings beside the reference.
 *
 *   npx tsx runbooks/whisper-export.ts --model tiny.en
 *   npx tsx runbooks/whisper-export.ts --model base --precision int8 --goldens goldens/
 */
import { choice, folder, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import type { Inputs } from '../lib/notebook/inputs/inputs.ts'
import type { Tools } from '../lib/notebook/run/session.ts'
import { whisperContract } from '../lib/systems/whisper/contract.ts'
import type { Whisper } from '../lib/systems/whisper/pipeline.ts'
import { shownPath } from '../lib/host/files.ts'
import { runbookCommand } from '../lib/host/typescript.ts'
import { shippedSpeech } from '../lib/systems/whisper/shipped-speech.ts'

export default runbook(
  import.meta,
  {
    asks: 'do the graphs that we author say what the weights say?',
    inputs: {
      model: text({ env: 'WHISPER_MODEL', default: 'tiny.en', help: 'which model' }),
      precision: choice(['float32', 'int8'], {
        optional: true,
        help: "of products with weights; default: the name's own",
      }),
      form: choice(['cached', 'fixed'], {
        default: 'cached',
        help: "a decoder with a cache, or Hailo's fixed lengths",
      }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      from: folder({ optional: true, help: "the folder of the weights; default: the model's own" }),
      to: text({ optional: true, help: 'where the graphs go; default: beside the weights' }),
      goldens: folder({ env: 'WHISPER_GOLDENS', optional: true, help: 'what openai/whisper said, to compare with' }),
      cases: toggle({ default: true, help: 'compare the golden cases' }),
      speech: toggle({ default: true, help: 'count wrong words on the set of recordings' }),
    },
    steps: ({ model, to }) => [`author the graphs of ${model}`, `write them to ${to ?? 'the folder of models'}`],
  },
  async ({ inputs, own, cell, gate, next, line, stamp }) => {
    const { exportModel, selfTest } = await import('../lib/systems/whisper/export.ts')
    const { openWhisper } = await import('../lib/systems/whisper/pipeline.ts')
    const speech = shownPath(shippedSpeech())
    const { gates, sha256 } = whisperContract()
    stamp({ contract: sha256 })
    const exported = await cell(`Author the graphs of ${inputs.model}`, ({ show, print }) => {
      const done = exportModel(inputs)
      print(`to ${done.folder}`)
      show(table(done.graphs, { title: 'graphs' }))
      return done
    })
    const { manifest } = exported
    stamp({ model: manifest.name, weights: manifest.weights })
    line(`exported: ${manifest.name} ${manifest.form} ${manifest.precision} ${exported.folder}`)
    gate('problems that the checker finds', exported.problems.length, { equals: 0 })
    if (manifest.form === 'fixed') {
      const { selfTestFixed } = await import('../lib/systems/whisper/fixed-pipeline.ts')
      const fixed = await cell('Ask it about a tone', () => selfTestFixed(exported.folder))
      stamp({ device: fixed.device })
      gate('numbers that are none', fixed.oddNumbers, { equals: 0 })
      gate('logits of one token', fixed.logits, { equals: manifest.dims.vocabulary })
      next({
        pass: runbookCommand('runbooks/whisper-transcribe.ts', ['--form', 'fixed', '--model', manifest.name, speech]),
      })
      return
    }
    const whisper = own(await openWhisper(exported.folder, { threads: 1 }))
    stamp({ device: whisper.device })
    const test = await cell('Ask it about a tone', () => selfTest(whisper))
    gate('numbers that are none', test.oddNumbers, { equals: 0 })
    // In 8 bits a row is quantised by its own range, and by all rows' range when they come together.
    if (manifest.precision === 'float32') {
      gate('one token after another and all at once', test.cacheDifference, { atMost: gates.logitsMaxAbs })
    }
    const { goldens } = inputs
    const tools = { cell, gate, line }
    if (goldens !== undefined && inputs.cases && manifest.precision === 'float32') {
      await compareGoldens(tools, whisper, goldens)
    }
    if (goldens !== undefined && inputs.speech) await countWrongWords(tools, whisper, goldens)
    next({
      pass: runbookCommand('runbooks/whisper-transcribe.ts', ['--model', exported.folder, speech]),
      fail: runbookCommand('runbooks/whisper-model.ts', ['--name', inputs.model]),
    })
  },
)

type Judging = Pick<Tools<Inputs>, 'cell' | 'gate' | 'line'>

/** Hidden states, log probabilities, tokens and times, against every case. */
async function compareGoldens({ cell, gate, line }: Judging, whisper: Whisper, goldens: string): Promise<void> {
  const { compareCase, readGoldens, summaryOf } = await import('../lib/systems/whisper/parity/goldens.ts')
  const { compareFasterWhisper, compareLanguages } = await import('../lib/systems/whisper/parity/other-goldens.ts')
  const { gates } = whisperContract()
  const rows = await cell('Compare with the goldens', async ({ progress, show }) => {
    const cases = readGoldens(goldens, whisper.manifest.name)
    const compared = (
      await progress(
        cases,
        each => compareCase(whisper, goldens, each),
        each => each.case,
      )
    ).flat()
    compared.push(
      ...(await compareLanguages(whisper, goldens)),
      ...(await compareFasterWhisper(whisper, goldens, cases)),
    )
    show(table(compared, { title: 'answers' }))
    return compared
  })
  const { equal, encoder, logprob, times } = summaryOf(rows)
  line(`goldens: ${equal}/${rows.length} answers equal`)
  gate('answers with equal tokens', equal, { equals: rows.length })
  gate('hidden states', encoder, { atMost: gates.encoderMaxAbs })
  gate('log probabilities', logprob, { atMost: gates.logitsMaxAbs })
  gate('times of segments and words, s', times, { atMost: gates.timesMaxS })
}

/** Wrong words on the set of recordings, beside those of the reference. */
async function countWrongWords({ cell, gate, line }: Judging, whisper: Whisper, goldens: string): Promise<void> {
  const { byLanguage, hearSet } = await import('../lib/systems/whisper/parity/speech-set.ts')
  const { gates } = whisperContract()
  const heard = await cell('Listen to the set of recordings', async ({ show, signal }) => {
    const all = await hearSet(whisper, goldens, signal)
    const rows = all.map(({ reference, ...row }) => ({ ...row, reference: reference.errors }))
    show(table(rows, { title: 'recordings' }))
    return byLanguage(all)
  })
  for (const { language, here, reference, points } of heard) {
    line(`word error ${language}: ${here.errors}/${here.words}, reference ${reference.errors}/${reference.words}`)
    gate(`points of word error above the reference, ${language}`, points, { atMost: gates.wordErrorPointsMax })
  }
}
