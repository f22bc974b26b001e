/**
 * Authors the FastConformer encoder in ONNX from the weights of a NeMo model, for whole recordings and for streams.
 *
 * The offline graph takes `audio_signal` [B, features, T] and `length` [B] and gives `outputs` [B, width, T'] and
 * `encoded_lengths` [B], as NeMo's own export does. The streaming graph takes three caches and how many frames of its
 * front to drop beside them: NeMo's export has the drop built in, and so loses the first 160 ms of every stream.
 */
import { attention, positions } from './attention.ts'
import type { EncoderConfig } from './config.ts'
import { convolution } from './convolution.ts'
import { masks } from './masks.ts'
import { Net, toEnd, type NetOptions } from './net.ts'
import { subsampling } from './subsampling.ts'
import type { ModelProto } from '../../formats/onnx/index.ts'

/** How a stream is cut, in frames of the encoder. */
export interface StreamConfig {
  /** Frames of attention that are kept. */
  readonly cacheSize: number
  /** Frames at the end of a chunk that come again in the next one. */
  readonly cacheDrop: number
}

/**
 * The encoder for whole recordings.
 *
 * @throws RunbookError usage when a weight is absent
 * @example
 * ```ts
 * import { checkModel } from './lib/onnx/check/check.ts'
 * import { seededTdtWeights } from './lib/models/tdt/seeded-weights.ts'
 * import { tinyConfig, tinySizes } from './lib/models/tdt/synthetic.ts'
 *
 * const weights = seededTdtWeights(tinyConfig, tinySizes, 1)
 * const model = authorEncoder(tinyConfig.encoder, { name: 'encoder', weights })
 * assert.deepEqual(checkModel(model).problems, [])
 * ```
 */
export function authorEncoder(config: EncoderConfig, options: NetOptions): ModelProto {
  const net = new Net(options)
  const features = net.graph.input('audio_signal', 'float32', ['batch', config.featIn, 'frames'])
  const length = net.graph.input('length', 'int64', ['batch'])
  const rows = net.op('Transpose', [features], { perm: [0, 2, 1] })
  const front = subsampling(net, config, rows, length)
  const { counts, blocked } = masks(net, config, front)
  const places = positions(net, config, net.dim(front.x, 1))
  let x = scaled(net, config, front.x)
  for (let i = 0; i < config.layers; i++)
    x = layer(net, config, `encoder.layers.${i}`, { x, places, counts, blocked }).x
  finish(net, config, x, front.lengths)
  return net.graph.build()
}

/**
 * The encoder for chunks of a stream. Caches are [B, layers, cacheSize, width], [B, layers, width, left context] and
 * [B]; all frames of the chunk are given, and the caller keeps those that the schedule makes final.
 * @throws RunbookError usage when a weight is absent
 */
export function authorStreamingEncoder(config: EncoderConfig, stream: StreamConfig, options: NetOptions): ModelProto {
  const { layers, width, featIn, convContext } = config
  const net = new Net(options)
  const features = net.graph.input('audio_signal', 'float32', ['batch', featIn, 'frames'])
  const length = net.graph.input('length', 'int64', ['batch'])
  const channels = net.graph.input('cache_last_channel', 'float32', ['batch', layers, stream.cacheSize, width])
  const times = net.graph.input('cache_last_time', 'float32', ['batch', layers, width, convContext[0]])
  const filled = net.graph.input('cache_last_channel_len', 'int64', ['batch'])
  const drop = net.graph.input('drop_extra_pre_encoded', 'int64', [1])
  const front = subsampling(net, config, net.op('Transpose', [features], { perm: [0, 2, 1] }), length)
  const kept = net.slice(front.x, 1, drop, toEnd)
  const lengths = net.op('Max', [net.op('Sub', [front.lengths, drop]), net.ints(0)])
  const cache = { size: stream.cacheSize, filled }
  const { counts, blocked } = masks(net, config, { x: kept, lengths, cache })
  const places = positions(net, config, net.op('Add', [net.dim(kept, 1), net.ints([stream.cacheSize])]))
  let x = scaled(net, config, kept)
  // The last chunk may be shorter than what comes again; there is no next one then, and the caches stay.
  const moved = net.op('Max', [net.op('Sub', [net.dim(kept, 1), net.ints([stream.cacheDrop])]), net.ints(0)])
  const next: { channel: string; time: string }[] = []
  for (let i = 0; i < layers; i++) {
    const channel = net.op('Gather', [channels, net.ints(i)], { axis: 1 })
    const time = net.op('Gather', [times, net.ints(i)], { axis: 1 })
    const past = { channel, time, drop: stream.cacheDrop, moved, size: stream.cacheSize }
    const done = layer(net, config, `encoder.layers.${i}`, { x, places, counts, blocked, past })
    x = done.x
    next.push(done.next!)
  }
  finish(net, config, x, lengths)
  const stacked = (list: readonly string[], name: string, shape: (string | number)[]) => {
    const each = list.map(value => net.op('Unsqueeze', [value, net.ints([1])]))
    net.graph.node('Concat', each, { output: name, attributes: { axis: 1 } })
    net.graph.output(name, 'float32', shape)
  }
  stacked(
    next.map(n => n.channel),
    'cache_last_channel_next',
    ['batch', layers, stream.cacheSize, width],
  )
  stacked(
    next.map(n => n.time),
    'cache_last_time_next',
    ['batch', layers, width, convContext[0]],
  )
  net.graph.node('Min', [net.op('Add', [filled, moved]), net.ints(stream.cacheSize)], {
    output: 'cache_last_channel_next_len',
  })
  net.graph.output('cache_last_channel_next_len', 'int64', ['batch'])
  return net.graph.build()
}

