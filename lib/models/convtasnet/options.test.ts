import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import {
  convTasNetDefaults,
  convTasNetOptions,
  decoderModes,
  dilationsOf,
  haloFrames,
  latentFrames,
  reducedChannels,
  runTag,
  sourcesOf,
  sizesFromTag,
} from './options.ts'

/** The error that an option gives, which must be one of usage with a hint. */
function refusal(given: Record<string, unknown>): string {
  try {
    convTasNetOptions(given)
  } catch (error) {
    assert.ok(error instanceof RunbookError, String(error))
    assert.equal(error.exit, 'usage')
    assert.notEqual(error.hint, '')
    return `${error.message} | ${error.hint}`
  }
  return assert.fail(`accepted ${JSON.stringify(given)}`)
}

test('convTasNetOptions() gives the first rung with the polyphase decoder when nothing is given', () => {
  const options = convTasNetOptions()
  assert.deepEqual(options, convTasNetDefaults)
  assert.deepEqual(
    [options.nFilters, options.inputLen, options.decoderMode, options.seed],
    [256, 16000, 'polyphase', 1337],
  )
})

test('convTasNetOptions() keeps its default when a value is undefined', () => {
  assert.equal(convTasNetOptions({ nFilters: undefined, bnChan: 32 }).nFilters, 256)
})

test('convTasNetOptions() understands channel_affine as affine', () => {
  assert.equal(convTasNetOptions({ normMode: 'channel_affine' }).normMode, 'affine')
})

test('convTasNetOptions() names the option and the value when a size is no positive integer', () => {
  const channels = ['nFilters', 'bnChan', 'hidChan', 'skipChan', 'nBlocks', 'nRepeats', 'nSrc']
  const sizes = [...channels, 'inputLen', 'kernelSize', 'stride', 'convKernelSize']
  for (const key of sizes) {
    for (const value of [0, -8, 1.5, Number.NaN, Infinity, '64', null]) {
      assert.match(
        refusal({ [key]: value }),
        new RegExp(`with ${key} .*must be a positive integer`),
        `${key} ${String(value)}`,
      )
    }
  }
  assert.match(refusal({ nFilters: 0 }), /give nFilters another value/)
})

test('convTasNetOptions() lists the modes when one does not exist', () => {
  assert.match(refusal({ decoderMode: 'conv1x1' }), new RegExp(decoderModes.join(', ')))
  assert.match(refusal({ maskAct: 'softmax' }), /sigmoid, relu, tanh, linear/)
  assert.match(refusal({ encoderMode: '' }), /conv, framed/)
  assert.match(refusal({ normMode: 'cln' }), /affine, identity/)
  assert.match(refusal({ skipTopologyMode: 'concat' }), /project, repeat/)
  assert.match(refusal({ maskMulMode: true }), /normal, bypass/)
  assert.match(refusal({ forceNSrc1: 1 }), /true or false/)
  assert.match(refusal({ seed: -1 }), /integer of at least 0/)
})

test('convTasNetOptions() refuses an option that does not exist, also one of the prototype', () => {
  assert.match(refusal({ nFilter: 64 }), /"nFilter": there is no such option/)
  assert.match(refusal({ toString: 64 }), /"toString": there is no such option/)
})

test('convTasNetOptions() proposes the nearest length when the window is no multiple of the stride', () => {
  assert.match(refusal({ inputLen: 16001 }), /a multiple of the stride 8 \| give a length of 16000 samples/)
  assert.match(refusal({ inputLen: 3 }), /give a length of 8 samples/)
})

test('convTasNetOptions() refuses numbers that contradict each other', () => {
  assert.match(refusal({ stride: 4 }), /twice the stride of 4/)
  assert.match(refusal({ convKernelSize: 4 }), /odd/)
  assert.match(refusal({ nBlocks: 17 }), /at most 16/)
  assert.match(refusal({ nBlocks: 2, truncateKBlocks: 3 }), /0 \(all\) to 2/)
  assert.match(refusal({ truncateKBlocks: -1 }), /0 \(all\) to 2/)
  assert.match(refusal({ decoderMode: 'reduced_deconv_64', nSrc: 5 }), /wide enough for 5 sources/)
})

test('sourcesOf() says one when a single source is forced', () => {
  assert.equal(sourcesOf(convTasNetOptions()), 2)
  assert.equal(sourcesOf(convTasNetOptions({ forceNSrc1: true })), 1)
})

test('dilationsOf() doubles within a repeat, starts again in the next, and stops at truncateKBlocks', () => {
  assert.deepEqual(dilationsOf(convTasNetOptions({ nBlocks: 3, nRepeats: 2 })), [1, 2, 4, 1, 2, 4])
  assert.deepEqual(dilationsOf(convTasNetOptions({ nBlocks: 3, nRepeats: 2, truncateKBlocks: 4 })), [1, 2, 4, 1])
  assert.deepEqual(dilationsOf(convTasNetOptions({ maskMulMode: 'bypass' })), [])
})

test('latentFrames() is one more than the strides of the window', () => {
  assert.equal(latentFrames(convTasNetOptions()), 2001)
  assert.equal(latentFrames({ inputLen: 2040, stride: 8 }), 256)
})

test('haloFrames() follows the dilations, with one frame more for the padded encoder', () => {
  assert.equal(haloFrames(convTasNetOptions({ encoderMode: 'framed' })), 3)
  assert.equal(haloFrames(convTasNetOptions()), 4)
  assert.equal(haloFrames(convTasNetOptions({ encoderMode: 'framed', nBlocks: 8, nRepeats: 3 })), 765)
  assert.equal(haloFrames(convTasNetOptions({ encoderMode: 'framed', nBlocks: 8, nRepeats: 3, truncateKBlocks: 1 })), 1)
  assert.equal(haloFrames(convTasNetOptions({ encoderMode: 'framed', convKernelSize: 5 })), 6)
  assert.equal(haloFrames(convTasNetOptions({ encoderMode: 'framed', maskMulMode: 'bypass' })), 0)
})

test('reducedChannels() reads the width from the mode', () => {
  assert.deepEqual(
    decoderModes.map(decoderMode => reducedChannels({ decoderMode })),
    [null, 64, 128, null, null],
  )
})

test('runTag() writes every size of the case', () => {
  assert.equal(runTag(convTasNetOptions()), 'mono_f256_bn128_hid256_skip128_b2_r1_t16000')
})

test('runTag() spells out a kernel and a stride that are not the usual ones', () => {
  assert.equal(
    runTag(convTasNetOptions({ kernelSize: 128, stride: 64 })),
    'mono_f256_bn128_hid256_skip128_b2_r1_t16000_k128_s64',
  )
})

test('sizesFromTag() reads back what runTag() wrote, and refuses anything else', () => {
  const channels = { nFilters: 96, bnChan: 24, hidChan: 48, skipChan: 12, nBlocks: 1, nRepeats: 3, inputLen: 8000 }
  for (const kernel of [
    { kernelSize: 16, stride: 8 },
    { kernelSize: 128, stride: 64 },
    { kernelSize: 16, stride: 4 },
  ]) {
    const sizes = { ...channels, ...kernel }
    assert.deepEqual(sizesFromTag(runTag(sizes)), sizes)
  }
  const tag = runTag({ ...channels, kernelSize: 16, stride: 8 })
  for (const text of ['', 'mine', `${tag}_k3`, `${tag}_s8`, `${tag}_k16_s`, 'mono_f_bn1_hid1_skip1_b1_r1_t1'])
    assert.throws(() => sizesFromTag(text), /it is no run tag/)
})
