/** The rows of the field that take a whole run. Each is told of in `cases.tsv`, and is run here on a small model. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { shellWord } from '../../base/text.ts'
import { reportIn, startRun } from './started-run.ts'
import { writeTinyModels } from './tiny-models.ts'
import { writeModel } from '../../formats/onnx/index.ts'
import { filesIn } from '../../host/files.ts'
import { readTsv } from '../../host/tsv.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { installHailoStandin } from '../../testing/hailo-program/install-standin.ts'
import { namespaceWords } from '../../testing/needs.ts'

function scratch(t: TestContext): { folder: string; model: string } {
  const folder = mkdtempSync(join(tmpdir(), 'field-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { folder, model: writeTinyModels(folder, 1)[0]! }
}

/** Run a sweep of one model to its end. */
async function sweep(o: { outDir: string; ts: string; argv: readonly string[]; before?: readonly string[] }) {
  const run = startRun('monolithic-sweep', o)
  const ended = await run.ended
  const rows = existsSync(join(run.folder, 'models_summary.tsv')) ? readTsv(join(run.folder, 'models_summary.tsv')) : []
  return { ...ended, folder: run.folder, row: rows[0] }
}

test('telemetry-queue: a sweep queues nothing for upload', async t => {
  const { folder, model } = scratch(t)
  const home = join(folder, 'home')
  mkdirSync(home)
  const argv = ['--model', model, '--toolchain', 'host', '--no-cache']
  const { verdict } = await sweep({ outDir: folder, ts: 'r', argv, before: ['env', `HOME=${home}`] })
  assert.equal(verdict, 'PASS')
  assert.deepEqual(
    filesIn(folder).filter(name => /microsoft|onnxruntime\.db|deviceid|:memory:/i.test(name)),
    [],
  )
})

test('resume-cut-model: a case whose artefact is cut, gone or longer is run again', async t => {
  const { folder, model } = scratch(t)
  const argv = ['--model', model, '--toolchain', 'host', '--no-cache']
  const first = await sweep({ outDir: folder, ts: 'first', argv })
  const compiled = join(first.folder, 'tiny-1/tiny-1.host_compiled.onnx')
  const whole = readFileSync(compiled)
  for (const how of ['cut', 'longer', 'gone'] as const) {
    if (how === 'gone') rmSync(compiled)
    else writeFileSync(compiled, how === 'cut' ? whole.subarray(0, 300) : Buffer.concat([whole, Buffer.from('more')]))
    const second = await sweep({ outDir: folder, ts: how, argv: [...argv, '--resume', 'first'] })
    assert.equal(second.verdict, 'PASS', second.said)
    assert.doesNotMatch(second.said, /taken from the earlier run/)
    assert.equal(readFileSync(join(second.folder, 'tiny-1/tiny-1.host_compiled.onnx')).length, whole.length)
  }
})

test('one-edit-changes-two-runs: an edit in a resumed run leaves the earlier one as it was', async t => {
  const { folder, model } = scratch(t)
  const argv = ['--model', model, '--toolchain', 'host']
  const first = await sweep({ outDir: folder, ts: 'first', argv })
  const second = await sweep({ outDir: folder, ts: 'second', argv: [...argv, '--resume', 'first'] })
  assert.match(second.said, /taken from the earlier run/)
  const names = filesIn(join(first.folder, 'tiny-1'))
  const before = names.map(name => readFileSync(join(first.folder, 'tiny-1', name), 'latin1'))
  for (const name of filesIn(join(second.folder, 'tiny-1'))) appendFileSync(join(second.folder, 'tiny-1', name), 'note')
  assert.deepEqual(
    names.map(name => readFileSync(join(first.folder, 'tiny-1', name), 'latin1')),
    before,
  )
  const third = await sweep({ outDir: folder, ts: 'third', argv: [...argv, '--no-cache', '--resume', 'second'] })
  assert.doesNotMatch(third.said, /taken from the earlier run/)
})

const space = namespaceWords()
test(
  'cache-knows-no-gpu: a failure for want of a GPU is not answered from the cache when one is there',
  { skip: 'why' in space ? `disk: ${space.why}` : false },
  async t => {
    if ('why' in space) return
    const { folder, model } = scratch(t)
    const { program } = installHailoStandin(join(folder, 'dfc'), { wheel: '3.33.0' })
    const real = readFileSync(program, 'utf8')
    const lacks = '[ -d /proc/driver/nvidia/gpus ] || export HAILO_STANDIN=allocator_infeasible'
    writeFileSync(program, real.replace('\n', `\n${lacks}\n`))
    const withGpu = `
mount -t tmpfs tmpfs /proc/driver && mkdir -p /proc/driver/nvidia/gpus/0 || exit 99
echo "Model: NVIDIA T4" > /proc/driver/nvidia/gpus/0/information
exec "$@"`
    const argv = ['--model', model, '--dfc', join(folder, 'dfc'), '--compile-only']
    const before = [...space.words, 'sh', '-c', withGpu, 'sh']
    const status = [
      await sweep({ outDir: folder, ts: 'a', argv }),
      await sweep({ outDir: folder, ts: 'b', argv, before }),
      await sweep({ outDir: folder, ts: 'c', argv: [...argv, '--no-cache'], before }),
      await sweep({ outDir: folder, ts: 'd', argv }),
    ].map(({ row, said }) => [row?.status ?? said, /from the cache/.test(said)])
    assert.deepEqual(status, [
      ['failed', false],
      ['succeeded', false],
      ['succeeded', false],
      ['failed', true],
    ])
  },
)

test('next-is-not-quoted: the command that a sweep proposes runs in any folder', async t => {
  const { folder } = scratch(t)
  const model = join(folder, "it's a $model #1.onnx")
  const graph = new GraphBuilder({ name: 'odd' })
  const x = graph.input('x', 'float32', [1, 4])
  graph.output(graph.node('NoSuchOperator', [x]), 'float32', [1, 4])
  writeModel(model, graph.build())
  const outDir = join(folder, 'runs of #1')
  const { verdict } = await sweep({ outDir, ts: 'a', argv: ['--model', model, '--toolchain', 'host', '--no-cache'] })
  assert.equal(verdict, 'FAIL')
  const { next } = reportIn(join(outDir, 'a'))!
  const root = join(import.meta.dirname, '../../..')
  const { status, stdout } = spawnSync('bash', ['-c', `cd ${shellWord(root)} && ${next}`], { encoding: 'utf8' })
  assert.ok(status === 0 || status === 1, `exit ${status} of ${next}\n${stdout}`)
  assert.match(stdout, /^(PASS|FAIL) explain-log /m)
})