const scaled = (net: Net, { xscaling, width }: EncoderConfig, x: string) =>
  xscaling ? net.op('Mul', [x, net.float(Math.sqrt(width))]) : x

function finish(net: Net, { width }: EncoderConfig, x: string, lengths: string): void {
  net.graph.node('Transpose', [x], { output: 'outputs', attributes: { perm: [0, 2, 1] } })
  net.graph.output('outputs', 'float32', ['batch', width, 'encoded_frames'])
  net.graph.node('Identity', [lengths], { output: 'encoded_lengths' })
  net.graph.output('encoded_lengths', 'int64', ['batch'])
}

interface LayerInputs {
  readonly x: string
  readonly places: string
  readonly counts: string
  readonly blocked: string
  readonly past?: Past
}

/** What a layer keeps of the chunks before, and by how many frames it moves on: a list of one integer. */
interface Past {
  readonly channel: string
  readonly time: string
  readonly drop: number
  readonly moved: string
  readonly size: number
}

/** Half a feed-forward, attention, convolution, half a feed-forward, each added to what came in; then a norm. */
function layer(net: Net, config: EncoderConfig, prefix: string, o: LayerInputs) {
  let x = halfFeedForward(net, o.x, prefix, 1)
  const query = net.layerNorm(x, `${prefix}.norm_self_att`)
  const keys = o.past === undefined ? query : net.op('Concat', [o.past.channel, query], { axis: 1 })
  const heard = attention(net, config, `${prefix}.self_attn`, {
    query,
    keys,
    positions: o.places,
    blocked: o.blocked,
  })
  x = net.op('Add', [x, heard])
  const cache = o.past && { past: o.past.time, length: config.convContext[0], drop: o.past.drop }
  const normed = net.layerNorm(x, `${prefix}.norm_conv`)
  const near = convolution(net, config, `${prefix}.conv`, { x: normed, counts: o.counts, ...(cache && { cache }) })
  x = halfFeedForward(net, net.op('Add', [x, near.x]), prefix, 2)
  const out = net.layerNorm(x, `${prefix}.norm_out`)
  if (o.past === undefined) return { x: out }
  return { x: out, next: { channel: channelCache(net, o.past, keys), time: near.next! } }
}

/** The cache moves on by the frames that do not come again. */
const channelCache = (net: Net, { moved, size }: Past, keys: string): string =>
  net.slice(keys, 1, moved, net.op('Add', [moved, net.ints([size])]))

function halfFeedForward(net: Net, x: string, prefix: string, which: 1 | 2): string {
  const inner = net.layerNorm(x, `${prefix}.norm_feed_forward${which}`)
  const wide = net.swish(net.linear(inner, `${prefix}.feed_forward${which}.linear1`))
  const narrow = net.linear(wide, `${prefix}.feed_forward${which}.linear2`)
  return net.op('Add', [x, net.op('Mul', [narrow, net.float(0.5)])])
}
