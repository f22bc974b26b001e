/**
 * Rungs R0 and R1: the values that a model states, and the features that go into it.
 */
import { join } from 'node:path'
import { readFile } from '../../../../host/files.ts'
import { readModel } from '../../../../formats/onnx/index.ts'
import { compare } from '../../../../parity/compare.ts'
import { firstAlong } from '../../../../parity/region.ts'
import { featuresByDefinition } from '../../../../signal/mel/definition.ts'
import { NemoMel } from '../../../../signal/mel/nemo.ts'
import { usageError } from '../../../../base/errors.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import { changedFiles, compareMeta, normalisersOf } from '../../export/check-export.ts'
import { melOptionsOf, readMeta } from '../../model/meta.ts'
import { answered, Findings, type RungResult } from './result.ts'

/** R0: the meta agrees with the contract, the files with their digests, and the joint gives logits. */
export function rungContract(folder: string, contract: ParakeetContract): RungResult {
  const meta = readMeta(folder)
  const isThatModel = meta.tokenizer.vocab_size === contract.tokenizer.vocab_size
  const values = compareMeta(meta, contract, isThatModel)
  // What a seeded model has otherwise on purpose is no contradiction: it says so in its name.
  const isSeeded = meta.model.startsWith('synthetic-')
  const wrong = values.filter(({ same, pointer }) => !same && !(isSeeded && pointer === '/features/normalize'))
  const changed = changedFiles(folder, meta)
  const normalisers =
    'joint.onnx' in meta.artifacts ? normalisersOf(readModel(join(folder, 'joint.onnx')), 'logits') : []
  const problems = [
    ...wrong.map(
      v => `${v.pointer} is ${JSON.stringify(v.found)}, and the contract says ${JSON.stringify(v.contract)}`,
    ),
    ...changed.map(file => `${file} is not what was exported`),
    ...normalisers.map(found => `the joint ends in ${found}`),
  ]
  return answered(
    { rung: 'R0', asks: 'does the model state what the contract says?', tolerance: 'equal, type and all' },
    {
      compared: values.length,
      firstDivergence: problems[0] ?? '',
      metrics: { values: values.length, contradictions: wrong.length, changed_files: changed.length },
    },
  )
}

/** R1: the front end against its definition in float64, or against a fixture that another program made. */
export function rungMel(folder: string, { tolerances }: ParakeetContract, fixture: string | undefined): RungResult {
  const options = { ...melOptionsOf(readMeta(folder)), normalize: 'per_feature' as const }
  const mel = new NemoMel(options)
  const findings = new Findings()
  const close = { atol: tolerances.mel_atol, rtol: 0 }
  for (const { name, samples, want, frames } of melCases(fixture, options)) {
    const got = mel.features(samples)
    if (got.frames !== frames) findings.say(`${name}: ${got.frames} frames instead of ${frames}`)
    else
      findings.note(
        name,
        compare(got.data, want, { ...close, region: firstAlong([got.bins, frames], 1, got.validFrames) }),
      )
  }
  return answered(
    {
      rung: 'R1',
      asks:
        fixture === undefined
          ? 'are the features those of their definition?'
          : 'are the features those of the fixture?',
      tolerance: `atol ${close.atol} (contract /tolerances/mel_atol)`,
    },
    { ...findings, metrics: findings.metrics(), series: { max_abs: findings.errors } },
  )
}

interface MelCase {
  readonly name: string
  readonly samples: Float32Array
  readonly want: ArrayLike<number>
  readonly frames: number
}

function melCases(fixture: string | undefined, options: ReturnType<typeof melOptionsOf>): MelCase[] {
  if (fixture !== undefined) return fixtureCases(fixture)
  return [1600, 2345].map(length => {
    const samples = Float32Array.from(
      { length },
      (_, i) => 0.3 * Math.sin(i * 0.05) * Math.sin(i * 0.0007 + 1) + 0.02 * Math.sin(i * i * 0.003),
    )
    const frames = 1 + Math.floor(length / options.hopSamples)
    return { name: `${length} samples`, samples, want: featuresByDefinition(samples, options), frames }
  })
}

/** A JSON file with base64 of float32: `{ tests: { name: { audio, features, featuresShape } } }`. */
function fixtureCases(path: string): MelCase[] {
  const { tests } = JSON.parse(readFile(path).toString('utf8')) as {
    tests?: Record<string, { audio?: string; features?: string; featuresShape?: number[] }>
  }
  const floats = (text: string) => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)
  return Object.entries(tests ?? {}).map(([name, { audio, features, featuresShape }]) => {
    if (audio === undefined || features === undefined)
      throw usageError(`Cannot read "${path}": "${name}" has no audio or no features`, 'give a fixture of features')
    return { name, samples: floats(audio), want: floats(features), frames: featuresShape?.at(-1) ?? NaN }
  })
}
