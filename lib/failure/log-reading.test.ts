import assert from 'node:assert/strict'
import test from 'node:test'
import {
  countersIn,
  exceptionNamesIn,
  failingLayers,
  lastErrorBlock,
  lastMilestone,
  negativeExponentIn,
  readLog,
  reshapeLayersIn,
} from './log-reading.ts'
import { linesOf } from './log/digest.ts'

test('linesOf() splits progress bars and drops colours when a log was written for a terminal', () => {
  const raw = '\x1b[31m[error]\x1b[0m one\rCalib 10%\rCalib 20%\r\n\x1b]0;title\x07two\n\n\nthree'
  assert.deepEqual(linesOf(raw), ['[error] one', 'Calib 10%', 'Calib 20%', 'two', 'three'])
  assert.deepEqual(linesOf(''), [''])
})

test('linesOf() keeps the text when an escape is cut short', () => {
  assert.deepEqual(linesOf('a\x1b['), ['a\x1b['])
  assert.equal(linesOf('a\x1b]0;never ended').join('').startsWith('a'), true)
})

test('readLog() leaves out of text what a success prints too, and of loud what is no error', () => {
  const read = readLog(
    [
      '[info] PCIe: No Hailo PCIe device was found',
      '[info] Single context flow failed: Recoverable single context error',
      '[warning] Reducing optimization level to 0',
      'lib.py:4: DeprecationWarning: this is not supported any more',
      "2026-02-23 03:12:37.123456: W tensorflow/tsl: Could not load dynamic library 'libcudart.so.11.0'",
      '[error] Mapping Failed (allocation time: 2s)',
    ].join('\n'),
  )
  assert.equal(read.loud, '[error] Mapping Failed (allocation time: 2s)')
  assert.equal(read.text.split('\n').length, 3)
  assert.equal(read.lines.length, 6)
})

test('readLog() keeps both ends and the telling middle when the log is long', () => {
  const filler = Array.from({ length: 30_000 }, (_, i) => `. ${i} waiting`).join('\n')
  const { lines, text } = readLog(`first line\n${filler}\nUnsupportedConv3DError here\n${filler}\nlast line`)
  assert.equal(lines[0], 'first line')
  assert.equal(lines.at(-1), 'last line')
  assert.match(text, /UnsupportedConv3DError here/)
  assert.ok(text.length < 262_144)
})

test('readLog() cuts a line, not its ends, when the line is endless', () => {
  const { lines } = readLog(`Agent infeasible ${'x'.repeat(400_000)} the end`)
  assert.equal(lines.length, 1)
  assert.ok(lines[0]!.length < 17_000)
  assert.match(lines[0]!, /^Agent infeasible x.*the end$/)
})

test('lastErrorBlock() gives the last block when a log holds several', () => {
  const block = lastErrorBlock(
    linesOf(
      '[error] first trouble\n[info] retry\n' +
        '[error] Mapping Failed (allocation time: 9s)\nNo successful assignments: dw3 errors:\n\tAgent ' +
        'infeasible\n[info] bye',
    ),
  )
  assert.deepEqual(block, [
    '[error] Mapping Failed (allocation time: 9s)',
    'No successful assignments: dw3 errors:',
    'Agent infeasible',
  ])
})

test('lastErrorBlock() is empty when there is no error, and at most 12 lines when there is no end', () => {
  assert.deepEqual(lastErrorBlock(['[info] fine', '']), [])
  assert.deepEqual(lastErrorBlock([]), [])
  assert.ok(lastErrorBlock(['[error] x', ...Array.from({ length: 50 }, (_, i) => `at ${i}`)]).length <= 12)
})

test('lastMilestone() gives the last step in the words of the tool, or null', () => {
  assert.equal(
    lastMilestone(['[info] Starting Model Optimization', '[info] Found valid partition to 3 contexts, better']),
    'Found valid partition to 3 contexts',
  )
  assert.equal(
    lastMilestone(['[info] Running resources allocation (mapping) flow, time per context: 59m 59s', 'conv1 errors:']),
    'Running resources allocation (mapping) flow, time per context: 59m 59s',
  )
  assert.equal(lastMilestone(['nothing here']), null)
})

test('countersIn() gives numbers for every way in which the compiler writes them', () => {
  const text =
    'SCs: 11/384, 16bit SCs: 2/384, L3 weights: 800/768, LCUs: 149/96\n' +
    'Memory units capacity exceeded (available: 128, required: 138)\n' +
    'slice4 has 3 APUs but max allowed is 1\nmore than 2 subclusters are needed'
  assert.deepEqual(countersIn(text), [
    { name: 'SCs', used: 11, available: 384 },
    { name: '16bit SCs', used: 2, available: 384 },
    { name: 'L3 weights', used: 800, available: 768 },
    { name: 'LCUs', used: 149, available: 96 },
    { name: 'memory units', used: 138, available: 128 },
    { name: 'APUs', used: 3, available: 1 },
    { name: 'subclusters', used: 3, available: 2 },
  ])
})

test('countersIn() reads a bound as the least that it can mean', () => {
  assert.deepEqual(countersIn('Resources presolve failed: lcus=(>80)'), [{ name: 'LCUs', used: 81, available: 80 }])
})

test('countersIn() takes no progress for a counter', () => {
  assert.deepEqual(countersIn('64/64 [00:15<00:00]\nEpoch 1/4\nwith 62/184 failures\n500/500 [=====]'), [])
})

test('failingLayers() names the family of the first layer that failed, and each layer once', () => {
  const text =
    'No successful assignments: dw66 errors:\n\tAgent infeasible\nnet/conv215_dc errors:\n\tx\n' +
    'dw66 errors:\nformat_conversion8 error:'
  assert.deepEqual(failingLayers(text), { family: 'dw', layers: ['dw66', 'conv215_dc', 'format_conversion8'] })
  assert.equal(failingLayers('ew_mult3 errors:').family, 'ew_mult')
  assert.deepEqual(failingLayers('No successful assignments: net/deconv2').layers, ['deconv2'])
  assert.deepEqual(failingLayers('4 errors found, 2 errors: none'), { family: null, layers: [] })
})

test('reshapeLayersIn() reads the list when it runs over lines and when it has no end', () => {
  assert.deepEqual(
    reshapeLayersIn('Reshape is needed for layers: conv2, conv3,\n ew_mult1, but adding a reshape has failed.'),
    ['conv2', 'conv3', 'ew_mult1'],
  )
  assert.deepEqual(reshapeLayersIn('Reshape is needed for layers: conv2, shortcut_conv4'), ['conv2', 'shortcut_conv4'])
  assert.deepEqual(reshapeLayersIn('no such thing'), [])
})

test('negativeExponentIn() gives layer, shift and bits, and nothing when one number is absent', () => {
  const text =
    'Quantization failed in layer net/conv80 due to unsupported required slope. ' +
    'Desired shift is 8.5, but op has only 8 data bits.'
  assert.deepEqual(negativeExponentIn(text), { layer: 'net/conv80', desiredShift: 8.5, dataBits: 8 })
  assert.equal(negativeExponentIn('Desired shift is 8.0'), undefined)
  assert.equal(negativeExponentIn('Desired shift of 9, only 8 data bits')?.layer, '')
})

test('exceptionNamesIn() gives the names of errors and no words of a sentence', () => {
  assert.deepEqual(exceptionNamesIn('a.b.BadInputsShape: x\nKeyError: y\nInternal Error in HailoRTException'), [
    'BadInputsShape',
    'KeyError',
    'HailoRTException',
  ])
})
