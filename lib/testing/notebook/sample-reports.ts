/**
 * Reports that the tests of the renderers share.
 *
 * One that passed with every kind of output, one with a failed cell, one blocked, one killed, and one full of hostile
 * text. The displays are drawn by the real code.
 */
import type { Display } from '../../notebook/display/display.ts'
import type { CellRecord, OutputRecord, Report } from '../../notebook/views/report.ts'
import { audio, bars, histogram, json, lines, markdown, spectrogram, table, text } from '../../notebook/display/show.ts'

const cellOf = (n: number, title: string, over: Partial<CellRecord> = {}): CellRecord => ({
  n,
  title,
  status: 'ok',
  startedAt: '2026-02-23T05:29:30.000Z',
  durationMs: n * 840,
  outputs: [],
  error: null,
  source: `await cell('${title.replaceAll("'", "\\'")}', async ({ print }) => {\n  print('…')\n})`,
  ...over,
})

const textOf = (text: string): OutputRecord => ({
  kind: 'text',
  title: null,
  text,
  mime: {},
  html: null,
  markdown: null,
})

const drawn = (displays: readonly Display[]): Promise<OutputRecord[]> =>
  Promise.all(displays.map(display => display.render()))

/** A tone that rises from 200 Hz to 3 kHz, as a spectrogram would hear it: 120 columns of 64 rows. */
function risingTone(): { columns: number; rows: number; db: Float32Array; secondsPerColumn: number; hzPerRow: number } {
  const [columns, rows] = [120, 64]
  const db = Float32Array.from({ length: columns * rows }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    return -12 * Math.abs(row - 2 - (column / columns) * 22) - (column % 7)
  })
  return { columns, rows, db, secondsPerColumn: 0.05, hzPerRow: 125 }
}

const ladder = Array.from({ length: 10 }, (_, i) => ({
  tag: `full_N${64 << Math.min(3, i)}_B${64 + 16 * i}_H${128 + 32 * i}`,
  har: true,
  hef: i < 7,
  compileMs: 812.5 + 321.7 * i,
  weightBytes: 17_122 * (11 - i),
  siSdrDb: i === 9 ? NaN : 15.23 - i * 0.9,
  exception: i < 7 ? '' : 'BackendAllocatorException: Timeout | agent infeasible',
}))

/** A sweep that passed, and showed one of everything. */
export async function passedReport(): Promise<Report> {
  const cosines = Float64Array.from({ length: 512 }, (_, i) => 0.9999 - 0.0004 * Math.abs(Math.sin(i * 12.9898)) ** 3)
  const loss = Array.from({ length: 600 }, (_, i) => {
    const [step, r] = [Math.floor(i / 2), i % 2]
    return { step, snrDb: 30 + r * 4 - 20 * Math.exp(-step / 60) + Math.sin(step / 3), rung: `rung ${r + 1}` }
  })
  const times = ladder.map(row => ({
    rung: row.tag,
    seconds: row.compileMs / 1000,
    result: row.hef ? 'hef' : 'refused',
  }))
  const shown = await drawn([
    text('toolchain host (ONNX Runtime 1.30.0)\n10 rungs, N=64 first'),
    table(ladder, { title: 'the ladder' }),
    bars(times, { title: 'compile time per rung', x: 'rung', y: 'seconds', color: 'result' }),
  ])
  const judged = await drawn([
    histogram(cosines, { title: 'cosine per window', rule: 0.9995, bins: 30 }),
    lines(loss, { title: 'SNR of int8 against float32', x: 'step', y: 'snrDb', color: 'rung' }),
    json({ layers: 42, ranges: { min: -1.5, max: NaN } }, { title: 'what the quantiser saw' }),
  ])
  const heard = await drawn([
    spectrogram(risingTone(), { title: 'sep_src1' }),
    audio(
      Float32Array.from({ length: 16_000 }, (_, i) => 0.5 * Math.sin(i * 0.17)),
      { title: 'sep_src1', sampleRate: 16_000 },
    ),
    markdown('**Rung 3** wins: it is the *widest* that fits. See `sweep.tsv`.\n\n- one context\n- 4 of 7 clusters'),
  ])
  return {
    ...reportOf('PASS', 0),
    cells: [
      cellOf(1, 'Author and compile the ladder', { outputs: shown, durationMs: 31_234 }),
      cellOf(2, 'Quantise and judge', { outputs: judged, durationMs: 8_030 }),
      cellOf(3, 'Separate the shipped recording', { outputs: heard }),
    ],
    gates: [
      { name: 'worst cosine', value: 0.99951234, bound: '>= 0.999', unit: null, status: 'pass', note: null },
      {
        name: 'SNR of int8 against float32',
        value: 31.42,
        bound: '>= 15 dB',
        unit: 'dB',
        status: 'pass',
        note: 'rung 3, 64 windows',
      },
      { name: 'model opens', value: true, bound: '= true', unit: null, status: 'pass', note: null },
    ],
    lines: [
      'harness: host',
      'first success: full_N64_B80_H160',
      'next knob: none',
      'summary: monolithic_full_host_summary.tsv',
    ],
    next: 'npx tsx runbooks/monolithic-infer.ts --model module_runs/20260223_052929/winner.onnx',
    artifacts: [
      { path: 'monolithic_full_host_summary.tsv', bytes: 2_412, sha256: 'a3f5'.repeat(16) },
      { path: 'cases/full N64/sep_src1.wav', bytes: 1_204_044, sha256: '09bc'.repeat(16) },
    ],
  }
}

