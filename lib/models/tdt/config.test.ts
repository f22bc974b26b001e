import assert from 'node:assert/strict'
import test from 'node:test'
import { tdtConfigFrom } from './config.ts'

const good = () => ({
  model_defaults: { tdt_durations: [0, 1, 2, 3, 4] },
  encoder: {
    feat_in: 128,
    n_layers: 24,
    d_model: 1024,
    n_heads: 8,
    conv_kernel_size: 9,
    conv_norm_type: 'batch_norm',
    conv_context_size: null as unknown,
    subsampling: 'dw_striding',
    subsampling_factor: 8,
    causal_downsampling: false,
    self_attention_model: 'rel_pos',
    att_context_size: [-1, -1] as unknown,
    att_context_style: 'regular',
    xscaling: false,
  },
  decoder: { vocab_size: 8192, prednet: { pred_hidden: 640, pred_rnn_layers: 2 } },
  joint: { num_extra_outputs: 5, jointnet: { joint_hidden: 640, activation: 'relu' } },
})

test('tdtConfigFrom() reads sizes, durations and contexts', () => {
  const config = tdtConfigFrom(good())
  assert.deepEqual([config.encoder.width, config.encoder.convContext], [1024, [4, 4]])
  assert.deepEqual([config.decoder.vocabSize, config.decoder.durations], [8192, [0, 1, 2, 3, 4]])
  const streaming = good()
  streaming.encoder.conv_context_size = 'causal'
  streaming.encoder.att_context_size = [
    [70, 13],
    [70, 6],
  ]
  assert.deepEqual(tdtConfigFrom(streaming).encoder.attContext, [70, 13])
  assert.deepEqual(tdtConfigFrom(streaming).encoder.convContext, [8, 0])
})

test('tdtConfigFrom() refuses what is absent, of another kind, contradictory, or not authored here', () => {
  const with_ = (change: (config: ReturnType<typeof good>) => void) => {
    const config = good()
    change(config)
    return () => tdtConfigFrom(config)
  }
  assert.throws(
    with_(c => Reflect.deleteProperty(c.encoder, 'd_model')),
    /encoder\.d_model is undefined/,
  )
  assert.throws(
    with_(c => void (c.encoder.n_heads = 2.5)),
    /encoder\.n_heads is 2\.5/,
  )
  assert.throws(
    with_(c => void (c.encoder.subsampling = 'striding')),
    /subsampling is "striding"/,
  )
  assert.throws(
    with_(c => void (c.joint.num_extra_outputs = 4)),
    /is 4, and there are 5 durations/,
  )
  assert.throws(
    with_(c => void (c.encoder.conv_context_size = [4, 3])),
    /the kernel is 9/,
  )
  assert.throws(
    with_(c => void (c.encoder.att_context_size = 'all')),
    /att_context_size is "all"/,
  )
  assert.throws(() => tdtConfigFrom({}), /Cannot author the model/)
})
