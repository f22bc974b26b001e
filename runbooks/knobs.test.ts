import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { buckets } from '../lib/failure/buckets.ts'
import { classifyFailure } from '../lib/failure/classify.ts'
import { changeText } from '../lib/systems/monolithic/knob/change.ts'
import { bareCommand, knobCommand } from '../lib/systems/monolithic/knob/knob-command.ts'
import {
  evidenceKnob,
  type CaseOutcome,
  type Knob,
  type KnobOptions,
} from '../lib/systems/monolithic/knob/next-knob.ts'
import { flagFromName } from '../lib/notebook/inputs/argv.ts'
import { shellWords } from '../lib/testing/shell-words.ts'
import infer from './monolithic-infer.ts'
import ramp from './monolithic-ramp.ts'
import sweep from './monolithic-sweep.ts'

const cwd = mkdtempSync(join(tmpdir(), 'knobs-'))
after(() => rmSync(cwd, { recursive: true, force: true }))

const used: KnobOptions = {
  inForce: {
    ladder: 'plan',
    decoder: 'polyphase',
    encoder: 'conv',
    skipTopologyMode: 'project',
    normMode: 'affine',
    maskAct: 'sigmoid',
    quickOpt: true,
    caseTimeoutMin: 12,
  },
  hasCalibration: false,
  tried: [],
}
const other = { ladder: 'temporal', decoder: 'deconv', skipTopologyMode: 'repeat', normMode: 'identity' } as const
const config = {
  nFilters: 64,
  bnChan: 24,
  hidChan: 48,
  skipChan: 24,
  nBlocks: 2,
  nRepeats: 1,
  inputLen: 16000,
  kernelSize: 16,
  stride: 8,
}
const counters = ['LCUs', 'APUs', 'L3 weights'].map(name => ({ name, used: 9, available: 4 }))

/** Every knob that a history of failed tries leads to, for each bucket, counter and setting. */
const knobs: Knob[] = Object.keys(buckets).flatMap(bucket =>
  counters.flatMap(counter => {
    const failure = { ...classifyFailure(''), bucket, isInfeasible: buckets[bucket]!.isInfeasible, counters: [counter] }
    const outcome: CaseOutcome = {
      config,
      isCompiled: false,
      exceptionType: 'x',
      failure,
      attempted: true,
    }
    return [used, { ...used, inForce: { ...used.inForce, ...other } }].flatMap(setting => {
      const found: Knob[] = []
      while (found.length < 30 && found.at(-1)?.change?.kind !== 'runbook') {
        found.push(evidenceKnob([outcome], { ...setting, tried: found.map(({ change }) => change) }))
      }
      return found
    })
  }),
)
const texts = [
  ...new Set([
    ...knobs.map(({ change }) => changeText(change)),
    ...Object.values(buckets).flatMap(({ cause, nextKnob }) => [cause, nextKnob]),
  ]),
]

test('every runbook that a knob names is there', () => {
  const named = new Set(texts.flatMap(text => [...text.matchAll(/runbooks\/[\w-]+\.ts/g)].map(([path]) => path)))
  assert.ok(named.size >= 3)
  for (const path of named) assert.ok(existsSync(join(import.meta.dirname, '..', path)), path)
})

test('every flag that a knob names is one of the sweep, the ramp, the runtime or of explain-log', async () => {
  const explain = (await import('./explain-log.ts')).default
  const known = new Set(
    [sweep, ramp, infer, explain].flatMap(({ sheet }) =>
      Object.entries(sheet.inputs).flatMap(([name, input]) => {
        const flag = input.flag ?? flagFromName(name)
        return [`--${flag}`, `--no-${flag}`]
      }),
    ),
  )
  // Every runbook takes it.
  known.add('--help')
  for (const text of texts) {
    // What follows another program's name is that program's.
    const ours = text.replaceAll(/\b(trtexec|journalctl)\b[^;]*/g, '')
    for (const [flag] of ours.matchAll(/--[A-Za-z][\w-]*/g)) assert.ok(known.has(flag), `${flag} in "${text}"`)
  }
  const variables = new Set(
    [sweep, ramp, infer].flatMap(({ sheet }) => Object.values(sheet.inputs).map(({ env }) => env)),
  )
  for (const text of texts) {
    for (const [name] of text.matchAll(/\b(?:CALIB_NPZ|QUICK_OPT|HW_ARCH)\b/g))
      assert.ok(variables.has(name), `${name} in "${text}"`)
  }
})

test('every command that a knob becomes is understood by the sweep', async () => {
  const { inputs: declared } = sweep.sheet
  const run = {
    shown: cwd,
    ts: '20260223_052929',
    write: (name: string, data: string | Uint8Array) => (writeFileSync(join(cwd, name), data), name),
  }
  const settings = [
    {},
    { ladder: 'temporal', from: '1', until: '3', resume: '20260101_000000' },
    { config: 'mono_f64_bn24_hid48_skip24_b2_r1_t16000', from: '1' },
  ]
  const commands = new Set(
    knobs.flatMap(knob => settings.map(inputs => knobCommand(knob, { declared, inputs, run, scriptExtra: '' }))),
  )
  for (const bucket of Object.keys(buckets)) commands.add(bareCommand({ ...classifyFailure(''), bucket }) ?? '')
  const own = [...commands].filter(command => command.startsWith('npx tsx runbooks/monolithic-sweep.ts'))
  assert.ok(own.length >= 20, `${own.length} commands`)
  for (const command of own) {
    const argv = shellWords(command).slice(3)
    const out = { text: '' }
    const sink = {
      write: (text: string) => {
        out.text += text
      },
    }
    const { exit } = await sweep.run({ argv: [...argv, '--dry-run'], env: {}, cwd, stdout: sink, stderr: sink })
    assert.equal(exit, 0, `${command}\n${out.text}`)
  }
})
