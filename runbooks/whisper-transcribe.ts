#!/usr/bin/env -S npx tsx
/**
 * Whisper transcription: what is said in these recordings, and when?
 *
 * Runs recordings of any format and length through the same pipeline as the service: log-mel, encoder, decoder with
 * Whisper's own rules, on graphs that this project authored. Where a transcript lies beside a recording (`talk.txt`
 * beside `talk.mp3`), it counts the words that are wrong. A model is named, or given as a folder that
 * `whisper-export.ts` wrote; where only its weights are installed, it is exported first.
 *
 *   npx tsx runbooks/whisper-transcribe.ts talk.wav
 *   npx tsx runbooks/whisper-transcribe.ts --model base --words --language fr recordings/
 */
import { basename } from 'node:path'
import { choice, file, number, paths, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'what is said in these recordings, and when?',
    inputs: {
      audio: paths({ help: 'recordings, or folders of them' }),
      model: text({ env: 'WHISPER_MODEL', default: 'tiny.en', help: 'a model by name, or an exported folder' }),
      precision: choice(['float32', 'int8'], { optional: true, help: "of the graphs; default: the name's own" }),
      form: choice(['cached', 'fixed'], {
        default: 'cached',
        help: "a decoder with a cache, or Hailo's fixed lengths",
      }),
      encoderHef: file({ optional: true, help: 'with --form fixed: the encoder compiled for a Hailo device' }),
      decoderHef: file({ optional: true, help: 'with --form fixed: the decoder compiled for a Hailo device' }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      language: text({ optional: true, help: 'a code or a name; default: detected' }),
      task: choice(['transcribe', 'translate'], { default: 'transcribe', help: 'in its own language, or in English' }),
      prompt: text({ optional: true, help: 'what the recording is about, or words that it may hold' }),
      words: toggle({ help: 'times of words' }),
      beamSize: number({ default: 1, min: 1, max: 16, integer: true, help: 'hypotheses side by side' }),
      temperature: number({ default: 0, min: 0, max: 1, help: 'the first one; higher ones are tried where it fails' }),
      threads: number({ optional: true, min: 1, integer: true, help: 'for one operator; default: one for each core' }),
      maxMinutes: number({ default: 180, min: 1, help: 'longer recordings are refused' }),
      wordErrorMax: number({
        default: 0.2,
        min: 0,
        help: 'the share of words that may be wrong, where a transcript is',
      }),
    },
    operand: 'audio',
    steps: ({ audio, model }) => [`open the model ${model}`, ...audio.map(path => `transcribe ${path}`)],
  },
  async ({ inputs, own, cell, gate, line, next, run, stamp, signal }) => {
    const { exportedFolder, openTranscriber } = await import('../lib/systems/whisper/model.ts')
    const { clock, recordingsOf, showTranscript, transcribeFile } = await import('../lib/systems/whisper/recordings.ts')
    const { totalErrors, wordErrorRate } = await import('../lib/speech/word-error.ts')
    const { whisperContract } = await import('../lib/systems/whisper/contract.ts')
    stamp({ contract: whisperContract().sha256 })
    const { model, precision, models: store, maxMinutes } = inputs
    const recordings = recordingsOf(inputs.audio)
    const whisper = await cell(`Open ${model}`, async ({ print }) => {
      const wanted = { model, precision, store, form: inputs.form }
      const folder = await exportedFolder(wanted, to => print(`exports the graphs to ${to}`))
      const hefs = { encoder: inputs.encoderHef, decoder: inputs.decoderHef }
      const opened = await openTranscriber(folder, { form: inputs.form, threads: inputs.threads, hefs })
      print(`${opened.manifest.name}, ${opened.manifest.precision}, on ${opened.device}`)
      return own(opened)
    })
    stamp({ device: whisper.device, model: whisper.manifest.name, weights: whisper.manifest.weights })
    const { language, task, prompt, words, beamSize, temperature } = inputs
    const options = { language, task, prompt, words, beamSize, temperature }
    const files = []
    for (const path of recordings) {
      const file = await cell(`Transcribe ${basename(path)}`, async ({ print, show, advance, signal: stop }) => {
        const watch = {
          onSegment: ({ start, end, text: said }: { start: number; end: number; text: string }) => {
            print(`[${clock(start)} --> ${clock(end)}] ${said.trim()}`)
          },
          onProgress: advance,
        }
        const done = await transcribeFile(whisper, path, options, { signal: stop, watch, secondsMax: maxMinutes * 60 })
        show(...showTranscript(done))
        return done
      })
      files.push(file)
      for (const { start, end, text: said } of file.transcript.segments) {
        if (said !== '') line(`[${clock(start)} --> ${clock(end)}] ${said.trim()}`)
      }
      line(`text: ${file.transcript.text}`)
    }
    signal.throwIfAborted()
    run.write(
      'transcripts.json',
      JSON.stringify(
        files.map(({ path, transcript }) => ({ path, ...transcript })),
        null,
        2,
      ),
    )
    gate('recordings transcribed', files.length, { atLeast: 1 })
    const inOrder = files.every(({ transcript: { segments } }) =>
      segments.every(({ start, end }, i) => start <= end && (i === 0 || start >= segments[i - 1]!.start)),
    )
    gate('segments follow each other', inOrder, { equals: true })
    const { gateHeard } = await import('../lib/speech/heard.ts')
    gateHeard(
      gate,
      files.map(({ transcript }) => transcript.text),
    )
    const scored = files.flatMap(({ errors }) => errors ?? [])
    if (scored.length > 0) {
      const total = totalErrors(scored)
      line(`word error: ${total.errors} of ${total.words}`)
      gate('word error', wordErrorRate(total), { atMost: inputs.wordErrorMax })
    }
    gate('real-time factor', Math.max(...files.map(({ rtf }) => rtf)), { atMost: 100 })
    next({
      pass: runbookCommand('runbooks/whisper-serve.ts'),
      fail: runbookCommand('runbooks/whisper-transcribe.ts', ['--model', 'base']),
      blocked: runbookCommand('runbooks/whisper-verify.ts'),
    })
  },
)
