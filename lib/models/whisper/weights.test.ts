import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import type { FloatTensor, Tensor } from '../../formats/tensors/tensor.ts'
import { seededWeights, smallDims } from '../../testing/whisper/models.ts'
import { dimsOf } from './dims.ts'
import { weightsFromCt2, weightsFromHuggingFace, weightsFromOpenAi } from './weights.ts'

const weights = seededWeights(smallDims)

/** The names of Hugging Face, by a table of parts. */
const huggingFace = () =>
  new Map<string, Tensor>(
    [...weights].map(([name, tensor]) => [
      `model.${name
        .replace('blocks', 'layers')
        .replace(/(?<=\d\.)attn_ln/, 'self_attn_layer_norm')
        .replace('cross_attn_ln', 'encoder_attn_layer_norm')
        .replace('mlp_ln', 'final_layer_norm')
        .replace(/\.attn\./, '.self_attn.')
        .replace('.cross_attn.', '.encoder_attn.')
        .replace('.query.', '.q_proj.')
        .replace('.key.', '.k_proj.')
        .replace('.value.', '.v_proj.')
        .replace('.out.', '.out_proj.')
        .replace('mlp.0', 'fc1')
        .replace('mlp.2', 'fc2')
        .replace('ln_post', 'layer_norm')
        .replace('decoder.ln.', 'decoder.layer_norm.')
        .replace('positional_embedding', 'embed_positions.weight')
        .replace('token_embedding', 'embed_tokens')}`,
      tensor,
    ]),
  )

const stacked = (names: readonly string[], part: string, width: number): FloatTensor => {
  const parts = names.map(name => weights.get(`${name}.${part}`)?.data ?? new Float32Array(width))
  const shape = part === 'bias' ? [names.length * width] : [names.length * width, width]
  return { dtype: 'float32', shape, data: Float32Array.from(parts.flatMap(data => [...data])) }
}

/** CTranslate2's variables: projections stacked, a bias of zeros for the keys. */
function ct2(): Map<string, Tensor> {
  const { width, encoderLayers, decoderLayers } = smallDims
  const variables = new Map<string, Tensor>()
  const put = (to: string, from: string) => variables.set(to, weights.get(from)!)
  const norm = (to: string, from: string) => {
    put(`${to}/layer_norm/gamma`, `${from}.weight`)
    put(`${to}/layer_norm/beta`, `${from}.bias`)
  }
  const linear = (to: string, ...from: string[]) => {
    for (const part of ['weight', 'bias']) {
      if (from.length > 1) variables.set(`${to}/${part}`, stacked(from, part, width))
      else put(`${to}/${part}`, `${from[0]}.${part}`)
    }
  }
  for (const [half, layers] of [
    ['encoder', encoderLayers],
    ['decoder', decoderLayers],
  ] as const) {
    for (let i = 0; i < layers; i++) {
      const [to, from] = [`${half}/layer_${i}`, `${half}.blocks.${i}`]
      const attn = `${from}.attn`
      norm(`${to}/self_attention`, `${from}.attn_ln`)
      linear(`${to}/self_attention/linear_0`, `${attn}.query`, `${attn}.key`, `${attn}.value`)
      linear(`${to}/self_attention/linear_1`, `${attn}.out`)
      if (half === 'decoder') {
        norm(`${to}/attention`, `${from}.cross_attn_ln`)
        linear(`${to}/attention/linear_0`, `${from}.cross_attn.query`)
        linear(`${to}/attention/linear_1`, `${from}.cross_attn.key`, `${from}.cross_attn.value`)
        linear(`${to}/attention/linear_2`, `${from}.cross_attn.out`)
      }
      norm(`${to}/ffn`, `${from}.mlp_ln`)
      linear(`${to}/ffn/linear_0`, `${from}.mlp.0`)
      linear(`${to}/ffn/linear_1`, `${from}.mlp.2`)
    }
    put(`${half}/position_encodings/encodings`, `${half}.positional_embedding`)
  }
  norm('encoder', 'encoder.ln_post')
  norm('decoder', 'decoder.ln')
  for (const conv of ['conv1', 'conv2']) linear(`encoder/${conv}`, `encoder.${conv}`)
  put('decoder/embeddings/weight', 'decoder.token_embedding.weight')
  return variables
}
const model = (variables: ReadonlyMap<string, Tensor>, spec = 'WhisperSpec') => ({
  spec,
  revision: 3,
  variables,
  aliases: new Map<string, string>(),
})
const sorted = (map: ReadonlyMap<string, FloatTensor>) =>
  [...map].map(([name, { shape, data }]) => [name, [...shape], [...data]] as const).toSorted()

test('weights come out the same from all three layouts', () => {
  const want = sorted(weights)
  const proj = ['proj_out.weight', weights.get('decoder.token_embedding.weight')!] as const
  assert.deepEqual(sorted(weightsFromHuggingFace(new Map([...huggingFace(), proj]), 'hf')), want)
  assert.deepEqual(sorted(weightsFromCt2(model(ct2()), 'ct2')), want)
  const mask = ['decoder.mask', { dtype: 'float32', shape: [1], data: Float32Array.of(0) }] as const
  assert.deepEqual(sorted(weightsFromOpenAi(new Map<string, Tensor>([...weights, mask]))), want)
  assert.deepEqual(dimsOf(weights, 'seeded'), smallDims)
})

test('weightsFromCt2 refuses another model, quantised weights, and a missing variable', () => {
  assert.throws(() => weightsFromCt2(model(ct2(), 'TransformerSpec'), 'x'), {
    exit: 'usage',
    message: /TransformerSpec/,
  })
  const scale = ['a/weight_scale', weights.get('encoder.conv1.bias')!] as const
  assert.throws(() => weightsFromCt2(model(new Map([...ct2(), scale])), 'x'), { message: /quantised/ })
  for (const name of ['decoder/embeddings/weight', 'encoder/layer_1/ffn/linear_1/bias']) {
    const lacking = new Map([...ct2()].filter(([key]) => key !== name))
    assert.throws(() => weightsFromCt2(model(lacking), 'x'), RunbookError, name)
  }
})

test('weightsFromHuggingFace refuses a name that no Whisper has', () => {
  for (const name of [
    'model.encoder.layers.0.self_attn.x_proj.weight',
    'lm_head.weight',
    'model.decoder.rotary.weight',
  ]) {
    const odd = new Map<string, Tensor>([[name, weights.get('encoder.conv1.bias')!]])
    assert.throws(() => weightsFromHuggingFace(odd, 'x'), { exit: 'usage' }, name)
  }
})

test('dimsOf refuses weights that are missing, strange, or of another size than the others imply', () => {
  const small = (shape: number[]): FloatTensor => ({
    dtype: 'float32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })
  const bad: [string, FloatTensor | undefined][] = [
    ['encoder.conv1.weight', undefined],
    ['decoder.blocks.1.mlp.2.bias', undefined],
    ['decoder.blocks.1.cross_attn.key.weight', small([128, 64])],
    ['encoder.positional_embedding', small([20])],
    ['encoder.blocks.9.attn.query.weight', small([128, 128])],
    ['decoder.mask', small([1])],
  ]
  for (const [name, tensor] of bad) {
    const changed = new Map(weights)
    if (tensor === undefined) changed.delete(name)
    else changed.set(name, tensor)
    assert.throws(() => dimsOf(changed, 'x'), { exit: 'usage' }, name)
  }
})
