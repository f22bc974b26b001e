/** Writes small models that a sweep compiles in a second or two each. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../../base/random.ts'
import { encodeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'

const width = 32

/** Paths of `count` networks of one layer, `tiny-1.onnx` and so on; each has its own weights. */
export function writeTinyModels(folder: string, count: number): string[] {
  mkdirSync(folder, { recursive: true })
  return Array.from({ length: count }, (_, i) => {
    const random = seededRandom(i + 1)
    const weights = Float32Array.from({ length: width * width }, () => random.next() - 0.5)
    const graph = new GraphBuilder({ name: `tiny-${i + 1}` })
    graph.input('x', 'float32', [1, 1, 1, width])
    graph.node('MatMul', ['x', graph.weight('w', float32([width, width], weights))], { output: 'y' })
    graph.output('y', 'float32', [1, 1, 1, width])
    const path = join(folder, `tiny-${i + 1}.onnx`)
    writeFileSync(path, encodeModel(graph.build()))
    return path
  })
}
