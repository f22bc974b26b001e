import { calibrate } from './onnx/calibrate.ts'
import { quantizeQdq } from './onnx/quantize.ts'
import { readNpz } from './formats/npz.ts'
import { encodeModel } from './formats/onnx.ts'
import { float32 } from './formats/tensor.ts'
import { convTasNetGraph } from './models/convtasnet/graph.ts'
import { ladderConfigs } from './models/convtasnet/ladder-configs.ts'
import { frameSignal, OverlapAdd } from './models/convtasnet/frames.ts'
import { snrDb } from './signal/snr.ts'
import * as ort from 'onnxruntime-node'
import { latentFrames, runTag } from './models/convtasnet/options.ts'
const npz = (await readNpz('../shared/data/convtasnet/calibration_1000ms_16k_64.npz')).get('calib_data')!.tensor()
const clip = (i: number, n: number) => (npz.data as Float32Array).slice(i * 16000, i * 16000 + n)
const configs = [...ladderConfigs('plan').filter((_, i) => [0, 4, 9].includes(i)), ladderConfigs('temporal')[3]!]
for (const o of configs) {
  const feed = (i: number) => o.encoderMode === 'conv' ? float32([1, 1, 1, o.inputLen], clip(i, o.inputLen)) : frameSignal(clip(i, o.inputLen), { kernel: 16, stride: 8 })
  const model = convTasNetGraph(o)
  const ranges = await calibrate(model, Array.from({ length: 16 }, (_, i) => ({ input: feed(i) })))
  const q = quantizeQdq(model, ranges)
  const a = await ort.InferenceSession.create(encodeModel(model)), b = await ort.InferenceSession.create(encodeModel(q))
  const rows = []
  for (let i = 20; i < 30; i++) {
    const f = feed(i)
    const t = () => new ort.Tensor('float32', f.data as Float32Array, f.shape)
    const add = (d: Float32Array) => new OverlapAdd({ kernel: 16, stride: 8, sources: 2 }).push(d, { columns: latentFrames(o), firstFrame: 0 })
    const x = (await a.run({ input: t() })).output!.data as Float32Array, y = (await b.run({ input: t() })).output!.data as Float32Array
    const [fa, qa] = [add(x), add(y)], mix = clip(i, o.inputLen)
    const sum = (s: Float32Array[]) => s[0]!.map((v, k) => v + s[1]![k]!)
    rows.push([snrDb(y, x), snrDb(qa[0]!, fa[0]!), snrDb(qa[1]!, fa[1]!), snrDb(sum(fa), mix), snrDb(sum(qa), mix)])
  }
  const col = (k: number) => { const v = rows.map(r => r[k]!).toSorted((p, q) => p - q); return `${v[0]!.toFixed(1)}..${v[5]!.toFixed(1)}..${v[9]!.toFixed(1)}` }
  console.log(runTag(o), o.encoderMode, 'coef', col(0), 's1', col(1), 's2', col(2), 'mixfloat', col(3), 'mixint8', col(4))
}
