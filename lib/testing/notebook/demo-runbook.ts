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
  'nothing',
] as const

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
    if (inputs.how === 'nothing') throw blockedError('Cannot open "device": it is absent', 'plug it in')
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
    if (inputs.how === 'parallel') {
      await Promise.all(
        ['a', 'b'].map(name =>
          cell(`Side ${name}`, async ({ print }) => {
            for (let i = 0; i < 3; i++) {
              print(`${name}${i}`)
              await sleep(5)
            }
          }),
        ),
      )
    }
    if (inputs.how === 'throw')
      await cell('Open', () => {
        throw blockedError('Cannot open "device": it is absent', 'plug it in')
      })
    if (inputs.how === 'bug')
      await cell('Break', () => {
        throw new TypeError('a defect')
      })
    if (inputs.how === 'wait') await cell('Wait', ({ signal }) => sleep(60_000, undefined, { signal }))
    if (inputs.how === 'deaf')
      await cell(
        'Hang',
        () =>
          new Promise(leave => {
            setTimeout(leave, 60_000)
          }),
      )
    if (inputs.how === 'busy') await cell('Spin', () => spin(signal))
    if (inputs.how === 'crash')
      await cell('Crash', async ({ sh }) => {
        void sh`echo $$ > left.pid; sleep 600`.catch(() => {})
        while (!existsSync('left.pid')) await sleep(10)
        writeFileSync(run.path('half.json.1234.tmp'), '')
        process.kill(process.pid, 'SIGSEGV')
      })
    if (inputs.how === 'blocked-thread')
      await cell('Block', ({ print }) => {
        print('blocking')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      })
    if (inputs.how === 'stray')
      setTimeout(() => {
        throw new Error('nobody awaits me')
      }, 1)
    if (inputs.how === 'stray') await sleep(2000)
    line(`Measured: ${first}`)
    if (inputs.how === 'no-gate') return
    show(table([{ value: inputs.value }]))
    gate('value', inputs.value, { atLeast: inputs.how === 'fail' ? 100 : 1 }, { unit: 'dB' })
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
