/**
 * NeMo's small models of the data folder: their configuration, their weights, and graphs authored from both.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import type { ModelProto } from '../../formats/onnx/index.ts'
import { readSafetensors } from '../../formats/tensors/safetensors.ts'
import type { FloatTensor, Tensor } from '../../formats/tensors/tensor.ts'
import type { Backend } from '../../infer/backend.ts'
import { openBackend } from '../../infer/open.ts'
import { tdtConfigFrom, type TdtConfig } from '../../models/tdt/config.ts'
import type { WeightSource } from '../../models/tdt/net.ts'
import { dataPath } from '../needs.ts'

/** One of NeMo's small models. */
export function goldenModel(name: string): { config: TdtConfig; weights: WeightSource } {
  const file = name === 'tdt-stream-s' ? 'stream.json' : 'model.json'
  const { config } = JSON.parse(readFileSync(dataPath(`nemo/${name}/${file}`), 'utf8'))
  const tensors = readSafetensors(dataPath(`nemo/${name}/weights.safetensors`))
  return { config: tdtConfigFrom(config), weights: weightsOf(tensors) }
}

/** Tensors in memory as a source of weights. */
export const weightsOf = (tensors: ReadonlyMap<string, Tensor>): WeightSource => ({
  has: name => tensors.has(name),
  read: name => {
    const tensor = tensors.get(name)
    if (tensor === undefined) throw new Error(`there is no weight "${name}"`)
    return tensor as FloatTensor
  },
})

/** A graph on ONNX Runtime; its file goes when the test ends. */
export async function openGraph(t: TestContext, model: ModelProto): Promise<Backend> {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  const path = join(folder, 'model.onnx')
  writeFileSync(path, encodeModel(model))
  const backend = await openBackend(path)
  t.after(async () => {
    await backend[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })
  return backend
}
