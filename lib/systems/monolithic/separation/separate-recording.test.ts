import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { countOpens } from '../../../testing/files/opens.ts'
import { smallHef } from '../../../testing/hef/samples.ts'
import { readWav, writeWav } from '../../../formats/wav/index.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { resampler } from '../../../signal/resample.ts'
import {
  diskOf,
  forked,
  layout,
  modelFile,
  relativeError,
  sampleRate,
  scratch,
  tinyModel,
  tinyOptions,
  voice,
  wavFile,
} from '../../../testing/infer/fixtures.ts'
import { openRecording } from '../pick-recording.ts'
import { modelFacts } from './model-facts.ts'
import { metricsName } from './runtime-metrics.ts'
import { separateRecording, type SeparationJob } from './separate-recording.ts'

const mixOf = (mix: string, references: readonly string[] | null = null): SeparationJob['recording'] => ({
  mix,
  references,
  from: 'MIX_WAV',
})
/**
 * Whether a file is an ONNX model that can be read; tests of files that cannot are about the separation's own words.
 */
const isWhole = (path: string) => {
  try {
    return modelFacts(path).assumed.length >= 0
  } catch {
    return false
  }
}
const jobOf = (over: Partial<SeparationJob> = {}): SeparationJob => {
  const modelPath = over.modelPath ?? tinyModel()
  return {
    modelPath,
    backend: 'auto',
    recording: mixOf(wavFile([voice(2003)])),
    folder: scratch(),
    sampleRate,
    layout,
    ...(over.haloFrames === undefined && isWhole(modelPath) ? { haloFrames: modelFacts(modelPath).haloFrames } : {}),
    signal: new AbortController().signal,
    ...over,
  }
}
const metricsOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, metricsName), 'utf8')) as Record<string, unknown>

/** Expect one clear error, metrics that say the same, and not the beginning of a sound file. */
async function refused(over: Partial<SeparationJob>, want: { exit: string; message: RegExp; hint?: RegExp }) {
  const job = jobOf(over)
  await assert.rejects(separateRecording(job), { name: 'RunbookError', ...want })
  const metrics = metricsOf(job.folder)
  assert.equal(metrics.ok, false)
  assert.match(String(metrics.reason), want.message)
  assert.deepEqual(metrics.files, [])
  assert.deepEqual(readdirSync(job.folder), [metricsName])
  return metrics
}

test('separateRecording() writes mixture, sources and metrics with every key of the plan', async () => {
  const job = jobOf()
  const { metrics, files } = await separateRecording(job)
  assert.deepEqual(readdirSync(job.folder).toSorted(), [
    'mix.wav',
    'runtime_metrics.json',
    'sep_src1.wav',
    'sep_src2.wav',
  ])
  assert.deepEqual(metricsOf(job.folder), JSON.parse(JSON.stringify(metrics)))
  const {
    ok,
    reason,
    hef,
    mix_wav: mixWav,
    input_samples: inputSamples,
    output_samples: outputSamples,
    sample_rate: rate,
  } = metrics
  assert.deepEqual(
    [ok, reason, hef, mixWav, inputSamples, outputSamples, rate],
    [true, null, job.modelPath, job.recording.mix, 2003, 2003, sampleRate],
  )
  assert.deepEqual([metrics.output_samples_src1, metrics.output_samples_src2, metrics.sources], [2003, 2003, 2])
  assert.deepEqual(
    [metrics.input_stream, metrics.output_stream, metrics.window_samples, metrics.halo_samples],
    ['input', 'output', 400, 32],
  )
  assert.match(metrics.device_info, /^cpu/)
  assert.deepEqual(metrics.files, ['mix.wav', 'sep_src1.wav', 'sep_src2.wav'])
  for (const path of [files.mix, ...files.sources]) assert.equal(readWav(path).info.frames, 2003)
})

