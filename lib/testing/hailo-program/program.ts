/**
 * A stand-in for Hailo's `hailo` program: the same words, files and faults, and no compiler.
 *
 * `install-standin.ts` writes a launcher for it. `HAILO_STANDIN` chooses how it ends (`scenarios.ts`). It reads
 * the ONNX and the calibration for real and refuses what does not fit, so that a wrong flag or a wrong layout fails a
 * test. Its HAR is JSON behind a magic word, not the tar file of the real one.
 */
import { spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeHef as encodeHef, type HefDescription } from '../hef/write.ts'
import type { ModelProto } from '../../formats/onnx/index.ts'
import { decodeNpy } from '../../formats/tensors/npy.ts'
import { End, say } from './end.ts'
import { checkNode, inputShapeFrom, outputShapeFrom, readOnnx } from './graph.ts'
import { complaints, fateOf, type Fate, type StandinStage, type Twist } from './scenarios.ts'
import { parseWords, usageOf, type Words } from './words.ts'

interface Har {
  readonly netName: string
  readonly hwArch: string
  readonly state: 'translated' | 'quantized' | 'compiled'
  /** [1, height, width, channels]. */
  readonly inputShape: readonly number[]
  /** The same of the output. */
  readonly outputShape: readonly number[]
}

const harMagic = 'HAR-STAND-IN\n'
const writeHar = (path: string, har: Har) => {
  writeFileSync(path, `${harMagic}${JSON.stringify(har)}`)
  say(`[info] Saved HAR to: ${path}`)
}

function readHar(path: string): Har {
  const text = readFileSync(path, 'utf8')
  if (!text.startsWith(harMagic)) throw new End(1, `ValueError: ${path} is not a HAR`)
  return JSON.parse(text.slice(harMagic.length)) as Har
}

/** The device is chosen at each step, and a network parsed for one does not become one for another. */
function checkArch(har: Har, words: Words): void {
  const asked = words.one('hw-arch')
  if (har.hwArch !== asked) throw new End(1, `[error] The HAR is for ${har.hwArch}, and --hw-arch is ${asked}`)
}

const twistAt = (fate: Fate, stage: StandinStage): Twist | null =>
  fate !== null && 'twist' in fate && fate.stage === stage ? fate.twist : null

/** Fates that strike whatever the stage was about to make. */
async function strike(fate: Fate, stage: StandinStage, netName: string): Promise<void> {
  if (fate?.stage !== stage) return
  if ('complaint' in fate) throw new End(1, fate.complaint.text.replaceAll('{net}', netName))
  if (fate.twist === 'crash') process.kill(process.pid, 'SIGSEGV')
  if (fate.twist === 'killed') process.kill(process.pid, 'SIGKILL')
  if (fate.twist === 'crash' || fate.twist === 'killed') await sleep(10_000)
  if (fate.twist === 'oom') throw new End(137)
  if (fate.twist === 'hang') await hang()
  if (fate.twist === 'slow') await crawl()
}

/**
 * `trap` leaves TERM ignored in what the shell runs, too. The numbers of all three are written down for the test to
 * look for.
 */
async function hang(): Promise<void> {
  process.on('SIGTERM', () => {})
  const deaf = ['-c', 'trap "" TERM; sleep 120 & wait']
  const [near, far] = [spawn('sh', deaf, { stdio: 'ignore' }), spawn('sh', deaf, { stdio: 'ignore', detached: true })]
  writeFileSync('hanging.json', JSON.stringify([process.pid, near.pid, far.pid]))
  await sleep(120_000)
}

async function crawl(): Promise<void> {
  for (let percent = 0; percent <= 100; percent += 20) {
    process.stdout.write(`\r[info] Progress: ${percent}%|`)
    await sleep(150)
  }
  say('')
}

