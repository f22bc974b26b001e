/**
 * Measures what a run survives: kills, full disks, compilers that hang, hostile libraries, and company.
 *
 * The cells of `runbooks/bench.ts --suite survival`. Nothing may be lost, doubled, torn or left alive, so each gate
 * asks for none; the tables say what was tried.
 */
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import { table } from '../../notebook/display/show.ts'
import type { Tools } from '../../notebook/run/session.ts'
import { sweepTogether } from './crowd.ts'
import { namespaceWords } from '../../testing/needs.ts'
import { fillDisks } from './full-disks.ts'
import { hangCompilers } from './hangs.ts'
import { killSweeps } from './kills.ts'
import { askHostile, daemonsLeft } from './native-answers.ts'

type Pen = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate'>

// WHY: enough to meet a moment that one kill in twenty meets; more takes longer than a person waits.
// SOURCE: decision D-325
// CONTRACT: the whole suite ends within ten minutes on two cores that have other work too.
const tried = { kills: 40, chain: 5, answers: 100, sweeps: 8 }
/** Of what a whole run needs on the disk. */
const shares = [0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.97]

/** Measure, show and judge. @param seed decides the moments of the kills, and which answers are asked */
export async function benchSurvival(pen: Pen, seed: number): Promise<void> {
  await kills(pen, seed)
  await disks(pen)
  await hangs(pen)
  await answers(pen, seed)
  await crowd(pen)
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

async function kills({ run, cell, gate }: Pen, seed: number): Promise<void> {
  const { kills: count, chain } = tried
  const killed = await cell(`Kill sweeps ${count} times and resume them`, async ({ show }) => {
    const found = await killSweeps({ folder: run.path('kills'), count, chain, seed })
    show(table(found, { title: `kills, seed ${seed}` }))
    return found
  })
  const none = (name: string, values: readonly number[]) => gate(name, sum(values), { equals: 0 })
  gate('kills', killed.filter(({ isLate }) => !isLate).length, { atLeast: Math.ceil(count / 2) })
  none(
    'rows lost',
    killed.map(({ lost }) => lost),
  )
  none(
    'rows doubled',
    killed.map(({ doubled }) => doubled),
  )
  none(
    'torn files',
    killed.map(({ torn }) => torn),
  )
  none(
    'killed runs without a verdict',
    killed.map(({ lacksVerdict }) => Number(lacksVerdict)),
  )
  none(
    'processes after a kill',
    killed.map(({ left }) => left),
  )
}

async function disks({ run, cell, gate }: Pen): Promise<void> {
  const space = namespaceWords()
  if ('why' in space) return gate.blocked('runs on a full disk', space.why)
  const found = await cell(`Sweep on ${shares.length} disks that are too small`, async ({ show }) => {
    const argv = ['--toolchain', 'host', '--no-cache']
    const filled = await fillDisks({ folder: run.path('disks'), words: space.words, argv, shares })
    show(table(filled.map(({ faults, ...row }) => ({ ...row, faults: faults.join('; ') }))))
    return filled
  })
  gate('disks that were full', found.filter(({ verdict }) => verdict === 'BLOCKED').length, { atLeast: 4 })
  gate('disks on which words and files disagree', found.filter(({ faults }) => faults.length > 0).length, { equals: 0 })
}

async function hangs({ run, cell, gate }: Pen): Promise<void> {
  const found = await cell('Sweep with compilers that hang', async ({ show }) => {
    const hung = await hangCompilers({ folder: run.path('hangs') })
    show(table(hung))
    return hung
  })
  gate('ways to hang', found.length, { atLeast: 11 })
  const ended = found.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'BLOCKED')
  gate('hangs that end in FAIL or BLOCKED', ended.length, { equals: found.length })
  gate('processes after a hang', sum(found.map(({ left }) => left)), { equals: 0 })
}

async function answers({ run, cell, gate }: Pen, seed: number): Promise<void> {
  const found = await cell(`Ask ${tried.answers} hostile libraries`, async ({ show }) => {
    const answered = await askHostile({ folder: run.path('answers'), count: tried.answers, seed })
    show(table(answered.map(({ says, ...row }) => ({ ...row, says: says.slice(0, 120) }))))
    return answered
  })
  gate('hostile answers', found.length, { equals: tried.answers })
  gate('answers that are taken for a defect', found.filter(({ end }) => end === 'bug').length, { equals: 0 })
  gate('errors that name nothing', found.filter(({ isNamed }) => !isNamed).length, { equals: 0 })
  gate('answers that took long', found.filter(({ isSlow }) => isSlow).length, { equals: 0 })
  gate('processes after an answer', daemonsLeft().length, { equals: 0 })
}

async function crowd({ run, cell, gate }: Pen): Promise<void> {
  const found = await cell(`Run ${tried.sweeps} sweeps at once`, async ({ show }) => {
    const ended = await sweepTogether({ folder: run.path('crowd'), count: tried.sweeps })
    show(table(ended.map(({ faults, ...row }) => ({ ...row, faults: faults.join('; ') }))))
    return ended
  })
  gate('sweeps at once', found.filter(({ verdict }) => verdict === 'PASS').length, { equals: tried.sweeps })
  gate('sweeps that disturbed another', found.filter(({ faults }) => faults.length > 0).length, { equals: 0 })
}
