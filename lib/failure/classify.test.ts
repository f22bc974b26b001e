import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { bucketOf } from './buckets.ts'
import { failureTexts as textsOf } from '../testing/failure/texts.ts'
import { classifyFailure, isConclusive } from './classify.ts'

/** Sentences by kind of failure; kinds that few texts cover; and whole logs as users bring them. */
const failureTexts = ['compiler', 'tensorrt'].flatMap(textsOf)
const moreFailureTexts = textsOf('more')
const fieldTexts = ['whole-device', 'whole-onnx', 'whole-tensorrt', 'whole-compiler'].flatMap(textsOf)
const typeOf = (log: string, context = {}) => classifyFailure(log, context).exceptionType
const bucketFor = (log: string, context = {}) => classifyFailure(log, context).bucket

test('classifyFailure() knows each kind of failure when words, names and numbers vary', () => {
  assert.ok(failureTexts.length >= 200)
  const wrong = failureTexts.filter(({ bucket, log }) => bucketFor(log) !== bucket)
  assert.deepEqual(
    wrong.map(({ bucket, log }) => [bucket, bucketFor(log), log.slice(0, 80)]),
    [],
  )
})

test('classifyFailure() knows kinds that few texts cover, and words of another kind do not mislead it', () => {
  const wrong = moreFailureTexts.filter(({ bucket, log }) => bucketFor(log) !== bucket)
  assert.deepEqual(
    wrong.map(({ bucket, log }) => [bucket, bucketFor(log), log.slice(0, 80)]),
    [],
  )
  assert.ok(moreFailureTexts.length >= 50)
})

test('classifyFailure() takes no log for a success because of a step reached, or of a word in an error', () => {
  for (const log of [
    '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INTERNAL_FAILURE(8)',
    '[info] Translation started on ONNX model net\n[error] something nobody knows',
    '[info] Starting Model Optimization\nTraceback (most recent call last):\n  File "x.py", line 1, in f\n    ' +
      'go()\nSomethingOddError',
    '[info] Saved HAR to: /x/n.har\n[info] Starting Model Optimization',
    '[info] Successful Compilation\n[critical] afterwards it broke',
    'not successful',
    'success rate: 0',
    'Success: false',
    '0 of 5 ended in success, 5 failed',
  ])
    assert.equal(bucketFor(log), 'unknown', log)
  for (const log of [
    'Done, with success',
    'finished successfully with 0 errors',
    '[error] first attempt\n[info] Saved HAR to: /x/n.har',
  ]) {
    assert.equal(bucketFor(log), 'not_a_failure', log)
  }
})

test('classifyFailure() looks above a generic crash for the cause, in the same block of errors only', () => {
  const tail =
    '[error] Failed to produce compiled graph\n\n[error] BackendAllocatorException: Compilation failed with ' +
    'unexpected crash'
  assert.equal(bucketFor(`[error] Mapping Failed (Timeout, allocation time: 31m)\n${tail}`), 'allocator_timeout')
  assert.equal(bucketFor(`conv1 errors:\n\tAgent infeasible\n${tail}`), 'allocator_infeasible')
  assert.equal(bucketFor(`[error] Mapping Failed (allocation time: 31m)\n${tail}`), 'compiler_crash')
  assert.equal(bucketFor(`conv1 errors:\n\tAgent infeasible\n[info] Iteration 2, retrying\n${tail}`), 'compiler_crash')
  assert.equal(
    bucketFor(`[error] Mapping Failed (Timeout, allocation time: 31m)\nAssertion \`a' failed.\n${tail}`),
    'compiler_crash',
  )
})

test('classifyFailure() takes a manual that mentions Ctrl-C for no abort, and a log that shows it for one', () => {
  for (const text of [
    'Press Ctrl-C to stop it.',
    '| 130 | INTERRUPTED | Ctrl-C; rows are written |',
    '- SIGTERM ends a run',
    'A run can be interrupted by the user at any time',
  ])
    assert.equal(bucketFor(text), 'unknown', text)
  for (const text of [
    'Received SIGTERM',
    '[info] if interrupted by the user: ^C',
    'hailo: cancelled by user',
    'KeyboardInterrupt',
    '2026-01-01 10:00:00 Ctrl-C: will end',
  ])
    assert.equal(bucketFor(text), 'aborted', text)
})

test('classifyFailure() finds no failure in a document that speaks of some, and one in a log quoted there', () => {
  const text =
    '# Guide\n\n## Endings\n\n| exit | why |\n|---|---|\n| 130 | Ctrl-C |\n\nThe words `Agent infeasible` mean ' +
    'that it does not fit.\n'
  assert.equal(bucketFor(text), 'unknown')
  assert.equal(bucketFor(`${text}\n\`\`\`\nconv1 errors:\n\tAgent infeasible\n\`\`\`\n`), 'allocator_infeasible')
  assert.equal(bucketFor(`# step 1\n# step 2\n[error] Mapping Failed\n\tAgent infeasible\n`), 'allocator_infeasible')
})

