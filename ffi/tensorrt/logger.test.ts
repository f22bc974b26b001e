import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { settled } from '../settled.ts'
import { FfiError } from '../errors.ts'
import { koffi, type NativeFunction } from '../load.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { inChild } from '../testing/tensorrt/in-child.ts'
import { abiOf } from './abi/abi.ts'
import { createLogger, type LogMessage, type Logger } from './logger.ts'
import { openTensorRt } from './open.ts'

/** Call the log method as C++ would: through the object's own vtable. */
function logOf(logger: Logger, slot: number): NativeFunction<[bigint, number, string | null], void> {
  const k = koffi()
  const vtable = k.decode.uint64(logger.pointer) as number | bigint
  const code = k.decode(BigInt(vtable) + BigInt(8 * slot), 'void *') as bigint
  return k.decode(code, k.proto('void (void *self, int32_t severity, const char *message)')) as NativeFunction<
    [bigint, number, string | null],
    void
  >
}
const say = (logger: Logger, slot: number, severity: number, text: string | null) =>
  settled(logOf(logger, slot) as NativeFunction, logger.pointer, severity, text)

test('createLogger() keeps errors and warnings of the latest call that was listened to, for each major', async () => {
  for (const version of standinVersions) {
    const abi = abiOf(version)
    const slot = abi.slotOf('ILogger', 'log')!
    const logger = createLogger(abi)
    await logger.during(async () => {
      for (const [severity, text] of [
        [0, 'bad'],
        [1, 'wrong'],
        [2, 'odd'],
        [3, 'by the way'],
        [4, 'chatter'],
        [99, 'what'],
      ] as const)
        await say(logger, slot, severity, text)
    })
    assert.deepEqual(logger.messages, [
      { severity: 'internal error', text: 'bad' },
      { severity: 'error', text: 'wrong' },
      { severity: 'warning', text: 'odd' },
    ])
    await logger.during(() => say(logger, slot, 1, null))
    assert.deepEqual(logger.messages, [{ severity: 'error', text: '' }])
  }
})

test('createLogger() is mute by default: what is said reaches no JavaScript', async () => {
  const logger = createLogger(abiOf(standinVersions[1]!))
  let heard = 0
  logger.onMessage = () => heard++
  assert.equal(logger.isMute, true)
  await say(logger, 0, 0, 'unheard')
  logOf(logger, 0)(logger.pointer, 0, 'unheard')
  assert.deepEqual([heard, logger.messages.length], [0, 0])
})

test('onMessage is told up to info, and what it throws is lost', async () => {
  const logger = createLogger(abiOf(standinVersions[1]!))
  const heard: LogMessage[] = []
  logger.onMessage = message => {
    heard.push(message)
    throw new Error("a listener's own fault")
  }
  await logger.during(async () => {
    for (const severity of [1, 3, 4]) await say(logger, 0, severity, `level ${severity}`)
  })
  assert.deepEqual(
    heard.map(({ text }) => text),
    ['level 1', 'level 3'],
  )
})

test('during() keeps at most 64 messages, and turns mute again when the work fails', async () => {
  const logger = createLogger(abiOf(standinVersions[1]!))
  await assert.rejects(
    logger.during(async () => {
      for (let i = 0; i < 70; i++) await say(logger, 0, 1, `${i}`)
      throw new Error('it failed')
    }),
    /it failed/,
  )
  assert.deepEqual([logger.messages.length, logger.messages[0]!.text, logger.isMute], [64, '0', true])
})

test('mustBeMute() refuses a call while another is listened to, and during() refuses a second one', async () => {
  const logger = createLogger(abiOf(standinVersions[1]!))
  const refused = (thrown: unknown) =>
    thrown instanceof FfiError && thrown.kind === 'usage' && /under way on a worker thread/.test(thrown.message)
  let end = () => {}
  const listening = logger.during(() => new Promise<void>(resolve => (end = resolve)))
  assert.equal(logger.isMute, false)
  assert.throws(() => logger.mustBeMute('x'), refused)
  assert.throws(() => void logger.during(async () => {}), refused)
  let isOver = false
  const waiting = logger.whenMute().then(() => (isOver = true))
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(isOver, false)
  end()
  await Promise.all([listening, waiting])
  logger.mustBeMute('x')
})

test('inTurn() lets one at a time through, in order, and goes on after one that fails', async () => {
  const logger = createLogger(abiOf(standinVersions[1]!))
  const seen: string[] = []
  const turn = (name: string, fails = false) =>
    logger.inTurn(async () => {
      seen.push(`${name} in`)
      await new Promise(resolve => setTimeout(resolve, 2))
      seen.push(`${name} out`)
      if (fails) throw new Error(name)
    })
  const results = await Promise.allSettled([turn('a'), turn('b', true), turn('c')])
  assert.deepEqual(seen, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test(
  'a library that logs from its threads hangs nobody: neither while it is listened to nor when it is mute',
  { skip: needsTool('g++') },
  () => {
    tensorRtStandin(standinVersions[2]!)
    const { stdout, stderr, timedOut } = inChild(
      `
    for (const version of standinVersions) {
      const standin = tensorRtStandin(version)
      const rt = openTensorRt({ env: standin.env })
      const heard = []
      rt.logger.onMessage = message => heard.push(message.text)
      const plan = planBytes(densePlan(), version)
      const engine = await deserialize(rt, plan, 'm.plan')
      // The same call on this thread, mute: the library waits for a thread of its own that logs.
      const context = engine.object.call('createExecutionContext', ...(version.major === 8 ? [] : [0]))
      console.log(version.major, heard.length, context !== null)
    }
    process.exit(0)`,
      { timeoutMs: 600_000 },
    )
    assert.equal(timedOut, false, stderr)
    assert.equal(stdout, '8 1 true\n10 1 true\n11 1 true\n')
  },
)

test('openTensorRt() gives one logger for a library, however often it is opened', { skip: needsTool('g++') }, () => {
  const { env } = tensorRtStandin(standinVersions[1]!, { isLean: true })
  assert.equal(openTensorRt({ env }).logger, openTensorRt({ env }).logger)
})