test('separateRecording() opens the mixture once, and not at all where it is open already', async () => {
  using opens = countOpens()
  const job = jobOf()
  const first = await separateRecording(job)
  assert.equal(opens.of(job.recording.mix), 1)
  const again = jobOf({ recording: job.recording })
  using opened = openRecording(job.recording, sampleRate)
  const { files } = await separateRecording({ ...again, source: opened.source })
  assert.equal(opens.of(job.recording.mix), 2)
  assert.deepEqual(readWav(files.sources[0]!).channels, readWav(first.files.sources[0]!).channels)
  using slower = openRecording(job.recording, sampleRate / 2)
  await separateRecording({ ...jobOf({ recording: job.recording }), source: slower.source })
  assert.equal(opens.of(job.recording.mix), 4, 'one that was opened at another rate is opened again')
})

test('separateRecording() times loading, configuring and inferring apart, and its ratios are theirs', async () => {
  const { metrics } = await separateRecording(jobOf({ recording: mixOf(wavFile([voice(16_000)])) }))
  assert.ok(metrics.load_ms > 0 && metrics.configure_ms > 0 && metrics.infer_ms > 0)
  assert.equal(metrics.latency_ms, metrics.latency_ms_p50)
  assert.ok(metrics.latency_ms_p95 >= metrics.latency_ms_p50 && metrics.latency_ms_p95 <= metrics.infer_ms)
  assert.ok(metrics.windows * metrics.latency_ms_p50 <= 2 * metrics.infer_ms)
  assert.ok(Math.abs(metrics.rtf - metrics.infer_ms / 1000) < 1e-5, 'the recording is one second long')
  assert.ok(metrics.rtf_wall > metrics.rtf)
})

test('separateRecording() gives sources that add up to the mixture, as the seeded weights promise', async () => {
  for (const decoderMode of ['polyphase', 'deconv'] as const) {
    const { metrics, files } = await separateRecording(jobOf({ modelPath: tinyModel({ decoderMode }) }))
    assert.ok(metrics.mixture_consistency_db > 100, `${decoderMode}: ${metrics.mixture_consistency_db} dB`)
    const [mix, one, two] = [files.mix, ...files.sources].map(path => readWav(path).channels[0]!)
    assert.ok(
      relativeError(
        one!.map((value, i) => value + two![i]!),
        mix!,
      ) < 3e-4,
    )
  }
})

test('separateRecording() scores against references, and finds which source is which', async () => {
  const [a, b] = [voice(4000), voice(4000, 11)]
  const references = [a, b].map(samples => wavFile([samples], { encoding: 'float32' }))
  const mix = wavFile([a.map((value, i) => value + b[i]!)], { encoding: 'float32' })
  const { metrics } = await separateRecording(jobOf({ recording: mixOf(mix, references) }))
  assert.deepEqual(metrics.references, references)
  assert.equal(metrics.permutation!.toSorted().join(), '0,1')
  const gain = metrics.si_sdr_db!.reduce((sum, db, i) => sum + db - metrics.input_si_sdr_db![i]!, 0) / 2
  assert.ok(Math.abs(metrics.si_sdri_db! - gain) < 1e-9)
})

test('separateRecording() says that it scored nothing when the model has another number of sources', async () => {
  const reference = wavFile([voice(500)])
  const job = jobOf({
    modelPath: tinyModel({ forceNSrc1: true }),
    recording: mixOf(wavFile([voice(500)]), [reference, reference]),
  })
  const { metrics } = await separateRecording(job)
  assert.deepEqual(
    [metrics.sources, metrics.references, metrics.si_sdr_db, metrics.output_samples_src2],
    [1, null, null, 0],
  )
  assert.deepEqual(metrics.files, ['mix.wav', 'sep_src1.wav'])
})

test('separateRecording() mixes down and resamples as its metrics say', async () => {
  const [left, right] = [voice(44_100), new Float32Array(44_100)]
  const job = jobOf({ recording: mixOf(wavFile([left, right], { sampleRate: 44_100, encoding: 'float32' })) })
  const { metrics, files } = await separateRecording(job)
  const oracle = resampler({ fromHz: 44_100, toHz: 16_000 })
  const want = oracle.push(left.map(value => value / 2))
  assert.deepEqual(
    [metrics.mixdown, metrics.recording_rate, metrics.recording_channels, metrics.input_samples],
    ['mean of 2 channels', 44_100, 2, 16_000],
  )
  assert.equal(metrics.resampling, `44100 to 16000 Hz, ${oracle.method}`)
  const { info, channels } = readWav(files.mix)
  assert.equal(info.sampleRate, 16_000)
  assert.ok(relativeError(channels[0]!.subarray(0, want.length), want) < 3e-4)
})