async function parser(words: Words): Promise<void> {
  const netName = words.one('net-name')
  const fate = fateOf(process.env.HAILO_STANDIN, netName)
  if (!words.has('y'))
    await ask('Some nodes could be left out. Would you like to parse again with the recommendation? (y/n) ')
  say(`[info] Translation started on ONNX model ${netName}`)
  const model = readOnnx(words.positional[0]!)
  say(`[info] Restored ONNX model ${netName} (completion time: 00:00:00.05)`)
  await strike(fate, 'parse', netName)
  const [start, ends] = [words.one('start-node-names'), words.many('end-node-names')]
  for (const name of [start, ...ends]) checkNode(model, name, start)
  const inputShape = inputShapeFrom(model, words.one('tensor-shapes'), start)
  const twist = twistAt(fate, 'parse')
  const startedAt = twist === 'wrong_start_node' ? model.graph.node[0]!.name : start
  say(`[info] Start nodes mapped from original model: '${startedAt}': '${netName}/input_layer1'.`)
  tellEnds(model, ends, twist)
  say(`[info] Translation completed on ONNX model ${netName} (completion time: 00:00:00.21)`)
  appendFileSync('hailo_sdk.client.log', `parsed ${netName}\n`)
  if (twist === 'nothing') return
  if (twist === 'empty') return writeFileSync(words.one('har-path'), '')
  writeHar(words.one('har-path'), {
    netName,
    hwArch: words.one('hw-arch'),
    state: 'translated',
    inputShape,
    outputShape: outputShapeFrom(model),
  })
}

async function ask(question: string): Promise<void> {
  process.stdout.write(question)
  const answer = await new Promise<string>(answered => {
    process.stdin.once('data', data => answered(String(data)))
    process.stdin.once('end', () => answered(''))
  })
  if (answer === '') throw new End(1, '\nEOFError: EOF when reading a line')
}

function tellEnds(model: ModelProto, asked: readonly string[], twist: Twist | null): void {
  if (twist === 'silent_end_nodes') return
  const isCut = twist === 'wrong_end_nodes'
  const last = model.graph.node.findIndex(node => node.name === asked[0])
  const ends = isCut ? [model.graph.node[Math.max(0, last - 1)]!.name] : asked
  if (isCut) {
    say(
      `[info] UnsupportedShuffleLayerError in op ${asked[0]}: ` +
        `Failed to determine type of layer to create in node ${asked[0]}`,
    )
    say(`[info] According to recommendations, retrying parsing with end node names: ['${ends[0]}'].`)
  }
  say(`[info] End nodes mapped from original model: ${ends.map(name => `'${name}'`).join(', ')}.`)
}

async function optimize(words: Words): Promise<void> {
  const har = readHar(words.positional[0]!)
  const fate = fateOf(process.env.HAILO_STANDIN, har.netName)
  checkArch(har, words)
  if (words.has('model-script')) checkScript(har, words.one('model-script'))
  say('[info] Starting Model Optimization')
  const count = checkCalibration(har, words.one('calib-set-path'))
  if (count < 1024)
    say("[warning] Reducing optimization level to 0 because there's less data than the recommended amount (1024)")
  say(`[info] Using dataset with ${count} entries for calibration`)
  for (const percent of [25, 50, 100]) process.stdout.write(`\rCalibration: ${percent}%|${'#'.repeat(percent / 5)}|`)
  say('')
  await strike(fate, 'optimize', har.netName)
  say('[info] Model Optimization Algorithm Statistics Collector is done (completion time is 00:00:01.20)')
  say('[info] output_layer1 SNR:\t21.500 dB')
  say('[info] Model Optimization is done')
  const twist = twistAt(fate, 'optimize')
  if (twist === 'nothing') return
  if (twist === 'empty') return writeFileSync(words.one('output-har-path'), '')
  writeHar(words.one('output-har-path'), { ...har, state: 'quantized' })
}

function checkScript(har: Har, path: string): void {
  say(`[info] Loading model script commands to ${har.netName} from ${path}`)
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line.trim() !== '')
  const odd = lines.find(line => !/^\w[\w, ={}/]*\(.*\)$/.test(line.trim()))
  if (odd !== undefined) throw new End(1, `AllocatorScriptParserException: Invalid line in the model script: ${odd}`)
}

function checkCalibration(har: Har, path: string): number {
  const { shape, dtype } = decodeNpy(readFileSync(path))
  const [count = 0, ...sample] = shape
  const wanted = har.inputShape.slice(1)
  if (sample.join() === wanted.join() && dtype === 'float32' && count > 0) return count
  const layer = `${har.netName}/input_layer1`
  const given = `Data shape (${sample.join(', ')}) for layer ${layer}`
  throw new End(1, `BadInputsShape: ${given} doesn't match network's input shape (${wanted.join(', ')})`)
}

