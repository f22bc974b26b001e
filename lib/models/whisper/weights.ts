/**
 * Brings the weights of a Whisper to OpenAI's names, from whichever of three layouts they come in.
 *
 * CTranslate2 stacks the projections of an attention; Hugging Face names every layer otherwise; OpenAI's checkpoints
 * are taken as they are. float16 becomes float32, exactly.
 */
import type { Ct2Model } from '../../formats/ct2/model-bin.ts'
import { widened } from '../../formats/tensors/half.ts'
import { usageError } from '../../base/errors.ts'
import type { FloatTensor, Tensor } from '../../formats/tensors/tensor.ts'
import type { WhisperWeights } from './dims.ts'

/**
 * From the tensors of a Hugging Face `model.safetensors`.
 *
 * @throws RunbookError usage for a name that no Whisper has
 */
export function weightsFromHuggingFace(tensors: ReadonlyMap<string, Tensor>, source: string): WhisperWeights {
  const weights = new Map<string, FloatTensor>()
  for (const [name, tensor] of tensors) {
    // The output projection is the token embedding again.
    if (name === 'proj_out.weight') continue
    weights.set(nameFromHuggingFace(name, source), widened(name, tensor))
  }
  return weights
}

const attentionNames: Readonly<Record<string, string>> = {
  q_proj: 'query',
  k_proj: 'key',
  v_proj: 'value',
  out_proj: 'out',
}
const layerNames: Readonly<Record<string, string>> = {
  self_attn_layer_norm: 'attn_ln',
  encoder_attn_layer_norm: 'cross_attn_ln',
  final_layer_norm: 'mlp_ln',
  fc1: 'mlp.0',
  fc2: 'mlp.2',
}
const wholeNames: Readonly<Record<string, string>> = {
  'encoder.embed_positions.weight': 'encoder.positional_embedding',
  'decoder.embed_positions.weight': 'decoder.positional_embedding',
  'decoder.embed_tokens.weight': 'decoder.token_embedding.weight',
  'encoder.layer_norm.weight': 'encoder.ln_post.weight',
  'encoder.layer_norm.bias': 'encoder.ln_post.bias',
  'decoder.layer_norm.weight': 'decoder.ln.weight',
  'decoder.layer_norm.bias': 'decoder.ln.bias',
}

function nameFromHuggingFace(given: string, source: string): string {
  const name = given.replace(/^model\./, '')
  if (/^encoder\.conv[12]\.(weight|bias)$/.test(name)) return name
  const whole = wholeNames[name]
  if (whole !== undefined) return whole
  const [, half, layer, rest = ''] = /^(encoder|decoder)\.layers\.(\d+)\.(.+)$/.exec(name) ?? []
  const [, kind, projection, part] = /^(self_attn|encoder_attn)\.(\w+)\.(weight|bias)$/.exec(rest) ?? []
  const attention = attentionNames[projection ?? '']
  if (half !== undefined && attention !== undefined) {
    return `${half}.blocks.${layer}.${kind === 'self_attn' ? 'attn' : 'cross_attn'}.${attention}.${part}`
  }
  const [, plain, plainPart] = /^(\w+)\.(weight|bias)$/.exec(rest) ?? []
  const found = layerNames[plain ?? '']
  if (half !== undefined && found !== undefined) return `${half}.blocks.${layer}.${found}.${plainPart}`
  throw usageError(
    `Cannot take the weights of "${source}": it has "${given}"`,
    'give the model.safetensors of a Whisper',
  )
}

/**
 * From OpenAI's own state dict.
 *
 * @throws RunbookError usage for a tensor that holds no numbers
 */
export function weightsFromOpenAi(tensors: ReadonlyMap<string, Tensor>): WhisperWeights {
  // The causal mask is no weight, and some versions save it.
  return new Map(
    [...tensors].filter(([name]) => name !== 'decoder.mask').map(([name, tensor]) => [name, widened(name, tensor)]),
  )
}

