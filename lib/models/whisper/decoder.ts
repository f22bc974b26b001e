/**
 * Authors a Whisper's decoder with a cache: new tokens in, logits out, and the keys and values of these tokens alone.
 *
 * The cache is an input of fixed size that the graph never copies: attention over the past and over the new tokens are
 * two products whose scores meet in one softmax. Whoever runs it writes the new rows into the cache.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { headWidth, type WhisperDims, type WhisperWeights } from './dims.ts'
import { whisperOpset } from './encoder.ts'
import { int64, Layers, queryScale, transposed, type Precision } from './layers.ts'

/**
 * The decoder of form (a). B hypotheses, T new tokens, a cache of C rows, R rows whose logits are wanted.
 *
 * Inputs: `tokens` int64 [B, T], `positions` int64 [T] (of the new tokens), `rows` int64 [R] (which of the T),
 * `past_mask` float32 [C] (0 for a row of the cache that holds, -1e9 for one that does not), `new_mask` float32 [T, T]
 * (0 where a token may look, -1e9 where it may not), and for each layer i `past_key_i`, `past_value_i` [B, heads, C,
 * 64], `cross_key_i` [1, heads, 64, frames] and `cross_value_i` [1, heads, frames, 64]. Outputs: `logits` [B, R,
 * vocabulary], and for each layer `new_key_i`, `new_value_i` [B, heads, T, 64] and `cross_weights_i` [B, heads, T,
 * frames], the attention on the sound, for word times.
 */
export function decoderGraph(dims: WhisperDims, weights: WhisperWeights, precision: Precision = 'float32'): ModelProto {
  const graph = new GraphBuilder({ name: 'whisper_decoder', ...whisperOpset })
  const layers = new Layers(graph, { dims, weights, precision })
  const { heads, audioContext: frames, vocabulary, width } = dims
  const tokens = graph.input('tokens', 'int64', ['batch', 'time'])
  const positions = graph.input('positions', 'int64', ['time'])
  const rows = graph.input('rows', 'int64', ['rows'])
  graph.input('past_mask', 'float32', ['capacity'])
  graph.input('new_mask', 'float32', ['time', 'time'])
  for (let i = 0; i < dims.decoderLayers; i++) {
    graph.input(`past_key_${i}`, 'float32', ['batch', heads, 'capacity', headWidth])
    graph.input(`past_value_${i}`, 'float32', ['batch', heads, 'capacity', headWidth])
    graph.input(`cross_key_${i}`, 'float32', [1, heads, headWidth, frames])
    graph.input(`cross_value_${i}`, 'float32', [1, heads, frames, headWidth])
  }
  const { embedded, logits: logitsOf } = embeddingOf(layers, tokens)
  const placed = layers.op('Gather', 'decoder.place', [layers.weight('decoder.positional_embedding'), positions])
  let stream = layers.op('Add', 'decoder.positions', [embedded, placed])
  for (let i = 0; i < dims.decoderLayers; i++) {
    stream = selfAttention(layers, stream, i)
    stream = crossAttention(layers, stream, i)
    stream = layers.feedForward(`decoder.blocks.${i}`, stream)
  }
  const wanted = graph.node('Gather', [stream, rows], { name: 'decoder.rows', attributes: { axis: 1 } })
  const normed = layers.norm('decoder.ln', wanted)
  const flat = layers.op('Reshape', 'decoder.flat', [normed, layers.constant('shape.flat', () => int64(-1, width))])
  const logits = logitsOf(flat)
  const shape = layers.op('Shape', 'decoder.rows_shape', [wanted], { end: 2 })
  const tail = layers.constant('shape.vocabulary', () => int64(vocabulary))
  const full = layers.op('Concat', 'decoder.logits_shape', [shape, tail], { axis: 0 })
  graph.node('Reshape', [logits, full], { name: 'logits', output: 'logits' })
  graph.output('logits', 'float32', ['batch', 'rows', vocabulary])
  for (let i = 0; i < dims.decoderLayers; i++) {
    graph.output(`new_key_${i}`, 'float32', ['batch', heads, 'time', headWidth])
    graph.output(`new_value_${i}`, 'float32', ['batch', heads, 'time', headWidth])
    graph.output(`cross_weights_${i}`, 'float32', ['batch', heads, 'time', frames])
  }
  return graph.build()
}