test('separateRecording() takes a recording of one sample, and one of exactly a window', async () => {
  for (const length of [1, 400]) {
    const { metrics } = await separateRecording(jobOf({ recording: mixOf(wavFile([voice(length).map(() => 0.25)])) }))
    assert.deepEqual([metrics.output_samples, metrics.windows], [length, 1])
  }
})

test('separateRecording() takes the streams that are named, and says which inputs got zeros', async () => {
  const modelPath = modelFile(forked(400))
  const streams = { modelPath, haloFrames: 0, input: 'sound', output: 'loud' }
  const { metrics, files } = await separateRecording(jobOf(streams))
  assert.deepEqual([metrics.input_stream, metrics.output_stream, metrics.zero_inputs], ['sound', 'loud', ['bias']])
  assert.deepEqual(
    readFileSync(files.sources[0]!),
    readFileSync(files.mix),
    'the output "loud" is the sound plus a bias of nothing',
  )
  await refused(
    { ...streams, input: undefined },
    { exit: 'usage', message: /the model has 2 inputs: sound float32/, hint: /--input/ },
  )
  await refused(
    { ...streams, output: 'x' },
    { exit: 'usage', message: /there is no output "x": quiet float32\[1, 2, 1, 400\], loud/, hint: /--output/ },
  )
})

test('separateRecording() refuses a model at the latent rate', async () => {
  const metrics = await refused(
    { modelPath: tinyModel({ decoderMode: 'conv1x1_head' }) },
    { exit: 'usage', message: /latent rate/, hint: /--decoder polyphase/ },
  )
  assert.deepEqual([metrics.input_samples, metrics.latency_ms], [2003, null], 'it had opened the recording')
  assert.match(String(metrics.hint), /--decoder polyphase/)
})

