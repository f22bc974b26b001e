#!/usr/bin/env -S npx tsx
/**
 * Monolithic sweep: which is the first whole ConvTasNet that compiles and runs?
 *
 * Authors a ladder of graphs, compiles them rung by rung with the toolchain that is found, stops at the first success,
 * and separates one real recording of two voices with the winner. With no vendor's compiler on the machine the host
 * toolchain answers: it proves graph, int8 quantisation and runtime path, and nothing about allocation on a device.
 *
 *   npx tsx runbooks/monolithic-sweep.ts
 *   PROFILE=extended npx tsx runbooks/monolithic-sweep.ts --ladder temporal
 *   npx tsx runbooks/monolithic-sweep.ts --resume 20260223_052929
 *   npx tsx runbooks/monolithic-sweep.ts --model my.onnx --calib samples.npz --shape mix=1x1x16000
 */
import { shownPath } from '../lib/host/files.ts'
import { runTag } from '../lib/models/convtasnet/options.ts'
import { commandWith } from '../lib/notebook/inputs/command.ts'
import { runbook } from '../lib/notebook/run/runbook.ts'
import { monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { rungsOf, sweepInputs } from '../lib/systems/monolithic/search/sweep-inputs.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

const { files, gates, model, sha256 } = monolithicContract()
const declared = sweepInputs()

export default runbook(
  import.meta,
  {
    asks: 'which is the first whole ConvTasNet that compiles and runs?',
    inputs: declared,
    steps: async inputs => {
      const { sliceCases } = await import('../lib/ladder/select.ts')
      if (inputs.model !== undefined) return inputs.model.split(',').map(path => `compile ${path}`)
      const named = rungsOf(inputs).map((rung, i) => ({ tag: runTag(rung), n: i + 1 }))
      return sliceCases(named, inputs).map(({ tag, n }) => `compile rung ${n}, ${tag}`)
    },
  },
  async ({ inputs, run, cell, gate, next, line, mark, proves, stamp, signal, own }) => {
    const compile = await import('../lib/systems/monolithic/search/index.ts')
    const infer = await import('../lib/systems/monolithic/separation/index.ts')
    const rungs = rungsOf(inputs)
    if (inputs.printWeights) return compile.printWeights({ cell, gate, line }, rungs[0]!)
    const stock = inputs.model === undefined ? await compile.stockModel(inputs, run.path('weights.onnx')) : null
    const given = inputs.model ?? stock?.path
    const recording =
      given === undefined ? own(infer.openRecording(infer.pickRecording(inputs), model.sampleRateHz)) : null
    if (stock !== null)
      await cell('Author the network of the weights', ({ print }) => stock.notes.forEach(note => print(note)))
    const search = await cell('Choose the toolchain', ({ print }) =>
      compile.openSearch(inputs, { folder: run.folder, signal, print }),
    )
    const { toolchain } = search
    mark('toolchain', toolchain.name)
    stamp({ toolchain: toolchain.name, toolchainVersion: search.version, contract: sha256 })
    if (given !== undefined) {
      const source = stock === null ? undefined : compile.soundSource(search.setting.calibration)
      return compile.sweepModels({ cell, gate, next, proves, run }, { ...inputs, model: given, source }, search)
    }

    const { results, winner } = await cell(`Compile rung by rung (${toolchain.name})`, tools =>
      compile.climbRungs(search, { rungs, inputs, run }, tools),
    )
    const knob = compile.chooseKnob(inputs.knob, compile.outcomesOf(results), {
      ...inputs,
      options: rungs[0]!,
      scriptExtra: search.setting.scriptExtra,
    })
    const rung = rungs.find(candidate => runTag(candidate) === winner?.tag)!
    const hasWeights = compile.hasTrainedWeights(rung, inputs.weights)
    const sidecar = { file: files.nextKnob, profile: inputs.profile }
    const closing = compile.closeSweep(
      { line, gate, run, proves },
      { results, winner, knob, toolchain: toolchain.name, hasWeights, sidecar },
    )
    const again = (change: Readonly<Record<string, unknown>>) =>
      commandWith('runbooks/monolithic-sweep.ts', { declared, values: inputs, change })
    next({ interrupted: again({ resume: run.shown }) })
    if (!winner || signal.aborted) {
      closing.runtime('fail', 'none')
      signal.throwIfAborted()
      const turned = compile.knobCommand(knob, { declared, inputs, run, scriptExtra: search.setting.scriptExtra })
      return next({ fail: turned, blocked: turned })
    }
    compile.gateLikeness(gate, { toolchain: toolchain.name, metrics: winner.metrics })

    const compiledModel = run.path(winner.tag, winner.files.compiled)
    const inferCommand = runbookCommand('runbooks/monolithic-infer.ts', ['--model', shownPath(compiledModel)])
    next({ pass: inferCommand, blocked: inferCommand, fail: again({ calibNpz: inputs.calibNpz ?? 'your-own.npz' }) })
    if (inputs.compileOnly)
      return compile.closeCompileOnly({ line, next, closing }, { shown: shownPath(compiledModel), board: inputs.board })
    if (rung.decoderMode === 'conv1x1_head') {
      closing.runtime('blocked', 'none')
      gate.blocked(
        'runtime',
        'conv1x1_head answers at the latent rate, which is no sound; compile with --decoder polyphase to hear it',
      )
      return next({ blocked: again({ decoder: 'polyphase' }) })
    }
    await closing.judged(async () => {
      const { metrics } = await cell(`Separate ${shownPath(recording!.mix)}`, tools =>
        compile.separateWinner(compiledModel, { recording: recording!, run }, tools),
      )
      stamp({ device: metrics.device_info })
      const promises = compile.promisesOf(rung, { weights: inputs.weights, recording: recording! })
      return infer.gateSeparation(gate, metrics, { ...gates, ...promises })
    })
  },
)