/** The embeddings of tokens, and the logits of hidden states: one weight serves both. */
function embeddingOf(layers: Layers, tokens: string): { embedded: string; logits: (hidden: string) => string } {
  const name = 'decoder.token_embedding'
  if (layers.precision === 'float32') {
    const weight = layers.weight(`${name}.weight`)
    return {
      embedded: layers.op('Gather', 'decoder.embed', [weight, tokens]),
      logits: hidden =>
        layers.graph.node('Gemm', [hidden, weight], { name: 'decoder.logits', attributes: { transB: 1 } }),
    }
  }
  // Kept as the product wants it, [width, vocabulary]; an embedding is a column of it.
  const weight = layers.quantised(name, () => transposed(layers.tensor(`${name}.weight`)))
  const columns = layers.op('Gather', 'decoder.embed', [weight.values, tokens], { axis: 1 })
  const rows = layers.op(
    'Cast',
    'decoder.embed_real',
    [layers.op('Transpose', 'decoder.embed_rows', [columns], { perm: [1, 2, 0] })],
    { to: 1 },
  )
  const scale = layers.op('Unsqueeze', 'decoder.embed_scale', [
    layers.op('Gather', 'decoder.embed_scales', [weight.scales, tokens]),
    layers.constant('index.last', () => int64(-1)),
  ])
  return {
    embedded: layers.op('Mul', 'decoder.embedded', [rows, scale]),
    logits: hidden => layers.integerProduct('decoder.logits', hidden, weight),
  }
}

function selfAttention(layers: Layers, stream: string, i: number): string {
  const { graph } = layers
  const name = `decoder.blocks.${i}`
  const normed = layers.norm(`${name}.attn_ln`, stream)
  const query = layers.split(`${name}.q`, layers.linear(`${name}.attn.query`, normed, { scale: queryScale }))
  const key = layers.split(`${name}.k`, layers.linear(`${name}.attn.key`, normed))
  const value = layers.split(`${name}.v`, layers.linear(`${name}.attn.value`, normed))
  graph.node('Identity', [key], { name: `new_key_${i}`, output: `new_key_${i}` })
  graph.node('Identity', [value], { name: `new_value_${i}`, output: `new_value_${i}` })
  const scores = (part: string, keys: string, mask: string) => {
    const turned = layers.op('Transpose', `${name}.${part}_keys`, [keys], { perm: [0, 1, 3, 2] })
    return layers.op('Add', `${name}.${part}_masked`, [
      layers.op('MatMul', `${name}.${part}_scores`, [query, turned]),
      mask,
    ])
  }
  const past = scores('past', `past_key_${i}`, 'past_mask')
  const fresh = scores('new', key, 'new_mask')
  const both = layers.op('Concat', `${name}.scores`, [past, fresh], { axis: -1 })
  const weights = layers.op('Softmax', `${name}.softmax`, [both], { axis: -1 })
  const [pastWeights, newWeights] = columns(layers, name, weights)
  const mixed = layers.op('Add', `${name}.context`, [
    layers.op('MatMul', `${name}.past_context`, [pastWeights, `past_value_${i}`]),
    layers.op('MatMul', `${name}.new_context`, [newWeights, value]),
  ])
  return layers.op('Add', `${name}.residual`, [
    stream,
    layers.linear(`${name}.attn.out`, layers.merge(`${name}.mix`, mixed)),
  ])
}

/** The weights of the past and of the new tokens, cut where the past's mask ends. */
function columns(layers: Layers, name: string, weights: string): [string, string] {
  const capacity = layers.once('decoder.capacity', () => layers.op('Shape', 'decoder.capacity', ['past_mask']))
  const zero = layers.constant('index.zero', () => int64(0))
  const last = layers.constant('index.last', () => int64(-1))
  const end = layers.constant('index.end', () => int64(2 ** 31))
  return [
    layers.op('Slice', `${name}.past_weights`, [weights, zero, capacity, last]),
    layers.op('Slice', `${name}.new_weights`, [weights, capacity, end, last]),
  ]
}

function crossAttention(layers: Layers, stream: string, i: number): string {
  const name = `decoder.blocks.${i}.cross`
  const attention = `decoder.blocks.${i}.cross_attn`
  const normed = layers.norm(`${attention}_ln`, stream)
  const query = layers.split(`${name}.q`, layers.linear(`${attention}.query`, normed, { scale: queryScale }))
  const scores = layers.op('MatMul', `${name}.scores`, [query, `cross_key_${i}`])
  const weights = layers.graph.node('Softmax', [scores], {
    name: `cross_weights_${i}`,
    output: `cross_weights_${i}`,
    attributes: { axis: -1 },
  })
  const mixed = layers.merge(`${name}.mix`, layers.op('MatMul', `${name}.context`, [weights, `cross_value_${i}`]))
  return layers.op('Add', `${name}.residual`, [stream, layers.linear(`${attention}.out`, mixed)])
}