const ct2Norms = { gamma: 'weight', beta: 'bias' } as const

/**
 * From a CTranslate2 `model.bin`.
 *
 * @throws RunbookError usage when it is no Whisper, was quantised, or lacks a variable
 */
export function weightsFromCt2(model: Ct2Model, source: string): WhisperWeights {
  const refuse = (state: string) =>
    usageError(`Cannot take the weights of "${source}": ${state}`, 'give the float16 or float32 model.bin of a Whisper')
  if (model.spec !== 'WhisperSpec') throw refuse(`it holds a "${model.spec}"`)
  const quantised = [...model.variables.keys()].find(name => name.endsWith('weight_scale'))
  if (quantised !== undefined) throw refuse(`it was quantised: it has "${quantised}"`)
  const take = (name: string): FloatTensor => {
    const found = model.variables.get(name)
    if (found === undefined) throw refuse(`it has no "${name}"`)
    return widened(name, found)
  }
  const weights = new Map<string, FloatTensor>()
  const norm = (to: string, from: string) => {
    for (const [theirs, ours] of Object.entries(ct2Norms))
      weights.set(`${to}.${ours}`, take(`${from}/layer_norm/${theirs}`))
  }
  const linear = (to: string, from: string) => {
    for (const part of ['weight', 'bias']) weights.set(`${to}.${part}`, take(`${from}/${part}`))
  }
  const stacked = (to: readonly string[], from: string) => {
    for (const part of ['weight', 'bias']) {
      const slices = rowSlices(take(`${from}/${part}`), to.length)
      for (const [i, name] of to.entries()) {
        // Whisper's keys have no bias; the stack holds zeros in its place.
        if (part === 'bias' && name.endsWith('.key')) continue
        weights.set(`${name}.${part}`, slices[i]!)
      }
    }
  }
  for (const half of ['encoder', 'decoder']) {
    for (let i = 0; model.variables.has(`${half}/layer_${i}/ffn/linear_0/weight`); i++) {
      const [to, from] = [`${half}.blocks.${i}`, `${half}/layer_${i}`]
      norm(`${to}.attn_ln`, `${from}/self_attention`)
      stacked([`${to}.attn.query`, `${to}.attn.key`, `${to}.attn.value`], `${from}/self_attention/linear_0`)
      linear(`${to}.attn.out`, `${from}/self_attention/linear_1`)
      if (half === 'decoder') {
        norm(`${to}.cross_attn_ln`, `${from}/attention`)
        linear(`${to}.cross_attn.query`, `${from}/attention/linear_0`)
        stacked([`${to}.cross_attn.key`, `${to}.cross_attn.value`], `${from}/attention/linear_1`)
        linear(`${to}.cross_attn.out`, `${from}/attention/linear_2`)
      }
      norm(`${to}.mlp_ln`, `${from}/ffn`)
      linear(`${to}.mlp.0`, `${from}/ffn/linear_0`)
      linear(`${to}.mlp.2`, `${from}/ffn/linear_1`)
    }
    weights.set(`${half}.positional_embedding`, take(`${half}/position_encodings/encodings`))
    norm(half === 'encoder' ? 'encoder.ln_post' : 'decoder.ln', half)
  }
  for (const conv of ['conv1', 'conv2']) linear(`encoder.${conv}`, `encoder/${conv}`)
  weights.set('decoder.token_embedding.weight', take('decoder/embeddings/weight'))
  return weights
}

/** A tensor cut along its rows into `count` equal views. */
function rowSlices({ shape: [rows = 0, ...rest], data }: FloatTensor, count: number): FloatTensor[] {
  const size = data.length / count
  return Array.from({ length: count }, (_, i) => ({
    dtype: 'float32' as const,
    shape: [rows / count, ...rest],
    data: data.subarray(i * size, (i + 1) * size),
  }))
}