/** A sweep whose second cell failed, and with it a gate. */
export function failedReport(): Report {
  const message = 'Cannot compile "full_N128_B96_H192": every rung was refused'
  const error = { name: 'RunbookError', message, hint: '--ladder temporal', code: null, stack: null }
  return {
    ...reportOf('FAIL', 1),
    error,
    cells: [
      cellOf(1, 'Read the contract'),
      cellOf(2, 'Compile the ladder', {
        status: 'failed',
        error,
        outputs: [textOf('\x1b[31m[error]\x1b[0m LCUs: 149/96\r\nretry\u0007')],
      }),
    ],
    gates: [
      { name: 'worst cosine', value: NaN, bound: '>= 0.999', unit: null, status: 'fail', note: 'nothing was compared' },
      {
        name: 'on the device',
        value: null,
        bound: '',
        unit: null,
        status: 'blocked',
        note: 'no Hailo device on this machine',
      },
    ],
    next: 'npx tsx runbooks/monolithic-sweep.ts --ladder temporal',
  }
}

/** A runbook that found no device, and a bug's stack beside it. */
export function blockedReport(): Report {
  const stack = 'TypeError: x is not a function\n    at open (backend.ts:12:3)'
  const bug = { name: 'TypeError', message: 'x is not a function', hint: null, code: null, stack }
  return {
    ...reportOf('BLOCKED', 3),
    cells: [cellOf(1, 'Open the device', { status: 'failed', error: bug })],
    gates: [
      {
        name: 'device answers',
        value: null,
        bound: '',
        unit: null,
        status: 'blocked',
        note: 'libhailort.so.4.23.0 is not installed',
      },
    ],
    error: {
      name: 'RunbookError',
      message: 'Cannot open "hailort": libhailort.so is absent',
      hint: '--backend ort',
      code: 'library-absent',
      stack: null,
    },
    next: '--backend ort',
  }
}

/** A run that was killed while its second cell ran. */
export function killedReport(): Report {
  return {
    ...reportOf(null, null),
    endedAt: null,
    durationMs: null,
    cells: [
      cellOf(1, 'Read the contract'),
      cellOf(2, 'Compile the ladder', {
        status: 'running',
        durationMs: null,
        outputs: [
          textOf('1/10 full_N64'),
          { kind: 'plot', title: 'not drawn yet', text: '', mime: {}, html: null, markdown: null },
        ],
      }),
    ],
    artifacts: [{ path: 'full_N64.log', bytes: 81, sha256: '' }],
  }
}

