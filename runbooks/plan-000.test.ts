import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../lib/formats/onnx/index.ts'
import { writeNpz } from '../lib/formats/tensors/npz.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { readWav, writeWav } from '../lib/formats/wav/index.ts'
import { readTsv } from '../lib/host/tsv.ts'
import { ladderConfigs, monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { runTag } from '../lib/models/convtasnet/options.ts'
import { GraphBuilder } from '../lib/onnx/builder.ts'
import { recordingPaths, recordingsFolder } from '../lib/systems/monolithic/recordings.ts'
import { installHailoStandin } from '../lib/testing/hailo-program/install-standin.ts'
import { runInProcess, type Ran } from '../lib/testing/run-in-process.ts'
import infer from './monolithic-infer.ts'
import sweep from './monolithic-sweep.ts'

// Every name, message and scenario of the monolithic bring-up plan, each against a real run. The vendor's compiler is
// the stand-in.

const cwd = mkdtempSync(join(tmpdir(), 'plan-'))
const { folder: dfc } = installHailoStandin(join(cwd, 'venv'), { wheel: '3.33.0' })

async function withCompiler(fates: unknown, argv: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  process.env.HAILO_STANDIN = typeof fates === 'string' ? fates : JSON.stringify(fates)
  try {
    return await runInProcess(sweep, ['--dfc', dfc, '--no-cache', '--quiet', '--ladder', 'plan', ...argv], { cwd, env })
  } finally {
    delete process.env.HAILO_STANDIN
  }
}
const summary = (ran: Ran) => readTsv(ran.path('monolithic_full_hef_summary.tsv'))
const onHost = (argv: readonly string[], env: Record<string, string> = {}) =>
  runInProcess(sweep, ['--toolchain', 'host', '--quiet', '--ladder', 'plan', ...argv], { cwd, env })

test('each name, message and scenario of plan 000 holds here', async t => {
  const winner = await withCompiler({ 'mono_f96.*_b1_.*': 'allocator_infeasible' }, ['--from', '9'], {
    HAILO_RUN_TS: '20260223_052929',
  })
  const losers = await withCompiler('allocator_infeasible', ['--from', '9'])
  const host = await onHost(['--from', '10'])
  const calib = join(cwd, 'calibration_1000ms_16k_64.npz')
  const sound = Float32Array.from({ length: 64_000 }, (_, i) => Math.sin(i / 9) / 3)
  await writeNpz(calib, { calib_data: float32([4, 16_000], sound) })
  const byVariables = await withCompiler('success', ['--from', '9'], {
    PROFILE: 'extended',
    CALIB_NPZ: calib,
    HW_ARCH: 'hailo8l',
    QUICK_OPT: '0',
  })
  const model = host.path(runTag(ladderConfigs('plan')[9]!), `${runTag(ladderConfigs('plan')[9]!)}.host_compiled.onnx`)
  const [rung9, rung10] = ladderConfigs('plan')
    .slice(8)
    .map(rung => runTag(rung)) as [string, string]
  const defaults = (book: { sheet: { inputs: object } }) =>
    Object.values(book.sheet.inputs) as { env: string | null; fallback: unknown }[]
  const ofEnv = (book: { sheet: { inputs: object } }, env: string) => defaults(book).find(spec => spec.env === env)

  const table: Record<string, () => unknown> = {
    'HAILO_RUN_TS names the run folder': () => assert.equal(winner.report.run, 'module_runs/20260223_052929'),
    'PROFILE=focused|extended, default focused': () => {
      assert.equal(ofEnv(sweep, 'PROFILE')!.fallback, 'focused')
      assert.deepEqual(
        summary(byVariables).map(row => row.hef_success),
        ['true', 'true'],
      )
    },
    'TIME_LIMIT_MIN default 120': () => assert.equal(ofEnv(sweep, 'TIME_LIMIT_MIN')!.fallback, 120),
    'TIME_LIMIT_MIN used up: every configured case is in the TSV': async () => {
      const ran = await withCompiler('hang', ['--from', '8'], { TIME_LIMIT_MIN: '0.05' })
      assert.deepEqual(
        summary(ran).map(row => row.exception_type),
        ['Timeout', 'NotReached', 'NotReached'],
      )
    },
    'CALIB_NPZ with calib_data': () =>
      assert.equal(byVariables.report.inputs.find(input => input.env === 'CALIB_NPZ')!.from, 'env'),
    'HW_ARCH default hailo8, and passed to every stage': () => {
      assert.equal(ofEnv(sweep, 'HW_ARCH')!.fallback, 'hailo8')
      assert.equal(
        JSON.parse(byVariables.read('report.json')).inputs.find((input: { env: string }) => input.env === 'HW_ARCH')
          .value,
        'hailo8l',
      )
      assert.match(byVariables.read(rung10, `${rung10}_hef.log`) + byVariables.read(rung10, `${rung10}.log`), /hailo8l/)
    },
    'QUICK_OPT default 1; 0 leaves the fine-tuning in the model script': () => {
      assert.equal(ofEnv(sweep, 'QUICK_OPT')!.fallback, true)
      const script = (ran: Ran) =>
        readdirSync(ran.path(rung10))
          .filter(name => name.endsWith('.alls'))
          .map(name => ran.read(rung10, name))
          .join()
      assert.match(script(winner), /finetune, policy=disabled/)
      assert.doesNotMatch(script(byVariables), /finetune/)
    },
    '--input_length_policy error': async () =>
      assert.equal((await onHost(['--from', '10', '--input_length_policy', 'error'])).exit, 0),
    'the ten configurations in their order': () =>
      assert.deepEqual(
        ladderConfigs('plan').map(o => [
          o.nFilters,
          o.bnChan,
          o.hidChan,
          o.skipChan,
          o.nBlocks,
          o.nRepeats,
          o.inputLen,
        ]),
        [
          [256, 128, 256, 128, 2, 1, 16000],
          [256, 96, 192, 96, 2, 1, 16000],
          [256, 64, 128, 64, 2, 1, 16000],
          [192, 64, 128, 64, 2, 1, 16000],
          [128, 64, 128, 64, 2, 1, 16000],
          [128, 48, 96, 48, 2, 1, 16000],
          [128, 32, 64, 32, 2, 1, 16000],
          [96, 32, 64, 32, 2, 1, 16000],
          [96, 24, 48, 24, 1, 1, 16000],
          [64, 24, 48, 24, 1, 1, 16000],
        ],
      ),
    'hard timeout of 12 min for each case': () => assert.equal(monolithicContract().limits.caseTimeoutMin, 12),
    'the 17 columns of monolithic_full_hef_summary.tsv, tabs and CRLF': () =>
      assert.equal(
        winner.read('monolithic_full_hef_summary.tsv').split('\r\n')[0]!.replaceAll('\t', ' '),
        'run_tag n_filters bn_chan hid_chan skip_chan n_blocks n_repeats input_len har_success hef_success ' +
          'exception_type failure_head har_path hef_path har_log hef_log failure_log',
      ),
    'per case *.log, *_hef.log, *.har, *.hef': () => {
      for (const name of [`${rung10}.log`, `${rung10}_hef.log`, `${rung10}.har`, `${rung10}.hef`])
        assert.ok(existsSync(winner.path(rung10, name)), name)
    },
    'compile 1: all configured cases are rows': () =>
      assert.deepEqual(
        summary(losers).map(row => row.run_tag),
        [rung9, rung10],
      ),
    'compile 2: HAR pass and HEF fail leave logs and JSON with non-empty paths': () => {
      const row = summary(losers)[0]!
      assert.deepEqual([row.har_success, row.hef_success], ['true', 'false'])
      for (const path of [row.har_path, row.har_log, row.hef_log, row.failure_log])
        assert.ok(path && existsSync(resolve(cwd, path)), path)
      assert.match(row.failure_log!, /_compile_failure\.txt$/)
      const json = JSON.parse(readFileSync(resolve(cwd, `${row.failure_log}.json`), 'utf8')) as object
      for (const key of ['exception_type', 'exception_message', 'signature', 'negexp', 'reshape_layers'])
        assert.ok(key in json, key)
    },
    'compile 3: the first HEF success marks the winner and ends a focused sweep': () => {
      assert.deepEqual(
        summary(winner).map(row => row.hef_success),
        ['false', 'true'],
      )
      assert.ok(winner.lines.includes(`HEF status: 1/2 ; winner=${rung10}`))
    },
    'compile 4: no HEF success exits non-zero and prints "no monolithic hef success"': () => {
      assert.equal(losers.exit, 1)
      assert.ok(losers.lines.includes('no monolithic hef success'))
    },
    'the four closing lines': () =>
      assert.deepEqual(losers.lines.slice(-6, -2), [
        'HAR status: 2/2',
        'HEF status: 0/2 ; winner=none',
        'Runtime status: fail ; output_dir=none',
        'Next knob: --ladder temporal',
      ]),
    'the next knob in monolithic_full_next_knob.json': () => {
      const {
        run_ts,
        winner: none,
        next_knob,
        profile,
      } = JSON.parse(losers.read('monolithic_full_next_knob.json')) as Record<string, unknown>
      assert.deepEqual(
        [run_ts, none, next_knob, profile],
        [losers.report.run.split('/')[1], null, '--ladder temporal', 'focused'],
      )
    },
    'next-knob order of the plan: hid_chan first': async () => {
      // The outcomes of before, judged in the plan's order.
      const again = ['--from', '9', '--knob', 'plan', '--resume', basename(losers.report.run)]
      const ran = await withCompiler('success', again)
      assert.ok(ran.lines.includes('Next knob: reduce hid_chan: 48 -> 32'))
    },
    'mixed failures: the plan resolves the non-allocator failure first': async () => {
      const ran = await withCompiler({ 'mono_f96.*': 'parse_unsupported_op', 'mono_f64.*': 'allocator_infeasible' }, [
        '--from',
        '9',
        '--knob',
        'plan',
      ])
      assert.match(ran.lines.join('\n'), /Next knob: resolve non-allocator failure first: Unsupported\w+Error/)
    },
    'edge: calibration mismatch marks the case with its shapes': async () => {
      const calib = join(cwd, 'narrow.npz')
      await writeNpz(calib, { calib_data: float32([2, 3200], new Float32Array(6400).fill(0.1)) })
      const row = summary(await withCompiler('success', ['--from', '10'], { CALIB_NPZ: calib }))[0]!
      assert.match(row.failure_head!, /Unsupported calibration shape.*16000.*3200/)
    },
    'edge: a timeout marks exception_type=Timeout': async () => {
      const ran = await withCompiler('hang', ['--from', '10', '--case-timeout-min', '0.04'])
      assert.equal(summary(ran)[0]!.exception_type, 'Timeout')
    },
    'HEF_PATH, MIX_WAV and OUT_DIR: mix.wav, sep_src1.wav, sep_src2.wav and runtime_metrics.json with ok=true':
      async () => {
        const out = join(cwd, 'out')
        const ran = await runInProcess(infer, ['--quiet'], {
          cwd,
          env: { HEF_PATH: model, MIX_WAV: recordingPaths(recordingsFolder, 'ivrvoice-festvox-2').mix, OUT_DIR: out },
        })
        assert.equal(ran.exit, 0, ran.stderr)
        for (const name of ['mix.wav', 'sep_src1.wav', 'sep_src2.wav'])
          assert.equal(readWav(join(out, name)).info.frames, 96_000)
        const metrics = JSON.parse(readFileSync(join(out, 'runtime_metrics.json'), 'utf8')) as Record<string, unknown>
        assert.equal(metrics.ok, true)
        const keys = [
          'device_info',
          'input_samples',
          'output_samples',
          'output_samples_src1',
          'output_samples_src2',
          'latency_ms',
          'rtf',
          'sample_rate',
          'hef',
          'mix_wav',
          'input_stream',
          'output_stream',
        ]
        for (const key of keys) assert.ok(key in metrics, key)
        assert.ok(ran.lines.includes(`Runtime status: pass ; output_dir=${out}`), ran.stdout)
      },
    'LIBRIMIX_ROOT: a mixture is picked, and its clean voices are used': async () => {
      const root = join(cwd, 'LibriMix')
      const test16k = join(root, 'Libri2Mix/wav16k/min/test')
      const { mix, s1, s2 } = recordingPaths(recordingsFolder, 'ivrvoice-festvox-1')
      for (const [folder, path] of [
        ['mix_clean', mix],
        ['s1', s1],
        ['s2', s2],
      ] as const) {
        mkdirSync(join(test16k, folder), { recursive: true })
        cpSync(path, join(test16k, folder, 'a.wav'))
      }
      const ran = await runInProcess(infer, ['--model', model, '--quiet'], { cwd, env: { LIBRIMIX_ROOT: root } })
      const metrics = JSON.parse(ran.read('runtime_metrics.json')) as { mix_wav: string; si_sdri_db: number }
      assert.ok(metrics.mix_wav.endsWith('mix_clean/a.wav'))
      assert.equal(typeof metrics.si_sdri_db, 'number')
    },
    'runtime 1: a missing runtime says what to install instead of pyhailort/hailo_platform, with ok=false':
      async () => {
        const ran = await runInProcess(infer, ['--model', winner.path(rung10, `${rung10}.hef`)], { cwd })
        assert.equal(ran.exit, 3)
        assert.match(ran.stderr, /install it .*export HAILORT_LIB=.*pyhailort\/hailo_platform, is not needed/)
        assert.equal(JSON.parse(ran.read('runtime_metrics.json')).ok, false)
      },
    'runtime 2: a stream mismatch lists the names that there are, and a flag chooses': async () => {
      const graph = new GraphBuilder({ name: 'two' })
      for (const name of ['left', 'right']) graph.input(name, 'float32', [1, 1, 1, 16_000])
      graph.node('Add', ['left', 'right'], { output: 'sum' })
      graph.output('sum', 'float32', [1, 1, 1, 16_000])
      const path = join(cwd, 'mono_f1_bn1_hid1_skip1_b1_r1_t16000.onnx')
      writeFileSync(path, encodeModel(graph.build()))
      const ran = await runInProcess(infer, ['--model', path], { cwd })
      assert.equal(ran.exit, 2)
      assert.match(ran.stderr, /left float32\[1, 1, 1, 16000\], right float32\[1, 1, 1, 16000\][\s\S]*--input/)
    },
    'runtime 3 and edge: a very long recording is processed in windows': async () => {
      const long = join(cwd, 'long.wav')
      const mix = readWav(recordingPaths(recordingsFolder, 'ivrvoice-festvox-1').mix).channels[0]!
      writeWav(long, [Float32Array.from({ length: 20 * 16_000 }, (_, i) => mix[i % mix.length]!)], {
        sampleRate: 16_000,
      })
      const ran = await runInProcess(infer, ['--model', model, '--mix-wav', long, '--quiet'], { cwd })
      const metrics = JSON.parse(ran.read('runtime_metrics.json')) as {
        ok: boolean
        windows: number
        output_samples: number
      }
      assert.equal(metrics.ok, true)
      assert.ok(metrics.windows >= 20)
      assert.equal(metrics.output_samples, 320_000)
    },
  }
  for (const [what, check] of Object.entries(table)) await t.test(what, async () => void (await check()))
})
