import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { typescriptCommand } from '../../../host/typescript.ts'
import { needsPlainMemory } from '../../../testing/needs.ts'
import { halves, longRecording, modelFile, sampleRate, scratch } from '../../../testing/infer/fixtures.ts'

/** Separates each recording in one process, and tells the largest memory it saw in each, in MB. */
const script = (modelPath: string, recordings: readonly string[], folder: string) => `
import { separateRecording } from ${JSON.stringify(join(import.meta.dirname, 'separate-recording.ts'))}
const told = []
for (const mix of ${JSON.stringify(recordings)}) {
  const peak = { rss: 0, arrayBuffers: 0 }
  const onWindow = () => {
    const now = process.memoryUsage()
    for (const key of ['rss', 'arrayBuffers']) peak[key] = Math.max(peak[key], now[key] / 1e6)
  }
  const { metrics } = await separateRecording({
    modelPath: ${JSON.stringify(modelPath)}, backend: 'ort', recording: { mix, references: null, from: 'MIX_WAV' },
    folder: ${JSON.stringify(folder)},
    sampleRate: ${sampleRate}, layout: { kernel: 16, stride: 8 }, haloFrames: 4,
    signal: new AbortController().signal, onWindow,
  })
  told.push({ ...peak, windows: metrics.windows })
}
console.log(JSON.stringify(told))
`

test('separateRecording() needs no more memory for fifteen minutes than for one', { skip: needsPlainMemory() }, () => {
  const folder = scratch()
  const recordings = [60, 60, 900].map(seconds => longRecording(seconds))
  const path = join(folder, 'probe.mts')
  writeFileSync(path, script(modelFile(halves(16_000)), recordings, folder))
  const [program, ...words] = typescriptCommand(path)
  const { stdout, stderr, status } = spawnSync(program!, words, {
    encoding: 'utf8',
    timeout: 600_000,
  })
  assert.equal(status, 0, stderr)
  const [, short, long] = JSON.parse(stdout) as { rss: number; arrayBuffers: number; windows: number }[]
  assert.ok(long!.windows > 14 * short!.windows)
  // Held whole, fifteen minutes would be 57 MB of samples, and as much again for each source.
  const growth = { rss: long!.rss - short!.rss, arrayBuffers: long!.arrayBuffers - short!.arrayBuffers }
  assert.ok(growth.rss < 40 && growth.arrayBuffers < 40, JSON.stringify({ short, long }))
})
