/**
 * Demo: does the notebook keep its promises?
 *
 * A runbook for the notebook's own tests. `--how` chooses what happens in it.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { blockedError } from '../../base/errors.ts'
import { choice, number, runbook } from '../../notebook/run/runbook.ts'
import { table } from '../../notebook/display/show.ts'
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import type { Tools } from '../../notebook/run/session.ts'

/** The tools that a way of going wrong needs. */
type Demo = Pick<Tools<Inputs>, 'cell' | 'line' | 'run' | 'signal'> & { readonly value: number }

const ways = [
  'pass',
  'fail',
  'blocked',
  'throw',
  'bug',
  'no-gate',
  'parallel',
  'wait',
  'deaf',
  'stray',
  'busy',
  'crash',
  'blocked-thread',
  'daemon',
  'long',
  'few-files',
  'nothing',
] as const

const absent = () => blockedError('Cannot open "device": it is absent', 'plug it in')

/** What happens behind the first cell, by the way that was chosen. */
const misbehave: Partial<Record<(typeof ways)[number], (tools: Demo) => Promise<unknown>>> = {
  parallel: ({ cell }) =>
    Promise.all(
      ['a', 'b'].map(name =>
        cell(`Side ${name}`, async ({ print }) => {
          for (let i = 0; i < 3; i++) {
            print(`${name}${i}`)
            await sleep(5)
          }
        }),
      ),
    ),
  throw: ({ cell }) =>
    cell('Open', () => {
      throw absent()
    }),
  bug: ({ cell }) =>
    cell('Break', () => {
      throw new TypeError('a defect')
    }),
  wait: ({ cell }) => cell('Wait', ({ signal }) => sleep(60_000, undefined, { signal })),
  deaf: ({ cell }) => cell('Hang', () => new Promise(leave => void setTimeout(leave, 60_000))),
  busy: ({ cell, signal }) => cell('Spin', () => spin(signal)),
  crash: ({ cell, run }) =>
    cell('Crash', async ({ sh }) => {
      void sh`echo $$ > left.pid; sleep 600`.catch(() => {})
      while (!existsSync('left.pid')) await sleep(10)
      writeFileSync(run.path('half.json.1234.tmp'), '')
      process.kill(process.pid, 'SIGSEGV')
    }),
  'blocked-thread': ({ cell }) =>
    cell('Block', ({ print }) => {
      print('blocking')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    }),
  daemon: ({ cell, value }) => cell('Leave', ({ sh }) => sh`(env -i setsid sleep ${value} > /dev/null &)`),
  'few-files': () =>
    Promise.reject(
      Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'scandir', path: '/x' }),
    ),
  long: async ({ line }) => line('x'.repeat(1_000_000)),
  async stray() {
    setTimeout(() => {
      throw new Error('nobody awaits me')
    }, 1)
    await sleep(2000)
  },
}

export default runbook(
  import.meta,
  {
    asks: 'does the notebook keep its promises?',
    inputs: {
      how: choice(ways, { env: 'DEMO_HOW', default: 'pass', help: 'what happens' }),
      value: number({ env: 'DEMO_VALUE', default: 3, help: 'a number to judge' }),
    },
    ifKilled: ({ folder, reason }) => writeFileSync(join(folder, 'killed.txt'), reason),
    steps: ({ how }) => [`do what "${how}" does`],
  },
  async ({ inputs, cell, show, gate, next, line, run, signal, stamp }) => {
    next({ pass: 'go on', fail: 'look again', interrupted: 'start again' })
    stamp({ device: 'none' })
    if (inputs.how === 'nothing') throw absent()
    const first = await cell('Measure', async ({ print, progress, show }) => {
      print('measuring')
      run.write('numbers.txt', '1 2 3\n')
      const doubled = await progress(
        [1, 2, 3],
        n => n * 2,
        n => `item ${n}`,
      )
      show(
        table(
          doubled.map(n => ({ n })),
          { title: 'doubled' },
        ),
      )
      return doubled.at(-1)!
    })
    await misbehave[inputs.how]?.({ cell, line, run, signal, value: inputs.value })
    line(`Measured: ${first}`)
    if (inputs.how === 'no-gate') return
    show(table([{ value: inputs.value }]))
    gate('value', inputs.value, { atLeast: ['fail', 'long'].includes(inputs.how) ? 100 : 1 }, { unit: 'dB' })
    if (inputs.how === 'blocked') gate.blocked('device', 'no device here')
    signal.throwIfAborted()
  },
)

/** Keep the event loop busy half a second at a time, as authoring a graph does, until somebody stops it. */
async function spin(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const end = Date.now() + 500
    while (Date.now() < end);
    await sleep(1)
  }
  signal.throwIfAborted()
}
