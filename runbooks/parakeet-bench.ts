#!/usr/bin/env -S npx tsx
/**
 * Parakeet bench: does the decoding loop stay free of garbage, and how long does a chunk take?
 *
 * Runs the decoder in its steady state (time per step, garbage collections, JavaScript heap per step), streams a
 * recording (time per chunk), transcribes it (real-time factor), and asks the joint about several frames at once, whose
 * tokens must be the same. Times are reported; they are judged on a GPU alone.
 *
 *   npx tsx runbooks/parakeet-bench.ts
 *   npx tsx runbooks/parakeet-bench.ts --model-dir models/parakeet --wav speech.wav --evaluations 100000
 */
import { choice, file, folder, number, runbook } from '../lib/notebook/run/runbook.ts'
import { backendNames } from '../lib/infer/options.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'does the decoding loop stay free of garbage, and how long does a chunk take?',
    inputs: {
      modelDir: folder({ optional: true, help: 'a model folder; default: a seeded one' }),
      wav: file({ optional: true, env: 'WAV_PATH', help: 'the recording; default: one that ships' }),
      backend: choice(backendNames, { env: 'MODEL_BACKEND', default: 'auto', help: 'who runs the graphs' }),
      evaluations: number({ default: 20_000, min: 100, integer: true, help: 'of the joint, in the steady state' }),
      lookahead: number({
        default: 8,
        min: 2,
        max: 64,
        integer: true,
        help: 'frames that the joint is asked about at once',
      }),
      threads: number({ default: 1, min: 1, max: 256, integer: true, help: 'threads of ONNX Runtime' }),
    },
    steps: inputs => [
      `open ${inputs.modelDir ?? 'a seeded model'}`,
      `decode until the joint was asked ${inputs.evaluations} times`,
      'stream and transcribe a recording',
    ],
  },
  async ({ inputs, run, cell, gate, next, hint, stamp, mark, line, show }) => {
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const { seedModel, shippedRecording } = await import('../lib/systems/parakeet/transcribe/hear-file.ts')
    const { openModel } = await import('../lib/systems/parakeet/transcribe/model.ts')
    const { histogram, table } = await import('../lib/notebook/display/show.ts')
    const bench = await import('../lib/systems/parakeet/bench/measure.ts')
    const contract = parakeetContract()
    stamp({ contract: contract.sha256 })
    const wav = inputs.wav ?? shippedRecording()
    const modelDir =
      inputs.modelDir ?? (await cell('Seed a model', () => seedModel(run.path('model'), { stream: false }, contract)))
    const options = { backend: inputs.backend, threads: inputs.threads }

    const steady = await cell('Decode in the steady state', async ({ own }) => {
      const model = own(await openModel(modelDir, contract, options))
      stamp({ device: model.device })
      return await bench.steadyCost(model, bench.soundOf(wav, model), inputs.evaluations)
    })
    const heard = await cell('Transcribe and stream the recording', () =>
      bench.hearThrice(modelDir, contract, wav, { ...options, lookahead: inputs.lookahead }),
    )
    const facts = bench.factsOf(steady, heard)
    show(table([facts]), histogram(heard.streamed.latenciesMs, { title: 'time per chunk, ms' }))
    run.write('bench.json', `${JSON.stringify(facts, null, 2)}\n`)
    run.write('ARCHITECTURE_RUNTIME.md', bench.architectureRuntime(facts, contract))
    mark('rtf', heard.whole.rtf.toPrecision(3))
    line(`Runtime: ${run.shown}/ARCHITECTURE_RUNTIME.md`)

    gate(
      'garbage collections in the steady state',
      steady.collections,
      { equals: 0 },
      { note: `${steady.steps} steps` },
    )
    gate(
      'JavaScript heap per step',
      steady.heapBytesPerStep,
      { atMost: contract.latency.decode_heap_bytes_per_step_max },
      { unit: 'B' },
    )
    gate(`tokens with ${inputs.lookahead} frames at once`, heard.isSame, { equals: true })
    const onGpu = inputs.backend === 'tensorrt'
    if (onGpu)
      gate(
        'time per chunk, p95',
        facts.chunk_ms_p95,
        { atMost: contract.latency.encoder_streaming_gpu_ms_max },
        { unit: 'ms' },
      )
    next({
      pass: runbookCommand('runbooks/bench.ts', ['--suite', 'tdt']),
      blocked: runbookCommand('runbooks/doctor.ts'),
    })
    hint({ fail: 'open ARCHITECTURE_RUNTIME.md' })
  },
)