async function compiler(words: Words): Promise<void> {
  const har = readHar(words.positional[0]!)
  const fate = fateOf(process.env.HAILO_STANDIN, har.netName)
  checkArch(har, words)
  if (har.state === 'translated') throw new End(1, complaints.har_not_optimized!.text)
  for (const name of ['allocator.log', 'hailo_sdk.client.log']) appendFileSync(name, `compiling ${har.netName}\n`)
  say('[info] Starting Hailo allocation and compilation flow')
  say('[info] Trying to compile the network in a single context')
  say('[info] Single context flow failed: Recoverable single context error')
  say('[info] Using Multi-context flow')
  process.stdout.write('\rIterating 10%\rIterating 60%\rIterating 100%\n')
  await strike(fate, 'compile', har.netName)
  say('[info] Found valid partition to 2 contexts')
  say('[info] Partitioner finished after 3 iterations, Time it took: 1s 12ms')
  say('┌───────────┬─────────┬────────┐\n│ Cluster   │ Control │ Memory │')
  say('│ cluster_0 │ 62.5%   │ 41.4%  │\n└───────────┴─────────┴────────┘')
  say('[info] Successful Mapping (allocation time: 2s)')
  say('[info] Successful Compilation (compilation time: 1s)')
  writeHef(words.one('output-dir'), har, twistAt(fate, 'compile'))
  writeHar(words.one('output-har-path'), { ...har, state: 'compiled' })
}

function writeHef(folder: string, har: Har, twist: Twist | null): void {
  const inside = twist === 'hef_in_subfolder' ? join(folder, har.netName) : folder
  mkdirSync(inside, { recursive: true })
  const { netName } = har
  const names: Partial<Record<Twist, string[]>> = {
    nothing: [],
    two_hefs: [netName, `${netName}_b`],
    hef_named_otherwise: ['model_scope1'],
  }
  const content = twist === 'empty' ? '' : twist === 'wrong_magic' ? 'PK\x03\x04' : hefFrom(har)
  for (const name of (twist && names[twist]) ?? [netName]) writeFileSync(join(inside, `${name}.hef`), content)
}

/** A whole HEF of one input and one output, with nothing in it that computes. */
function hefFrom({ netName, hwArch, inputShape, outputShape }: Har): Uint8Array {
  const stream = (name: string, [, height = 1, width = 1, features = 1]: readonly number[]) => ({
    name: `${netName}/${name}`,
    shape: { height, width, features },
  })
  return encodeHef({
    arch: hwArch as HefDescription['arch'],
    groups: [{ name: netName, inputs: [stream('input_layer1', inputShape)], outputs: [stream('conv1', outputShape)] }],
  })
}

/** What it prints before anything else, whatever is asked. */
function banner(argv: readonly string[]): void {
  const setting = process.env.HAILO_STANDIN
  if (setting === 'broken') throw new End(1, "Traceback:\nModuleNotFoundError: No module named 'hailo_sdk_client'")
  if (setting === 'hailort' && argv[0] !== '--version') {
    const usage = 'usage: hailo [-h] {fw-control,run,scan,parse-hef} ...'
    throw new End(
      2,
      `${usage}\nhailo: error: argument cmd: invalid choice: '${argv[0]}' (choose from 'fw-control', 'run')`,
    )
  }
  if (setting !== 'unversioned') say('[info] Hailo DFC Version: 3.33.0')
  say('[info] HailoRT Version: 4.23.0')
  say('[info] PCIe: No Hailo PCIe device was found')
  say(`[info] Running \`hailo ${argv.join(' ')}\``)
}

async function main(argv: readonly string[]): Promise<void> {
  banner(argv)
  const isOld = process.env.HAILO_STANDIN === 'old_flags'
  const [command = ''] = argv
  if (argv.includes('--help') || argv.includes('-h')) return void say(usageOf(command))
  if (command === '--version') return
  const parsed = parseWords(argv, isOld ? ['tensor-shapes'] : [])
  if (typeof parsed === 'string') throw new End(2, parsed)
  await { parser, optimize, compiler }[parsed.command](parsed)
}

if (import.meta.filename === process.argv[1]) {
  try {
    await main(process.argv.slice(2))
  } catch (thrown) {
    const end = thrown instanceof End ? thrown : new End(70, (thrown as Error).stack)
    if (end.message !== '') process.stderr.write(`${end.message}\n`)
    process.exit(end.exitCode)
  }
}