test('isConclusive() is true only for a failure that says something about the network', () => {
  const conclusive = (log: string, context = {}) => isConclusive(classifyFailure(log, context))
  for (const log of [
    'Agent infeasible',
    'UnsupportedConv3DError in op c1',
    'Mapping Failed (Timeout, allocation time: 9m)',
    "Assertion `x' failed.",
    '[TRT] [E] 10: Could not find any implementation for node A.',
  ])
    assert.ok(conclusive(log, { exitCode: 1 }), log)
  for (const log of [
    'No space left on device',
    'undefined symbol: a',
    'calibration set is empty',
    'hello',
    'HailoRTStatusException: 78',
    'Unknown command in model script line 3',
    '[info] Saved HAR to: /x',
    '[TRT] CUDA initialization failure with error: 100',
    'exception_type=HARBuildFailed',
  ])
    assert.ok(!conclusive(log), log)
  assert.ok(
    !conclusive('Agent infeasible', { timedOut: true }) && !conclusive('', { aborted: true }) && !isConclusive(null),
  )
})

test('classifyFailure() gives the same answer when the failure stands in a long coloured log with bars', () => {
  const before =
    '\x1b[32m[info]\x1b[0m Current Time: 01:00\n[info] PCIe: No Hailo PCIe device was found\n' +
    Array.from({ length: 200 }, (_, i) => `\rCalibration: ${i}%|####| ${i}/64 [00:15<00:00]`).join('') +
    '\n'
  const odd = failureTexts.filter(({ bucket }) => !['not_a_failure', 'unknown', 'api_removed_trt11'].includes(bucket))
  const wrong = odd.filter(({ bucket, log }) => bucketFor(before + log.replaceAll('\n', '\r\n')) !== bucket)
  // TensorRT's own words decide which table is searched first, and a log of Hailo's compiler is not one of TensorRT's.
  assert.deepEqual(
    wrong.filter(({ log }) => !/TRT|polygraphy/.test(log)),
    [],
  )
})

test('classifyFailure() lets the cause win over its consequences', () => {
  const crash = '[error] BackendAllocatorException: Compilation failed with unexpected crash'
  const agents = 'No successful assignments: dw6 errors:\n\tAgent infeasible\n'
  assert.equal(bucketFor(`${agents}Mapping Failed (Timeout, allocation time: 31m)`), 'allocator_timeout')
  assert.equal(bucketFor(`OSError: No space left on device\n${crash}`), 'host_disk_full')
  assert.equal(bucketFor(`undefined symbol: abc\n${crash}`), 'environment_broken_install')
  assert.equal(
    bucketFor(`${agents}Memory units capacity exceeded (available: 1, required: 2)`),
    'resource_memory_units',
  )
  assert.equal(bucketFor(`conv1 failed on kernel validation: x\n${agents}`), 'allocator_infeasible')
  assert.equal(bucketFor(`SubprocessTracebackFailure: failed\nBadInputsShape: Data shape (1,)`), 'calibration_shape')
  assert.equal(
    bucketFor(`SubprocessTracebackFailure: failed\nAccelerasResourceError: GPU memory has been exhausted`),
    'host_oom',
  )
})

test('classifyFailure() forgets what a stage said when that stage was completed later', () => {
  const retried =
    'ParsingWithRecommendationException: Parsing failed. UnsupportedShuffleLayerError in op /R\n' +
    '[info] Translation completed on ONNX model n (completion time: 00:00:01.00)\n'
  assert.equal(
    bucketFor(
      `${retried}[error] Mapping Failed (allocation time: 2s)\nNo successful assignments: c1 errors:\n Agent ` +
        `infeasible`,
    ),
    'allocator_infeasible',
  )
  assert.equal(bucketFor(`${retried}[info] Saved HAR to: /x/n.har`), 'not_a_failure')
})

test('classifyFailure() calls a real failure one, also after a line that a success prints too', () => {
  const recovered =
    '[info] Single context flow failed: Recoverable single context error - ' +
    'Resources presolve failed: lcus=(>80)\n' +
    '[info] Using Multi-context flow\n'
  assert.equal(bucketFor(recovered), 'not_a_failure')
  const failure = classifyFailure(
    `${recovered}[error] Mapping Failed (allocation time: 2s)\nNo successful assignments: dw2 errors:\n\tAgent ` +
      `infeasible`,
  )
  assert.equal(failure.bucket, 'allocator_infeasible')
  assert.deepEqual(failure.counters, [])
  assert.equal(failure.milestone, 'Using Multi-context flow')
})

