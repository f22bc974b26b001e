#!/usr/bin/env -S npx tsx
/**
 * Training: can a network learn to separate two voices here, and how well does it?
 *
 * Downloads recorded prompts as Debian packages, holds some of them back, and trains a ConvTasNet of the ladder with
 * PyTorch on one core. Then it measures what ships: float16 weights on ONNX Runtime against PyTorch, tiled, in int8,
 * and with voices that the network never heard. `--smoke` takes four minutes of a core. `--write` puts weights, log and
 * model card into `contracts/weights`.
 *
 *   npx tsx runbooks/monolithic-train.ts --smoke
 *   npx tsx runbooks/monolithic-train.ts --network large --packages ~/Downloads
 */
import { choice, folder, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import {
  networkNames,
  networkOptions,
  voicePackages,
  voicesContract,
} from '../lib/systems/monolithic/training/contract.ts'
import { runbookCommand } from '../lib/host/typescript.ts'
import { runTag } from '../lib/models/convtasnet/options.ts'

const { training, sha256 } = voicesContract()
const packages = voicePackages()

export default runbook(
  import.meta,
  {
    asks: 'can a network learn to separate two voices here, and how well does it?',
    inputs: {
      network: choice(networkNames, { default: 'large', help: 'which network of the ladder' }),
      smoke: toggle({ help: `a short training of ${training.smokeCpuSeconds} CPU seconds, with a lower bound` }),
      cpuSeconds: number({ optional: true, min: 1, unit: 'seconds', help: `default: ${training.cpuSeconds}` }),
      wallSeconds: number({ optional: true, min: 1, unit: 'seconds', help: 'ends it by the clock, if that is sooner' }),
      seed: number({ default: training.seed, min: 0, integer: true, help: 'of the weights and of the crops' }),
      python: text({ optional: true, help: 'a Python with PyTorch; default: python3, or /usr/bin/python3' }),
      packages: folder({ optional: true, help: 'a folder with the .deb files; default: apt downloads them' }),
      data: folder({ optional: true, help: 'speech and mixtures that an earlier training prepared' }),
      trained: folder({ optional: true, help: 'measure what a training left in this folder, and train nothing' }),
      write: toggle({ help: 'put weights, log and card into contracts/weights/voices' }),
    },
    steps: inputs => [
      inputs.data ? `read speech from ${inputs.data}` : `take ${packages.map(({ name }) => name).join(', ')}`,
      inputs.trained ? `read the weights in ${inputs.trained}` : `train the ${inputs.network} network with PyTorch`,
      'score held-out mixtures: float16, float32, tiled, int8, strangers; compare with PyTorch',
      ...(inputs.write ? ['write contracts/weights/voices'] : []),
    ],
  },
  async ({ inputs, run, cell, gate, next, signal, stamp }) => {
    const room = await import('../lib/systems/monolithic/training/index.ts')
    const { lines, table } = await import('../lib/notebook/display/show.ts')
    stamp({ contract: sha256 })
    const { network } = inputs
    const cpuSeconds = inputs.cpuSeconds ?? (inputs.smoke ? training.smokeCpuSeconds : training.cpuSeconds)

    const python = await cell('Find PyTorch', async ({ print }) => {
      const found = await room.findTorch(inputs.python)
      print(room.torchText(found, training.torch))
      return found
    })
    const shop = { folder: run.folder, signal, python, data: inputs.data ?? run.path('data') }

    const voices = await cell('Prepare the voices', async ({ show }) => {
      if (inputs.data !== undefined) return room.voicesIn(inputs.data)
      room.needPrograms([...(inputs.packages === undefined ? ['apt-get'] : []), 'dpkg-deb', 'ffmpeg'])
      const given = inputs.packages
      const found =
        given === undefined ? await room.downloadPackages(packages, shop) : room.findPackages(packages, given)
      const facts = await room.prepareData(found, shop)
      show(table(facts, { title: 'speech, trimmed' }))
      return facts
    })

    const trained = await cell(inputs.trained ? 'Read the training' : `Train the ${network} network`, async tools => {
      const budget = { ...inputs, cpuSeconds, everySeconds: Math.min(60, cpuSeconds / 12) }
      const made = inputs.trained
        ? room.trainedIn(inputs.trained)
        : await room.trainNetwork(network, budget, {
            ...shop,
            onPoint({ step, cpu, spent, val, vmin }) {
              tools.print(`step ${step}, ${cpu} CPU s: ${val} dB on validation, ${vmin} dB at worst`)
              tools.advance(Math.round(spent * 100), 100)
            },
          })
      tools.show(
        lines(made.curve, { x: 'cpu', y: 'val', title: 'SI-SDRi of the validation mixtures over CPU seconds' }),
      )
      tools.print(`${made.steps} steps, ${made.cpuSeconds} CPU s, ${made.wallSeconds} s`)
      return made
    })

    const measured = await cell('Measure what would ship', async ({ print, show }) => {
      const onSet = (set: string, { mean, worst }: { mean: number; worst: number }) =>
        print(`${set}: ${mean.toFixed(2)} dB, worst ${worst.toFixed(2)} dB`)
      const found = await room.measure(network, trained, { ...shop, onSet })
      show(
        table(
          Object.entries(found.scores).map(([set, spread]) => ({ set, ...spread })),
          { title: 'SI-SDRi, dB' },
        ),
      )
      return found
    })

    const isGood = room.gateTraining(gate, measured, { network, isSmoke: inputs.smoke })
    await cell('Write the card', ({ print }) => {
      const card = room.cardOf(network, { trained, measured, python, voices, packages })
      run.write('card.json', `${JSON.stringify(card, null, 2)}\n`)
      if (inputs.write && isGood && !inputs.smoke)
        print(`wrote ${room.ship(card, trained).join(', ')} into contracts/weights/voices`)
      else if (inputs.write) print('nothing was put into contracts/weights: a gate failed, or it was a smoke training')
    })
    const tag = runTag(networkOptions(network))
    next({
      pass: runbookCommand('runbooks/monolithic-sweep.ts', ['--weights', trained.weights, '--config', tag]),
      fail: runbookCommand('runbooks/monolithic-train.ts', ['--network', network, '--cpu-seconds', 2 * cpuSeconds]),
    })
  },
)
