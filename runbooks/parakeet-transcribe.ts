#!/usr/bin/env -S npx tsx
/**
 * Parakeet transcription: what was said in this recording, and when?
 *
 * Runs a WAV of any length through an exported model folder: text, segments, words with times and confidence. Offline
 * it encodes the recording whole, in windows beyond two minutes; with `--stream` it hears the recording in pieces and
 * prints words as they become final. Without a model it makes a seeded one, whose words mean nothing.
 *
 *   npx tsx runbooks/parakeet-transcribe.ts --model-dir models/parakeet --wav speech.wav
 *   npx tsx runbooks/parakeet-transcribe.ts --model-dir models/parakeet --wav speech.wav --stream
 */
import { backendNames } from '../lib/infer/options.ts'
import { choice, file, folder, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { parakeetVersions } from '../lib/systems/parakeet/contract/read.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

/** What each token of a boosted phrase gains, in log-probability. */
const boostBonus = 1.5

export default runbook(
  import.meta,
  {
    asks: 'what was said in this recording, and when?',
    inputs: {
      modelDir: folder({
        optional: true,
        help: 'a folder of parakeet-export.ts, or one in the layout of onnx-asr; default: a seeded one',
      }),
      wav: file({ optional: true, env: 'WAV_PATH', help: 'the recording; default: one that ships' }),
      stream: toggle({ help: 'hear it in pieces, as if it arrived now' }),
      pieceMs: number({ default: 160, min: 10, integer: true, unit: 'ms', help: 'length of a piece of a stream' }),
      backend: choice(backendNames, {
        env: 'MODEL_BACKEND',
        default: 'auto',
        help: 'who runs the graphs; auto goes by the files',
      }),
      beam: number({
        default: 1,
        min: 1,
        max: 64,
        integer: true,
        help: 'search this wide beside the greedy transcript',
      }),
      boost: text({ optional: true, help: 'phrases that the search makes likelier, with commas between them' }),
      threads: number({ default: 1, min: 1, max: 256, integer: true, help: 'threads of ONNX Runtime' }),
      contract: choice(parakeetVersions, { default: 'v3', help: 'whose decoding rules hold' }),
    },
    steps: inputs => [
      inputs.modelDir === undefined ? 'seed a tiny model' : `open ${inputs.modelDir}`,
      `${inputs.stream ? 'stream' : 'transcribe'} ${inputs.wav ?? 'a recording that ships'}`,
      'write transcript.json and transcript.txt',
    ],
  },
  async ({ inputs, run, cell, gate, next, stamp, line, mark }) => {
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const { openModel } = await import('../lib/systems/parakeet/transcribe/model.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const { hearFile, seedModel, shippedRecording } = await import('../lib/systems/parakeet/transcribe/hear-file.ts')
    const contract = parakeetContract(inputs.contract)
    stamp({ contract: contract.sha256 })

    const path = inputs.modelDir ?? (await cell('Seed a model', () => seedModel(run.path('model'), inputs, contract)))
    const wav = inputs.wav ?? shippedRecording()
    const heard = await cell(
      `${inputs.stream ? 'Stream' : 'Transcribe'} ${wav}`,
      async ({ own, advance, print, show }) => {
        const options = { backend: inputs.backend, threads: inputs.threads, streaming: inputs.stream }
        const model = own(await openModel(path, contract, options))
        stamp({ device: model.device, model: model.meta.model })
        const result = await hearFile(model, contract, wav, { ...inputs, onText: print, onProgress: advance })
        show(
          table(
            result.transcript.words.map(word => ({ ...word })),
            { title: 'words' },
          ),
        )
        return result
      },
    )
    if (inputs.beam > 1 && !inputs.stream)
      await cell(`Search with a beam of ${inputs.beam}`, async ({ own, show }) => {
        const { searchFile } = await import('../lib/systems/parakeet/transcribe/beam.ts')
        const model = own(await openModel(path, contract, { backend: inputs.backend, threads: inputs.threads }))
        const phrases = inputs.boost?.split(',').filter(phrase => phrase.trim() !== '') ?? []
        const answers = await searchFile(model, wav, { width: inputs.beam, phrases, bonus: boostBonus })
        show(table(answers.map(({ text, score }) => ({ score, text }))))
        run.write('nbest.json', `${JSON.stringify(answers, null, 2)}\n`)
      })
    const { transcript, seconds, rtf, caveat } = heard
    run.write('transcript.json', `${JSON.stringify({ wav, seconds, rtf, caveat, ...transcript }, null, 2)}\n`)
    run.write('transcript.txt', `${transcript.text}\n`)
    line(`Transcript: ${run.shown}/transcript.json`)
    line(`Text: ${transcript.text}`)
    if (caveat !== '') line(`Caution: ${caveat}`)

    const isOrdered = transcript.timestamps.every((t, i) => i === 0 || t >= transcript.timestamps[i - 1]!)
    const confident = transcript.words.filter(w => w.confidence >= 0 && w.confidence <= 1)
    gate('times that run forwards', isOrdered, { equals: true })
    gate('words with a confidence', confident.length, { equals: transcript.words.length })
    const { gateHeard } = await import('../lib/speech/heard.ts')
    gateHeard(gate, [transcript.text])
    mark('rtf', rtf.toPrecision(3))
    next({
      pass: runbookCommand('runbooks/parakeet-bench.ts', ['--model-dir', path]),
      fail: runbookCommand('runbooks/parakeet-parity.ts', ['--model-dir', path]),
      blocked: runbookCommand('runbooks/parakeet-parity.ts', ['--model-dir', path]),
    })
  },
)