test('classifyFailure() calls the whole log of a success no failure, whatever went before', () => {
  const log =
    '[error] Agent infeasible\n[warning] X is not supported\n' +
    '[info] Successful Compilation (compilation time: 4s)\n[info] Saved HAR to: /x'
  assert.equal(bucketFor(log), 'not_a_failure')
  assert.equal(bucketFor(log, { exitCode: 0 }), 'not_a_failure')
  assert.equal(bucketFor(log, { exitCode: 1 }), 'unknown')
  assert.equal(bucketFor(`${log}\nOSError: [Errno 28] No space left on device`), 'host_disk_full')
})

test('classifyFailure() takes our own timeout for the reason unless the log has a verdict', () => {
  const searching =
    '[info] Running resources allocation (mapping) flow, time per context: 59m 59s\n' +
    'dw66 errors:\n\tAgent infeasible\n'
  const cut = classifyFailure(searching, { timedOut: true, signal: 'SIGKILL' })
  assert.deepEqual([cut.bucket, cut.exceptionType, cut.isInfeasible], ['wrapper_timeout', 'Timeout', false])
  assert.match(cut.milestone!, /mapping/)
  assert.match(cut.evidence, /mapping/)
  assert.equal(
    bucketFor(`${searching}[error] Mapping Failed (allocation time: 9s)`, { timedOut: true }),
    'allocator_infeasible',
  )
  assert.equal(
    bucketFor('[error] BackendAllocatorException: Compilation failed with unexpected crash', {
      timedOut: true,
      exitCode: 143,
    }),
    'wrapper_timeout',
  )
  assert.equal(bucketFor('', { timedOut: true }), 'wrapper_timeout')
})

test('classifyFailure() tells an abort, a kill and a crash by the end of the process', () => {
  assert.equal(bucketFor('[info] Starting Model Optimization', { aborted: true }), 'aborted')
  for (const context of [
    { exitCode: 130 },
    { exitCode: 143 },
    { exitCode: -2 },
    { exitCode: -15 },
    { exitCode: null, signal: 'SIGINT' },
  ]) {
    assert.equal(bucketFor('Agent infeasible', context), 'aborted')
  }
  for (const context of [{ exitCode: 137 }, { exitCode: -9 }, { exitCode: null, signal: 'SIGKILL' }])
    assert.equal(bucketFor('', context), 'host_oom')
  for (const context of [{ exitCode: 139 }, { exitCode: null, signal: 'SIGABRT' }])
    assert.equal(bucketFor('[info] x', context), 'compiler_crash')
  assert.equal(bucketFor('', { exitCode: 124 }), 'wrapper_timeout')
  assert.equal(bucketFor('', { exitCode: 127 }), 'environment_broken_install')
  assert.equal(bucketFor('', { exitCode: 0 }), 'not_a_failure')
  assert.equal(bucketFor('[info] Starting Model Optimization', { exitCode: 1 }), 'unknown')
})

test('classifyFailure() lets a warning name the failure only when the process failed or nothing else is there', () => {
  const log = '[info] Starting Model Optimization\n[warning] quota exceeded on /tmp'
  assert.equal(bucketFor(log), 'unknown')
  assert.equal(bucketFor(`${log}\n[info] Model Optimization is done`), 'not_a_failure')
  assert.equal(bucketFor(log, { exitCode: 1 }), 'host_disk_full')
})

test('classifyFailure() finds nothing wrong in what TensorFlow says at its start', () => {
  const log =
    "2026-02-23 03:12:37.123456: W tensorflow/stream_executor: Could not load dynamic library 'libcudart.so.11.0'; " +
    'dlerror: libcudart.so.11.0: cannot open shared object file\n[info] Model Optimization is done'
  assert.equal(bucketFor(log), 'not_a_failure')
  assert.equal(bucketFor(`${log}\nAgent infeasible`, { exitCode: 1 }), 'allocator_infeasible')
})

test('classifyFailure() takes the code that a traceback quotes for no message', () => {
  const log =
    'Traceback (most recent call last):\n  File "/x/runner.py", line 9, in _compile\n' +
    '    hef = self.compile(fps, script, mapping_timeout)  # segmentation fault, KeyboardInterrupt\n' +
    'a.b.BackendAllocatorException: Compilation failed: No successful assignments: conv1 errors:\n\tAgent infeasible'
  const failure = classifyFailure(log)
  assert.equal(failure.bucket, 'allocator_infeasible')
  assert.doesNotMatch(failure.evidence, /runner\.py|mapping_timeout|Traceback/)
  assert.equal(
    bucketFor('  File "/No space left on device/x.py", line 3, in f\nUnsupportedConv3DError'),
    'parse_unsupported_op',
  )
})