/** Markup that must arrive as text, wherever a person or a file can put words. */
export const hostile = '<script>alert(1)</script>"\'|`*_[x](javascript:alert(1))&amp; </style></title>'

/** A report with hostile text in every place. */
export async function hostileReport(): Promise<Report> {
  const outputs = await drawn([
    text(hostile, { title: hostile }),
    table([{ [hostile]: hostile, n: 1 }], { title: hostile }),
    json({ [hostile]: hostile }, { title: hostile }),
    bars([{ a: hostile, b: 2 }], { title: hostile, x: 'a', y: 'b' }),
    markdown(hostile, { title: hostile }),
    audio(new Float32Array(8), { title: hostile, sampleRate: 8000 }),
  ])
  const error = { name: hostile, message: hostile, hint: hostile, code: hostile, stack: hostile }
  const base = reportOf('FAIL', 1)
  return {
    ...base,
    runbook: hostile,
    asks: hostile,
    intro: hostile,
    command: hostile,
    run: hostile,
    next: hostile,
    hint: hostile,
    lines: [hostile],
    error,
    inputs: [{ ...base.inputs[0]!, name: hostile, value: hostile, help: hostile, flag: hostile, env: hostile }],
    cells: [cellOf(1, hostile, { outputs, error, status: 'failed', source: hostile })],
    gates: [{ name: hostile, value: hostile, bound: hostile, unit: hostile, status: 'fail', note: hostile }],
    artifacts: [{ path: `javascript:${hostile}`, bytes: 1, sha256: hostile }],
    fingerprint: { [hostile]: hostile },
  }
}

/** All of them by name. */
export const everyReport = async (): Promise<Record<string, Report>> => ({
  passed: await passedReport(),
  failed: failedReport(),
  blocked: blockedReport(),
  killed: killedReport(),
  hostile: await hostileReport(),
})

function reportOf(verdict: Report['verdict'], exit: number | null): Report {
  return {
    schema: 'rungbook.report/1',
    runbook: 'monolithic-sweep',
    asks: 'which is the largest monolithic network that this toolchain compiles?',
    intro:
      'The monolithic sweep.\n\nOne network, ten sizes, and *one* question each.\n\n' +
      '  npx tsx runbooks/monolithic-sweep.ts --profile extended\n',
    command: 'PROFILE=focused npx tsx runbooks/monolithic-sweep.ts --arch hailo8',
    verdict,
    exit,
    run: 'module_runs/20260223_052929',
    startedAt: '2026-02-23T05:29:29.123Z',
    endedAt: '2026-02-23T05:30:11.000Z',
    durationMs: 41_877,
    inputs: [
      {
        name: 'profile',
        flag: 'profile',
        env: 'PROFILE',
        value: 'focused',
        from: 'env',
        help: 'stop at the first success, or go on',
      },
      {
        name: 'arch',
        flag: 'arch',
        env: 'HW_ARCH',
        value: 'hailo8',
        from: 'flag',
        help: 'the device that the network is for',
      },
      {
        name: 'timeLimitMin',
        flag: 'time-limit-min',
        env: 'TIME_LIMIT_MIN',
        value: 120,
        from: 'default',
        help: 'minutes for the whole sweep',
      },
      {
        name: 'calibNpz',
        flag: 'calib-npz',
        env: 'CALIB_NPZ',
        value: null,
        from: 'default',
        help: 'calibration windows',
      },
    ],
    cells: [],
    gates: [],
    marks: {},
    lines: [],
    next: null,
    hint: null,
    artifacts: [],
    error: null,
    fingerprint: { git: 'f66d46c', node: 'v20.20.2', packages: { 'onnxruntime-node': '1.30.0' }, device: 'cpu' },
  }
}
