import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { until } from '../../testing/until.ts'
import { Family, procSource, psSource, rowFromStat, type ProcessRow, type ProcessSource } from './descendants.ts'

const needsProc = existsSync('/proc/self/stat') ? false : 'tool: /proc is not there'

/** Numbers that no system gives out, so that a signal to them reaches nobody. */
const base = 5_000_000

const plainRow: ProcessRow = { pid: 0, ppid: 1, group: 1, session: 1, start: 100, isZombie: false }
const filled = (row: Partial<ProcessRow>): ProcessRow => ({ ...plainRow, ...row })

const marker = `RUNGBOOK_TEST_${randomUUID()}=`

/** A machine made of rows; those whose number is in `marked` hold the marker. */
function machine(rows: Partial<ProcessRow>[], marked: number[] = []) {
  const state = { rows: rows.map(filled), marked }
  const source: ProcessSource = {
    list: () => state.rows,
    find: pid => state.rows.find(row => row.pid === pid) ?? null,
    holds: pid => state.marked.includes(pid),
  }
  return { state, source, set: (next: Partial<ProcessRow>[]) => void (state.rows = next.map(filled)) }
}

const numbers = (family: Family) =>
  family
    .living()
    .map(row => row.pid - base)
    .toSorted((a, b) => a - b)

test('rowFromStat() reads past a name with brackets, spaces and newlines', () => {
  const tail = ['7', '8', '9', ...Array.from({ length: 15 }, () => '0'), '4242', '1', '2'].join(' ')
  const row = rowFromStat(`31 (a) Z 1 2\n(b) S ${tail}`)
  assert.deepEqual(row, { pid: 31, ppid: 7, group: 8, session: 9, start: 4242, isZombie: false })
  assert.equal(rowFromStat(`31 (sh) Z ${tail}`).isZombie, true)
})

test('procSource finds this very process', { skip: needsProc }, () => {
  const self = procSource.find(process.pid)
  assert.equal(self?.ppid, process.ppid)
  assert.ok(self.start > 0)
  assert.ok(procSource.list().some(row => row.pid === process.pid && row.start === self.start))
  assert.equal(procSource.find(base), null)
  assert.equal(procSource.holds(base, 'PATH='), false)
})

test('psSource finds this very process, its parent and a start time', { skip: needsTool('ps') }, () => {
  const self = psSource.find(process.pid)
  assert.equal(self?.ppid, process.ppid)
  // Milliseconds since 1970: a parent starts before its child, and both after this was written.
  const parent = psSource.find(process.ppid)!
  assert.ok(self.start >= parent.start && parent.start > Date.UTC(2024))
})

test('living() finds members by group, session, marker and parent, and no stranger', () => {
  const { source } = machine(
    [
      { pid: base + 1, group: base + 1, session: base + 1 },
      { pid: base + 2, group: base + 1 },
      { pid: base + 3, session: base + 1, group: base + 3 },
      { pid: base + 4 },
      { pid: base + 5, ppid: base + 6 },
      { pid: base + 6, ppid: base + 4 },
      { pid: base + 7 },
      { pid: base + 8, start: 99, group: base + 1 },
      { pid: base + 9, group: base + 1, isZombie: true },
      { pid: 1, ppid: 0 },
      { pid: process.pid, ppid: base + 1 },
    ],
    [base + 4, 1, process.pid],
  )
  assert.deepEqual(numbers(new Family({ root: base + 1, marker, source })), [1, 2, 3, 4, 5, 6])
})

test('Family refuses a marker so short that strangers could hold it', () => {
  assert.throws(() => new Family({ root: base + 1, marker: 'M=', source: machine([]).source }), RangeError)
})

test('living() remembers a member that a dying parent let go, until its number goes to somebody else', () => {
  const { source, set } = machine([
    { pid: base + 1, group: base + 1 },
    { pid: base + 2, ppid: base + 1 },
  ])
  const family = new Family({ root: base + 1, marker, source })
  assert.deepEqual(numbers(family), [1, 2])
  set([{ pid: base + 2, ppid: 1 }])
  assert.deepEqual(numbers(family), [2])
  set([{ pid: base + 2, ppid: 1, start: 101 }])
  assert.deepEqual(numbers(family), [])
})

test('living() leaves a stranger that got the number of the root, and its group', () => {
  const { source, set } = machine([{ pid: base + 1, group: base + 1, session: base + 1 }])
  const family = new Family({ root: base + 1, marker, source })
  const stranger = { group: base + 1, session: base + 1, start: 200 }
  set([
    { pid: base + 1, ...stranger },
    { pid: base + 2, ppid: base + 1, ...stranger },
  ])
  assert.deepEqual(numbers(family), [])
})

test('living() finds the rest of the group when the root is a zombie that nobody has reaped', () => {
  const { source } = machine([
    { pid: base + 1, group: base + 1, isZombie: true },
    { pid: base + 2, group: base + 1 },
  ])
  assert.deepEqual(numbers(new Family({ root: base + 1, marker, source })), [2])
})

/** A real process that can be told dead from alive. */
async function sleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  await new Promise(spawned => child.once('spawn', spawned))
  return child as ChildProcess & { pid: number }
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

test('signal() spares a process whose number changed hands since it was found', async () => {
  const child = await sleeper()
  const row = { pid: child.pid, ppid: 1, group: child.pid, session: child.pid, start: 100, isZombie: false }
  let asked = 0
  // The first question is the constructor's; from the second on, the number belongs to a younger process.
  const source: ProcessSource = {
    list: () => [row],
    find: () => ({ ...row, start: asked++ === 0 ? 100 : 101 }),
    holds: () => true,
  }
  const family = new Family({ root: child.pid, marker, source })
  assert.equal(family.signal('SIGKILL'), 1)
  await sleep(100)
  assert.equal(isAlive(child), true)
  // The same family, with the number back in the same hands, does end it: the first half could fail.
  source.find = () => row
  family.signal('SIGKILL')
  await new Promise(gone => child.once('exit', gone))
  assert.equal(child.signalCode, 'SIGKILL')
})

test('end() returns those that no signal can end, and does so in bounded time', async () => {
  const { source } = machine([
    { pid: base + 1, group: base + 1 },
    { pid: base + 2, ppid: base + 1 },
  ])
  // Were its time not bounded, this would never come back.
  const left = await new Family({ root: base + 1, marker, source }).end({ graceMs: 50, killMs: 100 })
  assert.deepEqual(left, [base + 1, base + 2])
})

test('end() without /proc ends the group and the children of children', { skip: needsTool('ps') }, async () => {
  const script = 'trap "" TERM; sleep 60 & sh -c "trap \'\' TERM; sleep 60; :" & wait; sleep 60'
  const child = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore' })
  const family = new Family({ root: child.pid!, marker, source: psSource })
  await until(() => family.living().length === 4, 'a family of four')
  const before = family.living().map(row => row.pid)
  assert.equal(before.length, 4)
  assert.deepEqual(await family.end({ graceMs: 100 }), [])
  const after = new Set(
    psSource
      .list()
      .filter(row => !row.isZombie)
      .map(row => row.pid),
  )
  assert.deepEqual(
    before.filter(pid => after.has(pid)),
    [],
  )
})

test('endNow() kills before it returns', { skip: needsProc }, async () => {
  const child = await sleeper()
  const family = new Family({ root: child.pid, marker })
  assert.equal(family.living().length, 1)
  family.endNow()
  assert.equal(procSource.find(child.pid)?.isZombie ?? true, true)
})