test('classifyFailure() names the exception that the log shows, else a fitting one', () => {
  assert.equal(
    typeOf('a.b.NegativeSlopeExponentNonFixable: Desired shift is 9.0, but op has only 8 data bits'),
    'NegativeSlopeExponentNonFixable',
  )
  assert.equal(
    typeOf('No successful assignments: a1 errors:\n[error] MyOwnException: Compilation failed'),
    'MyOwnException',
  )
  assert.equal(typeOf('Agent infeasible'), 'BackendAllocatorException')
  assert.equal(typeOf('BackendAllocatorException: x', { exitCode: 137 }), 'Killed')
  assert.equal(typeOf('HEF compile timed out'), 'Timeout')
  assert.equal(typeOf('[info] Successful Compilation'), '')
})

test('classifyFailure() gives evidence on one line of at most 500 characters', () => {
  const { evidence } = classifyFailure(
    `[error] Mapping Failed (allocation time: 2s)\nNo successful assignments: conv1 ` +
      `errors:\n${'Agent infeasible '.repeat(100)}`,
  )
  assert.ok(evidence.length <= 500)
  assert.match(evidence, /^No successful assignments: conv1 errors: \| \[error\] Mapping Failed/)
  assert.doesNotMatch(evidence, /[\n\t]/)
  assert.equal(classifyFailure('nothing known\n\n').evidence, 'nothing known')
})

test('classifyFailure() carries layers, counters, shifts and reshapes as data', () => {
  const single = classifyFailure(
    '[error] Context switch is disabled, but model could not fit in single context. APUs: 149/120, LCUs: 149/96',
  )
  assert.deepEqual(
    single.counters.map(({ name, used, available }) => [name, used, available]),
    [
      ['APUs', 149, 120],
      ['LCUs', 149, 96],
    ],
  )
  const slope = classifyFailure(
    'Quantization failed in layer n/conv8 due to unsupported required slope. Desired shift is 10.0, but op has ' +
      'only 8 data bits',
  )
  assert.deepEqual(slope.negativeExponent, { layer: 'n/conv8', desiredShift: 10, dataBits: 8 })
  const reshape = classifyFailure('Reshape is needed for layers: conv2, conv3, but adding a reshape has failed')
  assert.deepEqual(
    [reshape.reshapeLayers, reshape.layers, reshape.layerFamily],
    [['conv2', 'conv3'], ['conv2', 'conv3'], 'conv'],
  )
  assert.equal('negativeExponent' in reshape, false)
})

test('classifyFailure() never throws and keeps its promises when the text is anything', () => {
  const words = failureTexts.map(({ log }) => log)
  const anyText = fc.oneof(
    fc.string({ maxLength: 400 }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.oneof(fc.constantFrom(...words), fc.string())).map(parts => parts.join('\n')),
  )
  const anyContext = fc.record(
    {
      exitCode: fc.oneof(fc.integer({ min: -20, max: 255 }), fc.constant(null)),
      signal: fc.constantFrom(null, 'SIGKILL', 'SIGTERM', 'SIGSEGV'),
      timedOut: fc.boolean(),
      aborted: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(anyText, anyContext, (text, context) => {
      const failure = classifyFailure(text, context)
      assert.notEqual(bucketOf(failure.bucket).cause, '')
      assert.ok(failure.evidence.length <= 500 && !failure.evidence.includes('\n'))
      assert.equal(failure.isInfeasible, bucketOf(failure.bucket).isInfeasible)
      if (context.aborted || context.timedOut) assert.ok(!['unknown', 'not_a_failure'].includes(failure.bucket))
    }),
    { numRuns: 300 },
  )
})

test('classifyFailure() names the cause of whole logs of the field, in their own versions, nodes and paths', () => {
  const wrong = fieldTexts.flatMap(({ bucket, says, log }) => {
    const failure = classifyFailure(log)
    const answer = `${failure.cause}; ${failure.fix}`
    return failure.bucket === bucket && says.test(answer) ? [] : [[bucket, failure.bucket, answer, log.slice(0, 90)]]
  })
  assert.deepEqual(wrong, [])
  assert.ok(fieldTexts.length >= 100)
})

test('classifyFailure() leaves no place of an advice unfilled, and ends each with something to do', () => {
  for (const { log } of fieldTexts) {
    const { cause, fix } = classifyFailure(log)
    assert.doesNotMatch(cause + fix.replaceAll('$(uname -r)', ''), /\{\w+\}/)
    assert.notEqual(fix, '')
  }
})