test('separateRecording() is blocked by what is absent: the model, the recording, the runtime of a HEF', async () => {
  await refused({ modelPath: join(scratch(), 'no.onnx') }, { exit: 'blocked', message: /no\.onnx": ENOENT/ })
  await refused({ recording: mixOf(join(scratch(), 'no.wav')) }, { exit: 'blocked', message: /no\.wav": ENOENT/ })
  const hef = join(scratch(), 'model.hef')
  writeFileSync(hef, smallHef())
  await refused(
    { modelPath: hef },
    {
      exit: 'blocked',
      message: /Cannot open HailoRT/,
      hint: /install it .*export HAILORT_LIB=.*pyhailort\/hailo_platform, is not needed/,
    },
  )
})

test('separateRecording() refuses a bad recording with one clear error', async () => {
  const cut = wavFile([voice(1000)])
  truncateSync(cut, 1000)
  const text = join(scratch(), 'text.wav')
  writeFileSync(text, 'RIFF no sound')
  const odd = wavFile([voice(1000)], { encoding: 'float32' })
  const bytes = readFileSync(odd)
  bytes.writeFloatLE(Number.NaN, bytes.length - 40)
  writeFileSync(odd, bytes)
  const empty = join(scratch(), 'empty.wav')
  writeFileSync(empty, readFileSync(cut).subarray(0, 40))
  const sound = voice(300)
  const cases: [string, RegExp][] = [
    [cut, /cut short/],
    [text, /Cannot read/],
    [odd, /sample 990 of channel 0 is NaN/],
    [empty, /Cannot read/],
    [scratch(), /it is a folder/],
    [wavFile([new Float32Array(5000)]), /it is silent/],
    [wavFile([sound, sound.map(value => -value)], { encoding: 'float32' }), /it is silent, or its channels cancel/],
  ]
  for (const [path, message] of cases) await refused({ recording: mixOf(path) }, { exit: 'usage', message })
})

test('separateRecording() takes nothing away when NaN stands late in a long recording', async () => {
  const odd = wavFile([voice(50_000)], { encoding: 'float32' })
  const bytes = readFileSync(odd)
  bytes.writeFloatLE(Infinity, bytes.length - 4)
  writeFileSync(odd, bytes)
  let windows = 0
  const metrics = await refused(
    { recording: mixOf(odd), onWindow: () => void windows++ },
    { exit: 'usage', message: /sample 49999 of channel 0 is Infinity/ },
  )
  assert.ok(windows > 50)
  assert.equal(metrics.input_samples, 50_000)
})

test('separateRecording() fails when the model answers NaN', async () => {
  const o = tinyOptions()
  const graph = convTasNetGraph(o)
  const weight = graph.graph.initializer.find(({ name }) => name === 'decoder.weight')!
  weight.rawData = Buffer.from(weight.rawData!)
  new DataView(weight.rawData.buffer, weight.rawData.byteOffset).setFloat32(0, Number.NaN, true)
  await refused(
    { modelPath: modelFile(graph) },
    { exit: 'fail', message: /Cannot use the answer of "output": value \d+ .* is NaN/ },
  )
})

test('separateRecording() refuses a model that is cut short, and a halo that leaves nothing', async () => {
  const cut = tinyModel()
  truncateSync(cut, 2000)
  await refused({ modelPath: cut }, { exit: 'usage', message: /it is not a whole ONNX model/ })
  await refused({ haloFrames: 26 }, { exit: 'usage', message: /a halo of 26 on both sides leaves nothing/ })
})

test('separateRecording() refuses references of another length', async () => {
  const references = [wavFile([voice(2003)]), wavFile([voice(2002)])]
  await refused(
    { recording: mixOf(wavFile([voice(2003)]), references) },
    { exit: 'usage', message: /it has 2002 samples at 16000 Hz, the mixture 2003/ },
  )
})

test('separateRecording() says how far it came when it is interrupted', async () => {
  const controller = new AbortController()
  const onWindow = (done: number) => {
    if (done === 2) controller.abort('SIGINT')
  }
  const job = jobOf({ signal: controller.signal, onWindow })
  await assert.rejects(separateRecording(job), { exit: 'interrupted' })
  const metrics = metricsOf(job.folder)
  assert.deepEqual([metrics.ok, metrics.reason, metrics.sources], [false, 'interrupted (SIGINT)', 2])
  assert.deepEqual(readdirSync(job.folder), [metricsName])
})

test('separateRecording() never writes over the recording or a reference, however it is named', async () => {
  const folder = scratch()
  const mix = wavFile([voice(500), voice(500)], { path: join(folder, 'mix.wav'), sampleRate: 44_100 })
  const before = readFileSync(mix)
  const link = join(scratch(), 'link.wav')
  symlinkSync(mix, link)
  const other = join(scratch(), 'other')
  symlinkSync(folder, other)
  for (const [from, to] of [
    [mix, folder],
    [link, folder],
    [mix, other],
    [join(folder, '..', folder.split('/').at(-1)!, 'mix.wav'), folder],
  ] as const) {
    await assert.rejects(separateRecording(jobOf({ recording: mixOf(from), folder: to })), {
      exit: 'usage',
      message: /it is the recording itself/,
      hint: /--audio-dir/,
    })
    assert.deepEqual(readFileSync(mix), before)
  }
  const voices = ['sep_src1', 'sep_src2'].map(name => wavFile([voice(500)], { path: join(scratch(), `${name}.wav`) }))
  const job = jobOf({ recording: mixOf(wavFile([voice(500)]), voices), folder: dirname(voices[1]!) })
  await assert.rejects(separateRecording(job), { exit: 'usage', message: /sep_src2\.wav": it is the recording itself/ })
})

test('separateRecording() replaces what an earlier run left, and keeps its sound when it fails', async () => {
  const folder = scratch()
  await separateRecording(jobOf({ folder }))
  const before = readFileSync(join(folder, 'sep_src1.wav'))
  await assert.rejects(separateRecording(jobOf({ folder, modelPath: 'no.onnx' })))
  assert.deepEqual(readFileSync(join(folder, 'sep_src1.wav')), before)
  assert.deepEqual([metricsOf(folder).ok, metricsOf(folder).files], [false, []])
  await separateRecording(jobOf({ folder, recording: mixOf(wavFile([voice(600)])) }))
  assert.equal(readWav(join(folder, 'sep_src1.wav')).info.frames, 600)
})

test('separateRecording() writes the metrics into the evidence as well', async () => {
  const [folder, evidenceFolder] = [join(scratch(), 'a/b'), scratch()]
  await separateRecording(jobOf({ folder, evidenceFolder }))
  assert.deepEqual(readFileSync(join(folder, metricsName)), readFileSync(join(evidenceFolder, metricsName)))
  assert.deepEqual(readdirSync(evidenceFolder), [metricsName])
  const file = join(scratch(), 'file')
  writeFileSync(file, '')
  await assert.rejects(separateRecording(jobOf({ folder: file, evidenceFolder })), {
    exit: 'blocked',
    message: /Cannot create the folder/,
  })
  assert.deepEqual([metricsOf(evidenceFolder).ok, metricsOf(evidenceFolder).device_info !== null], [false, true])
})

test('separateRecording() is blocked by a full disk and by a read-only one, and says so', async t => {
  const [full, readOnly] = [diskOf('size=64k'), diskOf('ro')]
  if (full === null || readOnly === null) return t.diagnostic('no file system can be mounted here')
  const evidenceFolder = scratch()
  const long = mixOf(wavFile([voice(30_000)]))
  await assert.rejects(separateRecording(jobOf({ folder: full, evidenceFolder, recording: long })), {
    exit: 'blocked',
    hint: /the disk is full/,
  })
  assert.match(String(metricsOf(evidenceFolder).reason), /sep_src\d\.wav": ENOSPC|mix\.wav": ENOSPC/)
  assert.deepEqual(readdirSync(full), [metricsName], 'what was half written made room for the metrics')
  await assert.rejects(separateRecording(jobOf({ folder: readOnly, evidenceFolder })), {
    exit: 'blocked',
    message: /EROFS/,
    hint: /read-only/,
  })
  assert.match(String(metricsOf(evidenceFolder).reason), /EROFS/)
})

test('separateRecording() lets two runs share a folder without mixing their files', async () => {
  const folder = scratch()
  const lengths = [900, 1700]
  await Promise.all(
    lengths.map(length => separateRecording(jobOf({ folder, recording: mixOf(wavFile([voice(length)])) }))),
  )
  assert.equal(readdirSync(folder).filter(name => name.endsWith('.tmp')).length, 0)
  assert.ok(lengths.includes(readWav(join(folder, 'sep_src1.wav')).info.frames))
})

test('separateRecording() finds references beside a mixture when the caller gives them', async () => {
  const root = scratch()
  for (const name of ['mix_clean', 's1', 's2']) {
    mkdirSync(join(root, name))
    writeWav(join(root, name, 'a.wav'), [voice(800, name.length)], { sampleRate })
  }
  const { pickRecording } = await import('../pick-recording.ts')
  const { metrics } = await separateRecording(
    jobOf({ recording: pickRecording({ mixWav: join(root, 'mix_clean/a.wav') }) }),
  )
  assert.equal(metrics.si_sdr_db!.length, 2)
  assert.ok(existsSync(metrics.references![0]!))
})

test('separateRecording() warns that a recording shorter than the window is filled up with silence', async () => {
  const job = jobOf({ recording: mixOf(wavFile([voice(300)])), haloFrames: undefined })
  const { metrics } = await separateRecording(job)
  assert.ok(metrics.warnings.some(words => /fills 300 of the window's 400 samples, the rest is silence/.test(words)))
  const whole = await separateRecording(jobOf({ recording: mixOf(wavFile([voice(400)])), haloFrames: undefined }))
  assert.ok(!whole.metrics.warnings.some(words => /the rest is silence/.test(words)))
})
