/**
 * What the bench runbook measures beside the steady state, and the document that it writes.
 */
import { openMono } from '../../../signal/mono-source.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { hearFile, type HeardFile } from '../transcribe/hear-file.ts'
import { openModel, type OpenModel, type OpenOptions } from '../transcribe/model.ts'
import type { SteadyCost } from './steady.ts'

export { steadyCost } from './steady.ts'

/**
 * The first ten seconds of a file at the model's rate.
 *
 * @throws RunbookError as `openMono`
 */
export function soundOf(wav: string, { meta }: OpenModel): Float32Array {
  const rate = meta.features.sample_rate_hz
  using sound = openMono(wav, rate)
  return Float32Array.from(sound.read(Math.min(sound.totalSamples, 10 * rate)))
}

/** Median and 95th percentile; NaN of nothing. */
export function percentiles(values: readonly number[]): { readonly p50: number; readonly p95: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
  return { p50: at(0.5), p95: at(0.95) }
}

/** A recording heard whole, with the joint asked about several frames at once, and streamed. */
export interface HeardThrice {
  readonly whole: HeardFile
  readonly batched: HeardFile
  readonly streamed: HeardFile
  /** Whether the batched joint gave the same tokens. */
  readonly isSame: boolean
}

/**
 * Hear a recording in three ways.
 *
 * @throws RunbookError as `openModel` and `hearFile`
 */
export async function hearThrice(
  modelDir: string,
  contract: ParakeetContract,
  wav: string,
  options: OpenOptions & { readonly lookahead: number },
): Promise<HeardThrice> {
  const hear = async (stream: boolean, lookahead: number) => {
    await using model = await openModel(modelDir, contract, { ...options, streaming: stream, lookahead })
    return await hearFile(model, contract, wav, { stream, pieceMs: 160 })
  }
  const [whole, batched] = [await hear(false, 1), await hear(false, options.lookahead)]
  const isSame = JSON.stringify(batched.transcript.tokens) === JSON.stringify(whole.transcript.tokens)
  return { whole, batched, streamed: await hear(true, 1), isSame }
}

/** The numbers of a run, by the names that `bench.json` gives them. */
export function factsOf(steady: SteadyCost, { whole, batched, streamed }: HeardThrice) {
  const chunks = percentiles(streamed.latenciesMs)
  return {
    steps: steady.steps,
    ns_per_step: steady.nsPerStep,
    gc: steady.collections,
    js_bytes_per_step: steady.heapBytesPerStep,
    chunk_ms_p50: chunks.p50,
    chunk_ms_p95: chunks.p95,
    rtf: whole.rtf,
    rtf_batched: batched.rtf,
    rtf_streaming: streamed.rtf,
  }
}

/**
 * `ARCHITECTURE_RUNTIME.md`: how the runtime is built, which assertions it makes, and what was measured in this run.
 */
export const architectureRuntime = (
  facts: Readonly<Record<string, number>>,
  { contract, decode }: ParakeetContract,
): string =>
  `# Runtime

Contract: ${contract}. Files without a room lie in \`lib/systems/parakeet\`.

| Stage | Where | Form |
|---|---|---|
| sound to features | \`lib/signal/mel/nemo.ts\` | whole, or frames as they arrive |
| features to frames | \`transcribe/encoders.ts\` | whole, windows with margins, or chunks with caches |
| projection | \`projection.onnx\` | once for a chunk |
| decisions | \`lib/speech/tdt/greedy.ts\` | label looping: at most ${decode.max_symbols} tokens on a frame |
| predictor and joint | \`transcribe/networks/bound.ts\` | two bindings hand the state back and forth |
| text and times | \`lib/speech/tdt/timestamps.ts\` | pieces, words, segments |

## Assertions at the borders

- rules by which decoding need not end are refused (\`lib/speech/tdt/rules.ts\`)
- logits that are not finite, or too few, are refused (\`lib/speech/tdt/greedy.ts\`)
- an encoder's stated length must lie within its frames (\`lib/systems/parakeet/transcribe/encoders.ts\`)
- vocabulary, joint and meta must agree in number (\`lib/systems/parakeet/transcribe/model.ts\`)

## Measured in this run

${Object.entries(facts)
  .map(([name, value]) => `- ${name}: ${Number(value.toPrecision(4))}`)
  .join('\n')}

JavaScript allocates nothing per step. ONNX Runtime allocates native memory in every run, which is not counted here.
`
