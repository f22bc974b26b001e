/**
 * Opens a model of the encoder on any runtime and asks it about windows.
 *
 * The ports of a file are found by their sizes, so that a HEF, whose streams have names of their own, and whose layout
 * is rows by columns by channels, is used like an ONNX file.
 */
import { basename, extname } from 'node:path'
import { RunbookError, usageError } from '../../../base/errors.ts'
import { sizeOf } from '../../../formats/tensors/tensor.ts'
import { indexOfNonFinite, type Backend, type TensorInfo } from '../../../infer/backend.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendName } from '../../../infer/options.ts'
import { tcnFeed, type TcnForm } from '../../../models/tcn/graph.ts'
import { edgeinferContract } from '../contract.ts'
import { lockedModel, type LockedModel } from '../export/config.ts'
import { softmaxInPlace } from '../motifs/softmax.ts'
import { standardise, windowSize } from '../window/layout.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** What the model says of one window. */
export interface Answer {
  readonly latent: Float32Array
  /** Softmax of the motif logits; they add up to 1. */
  readonly motifScores: Float32Array
}

/** An open model. */
export interface Engine extends AsyncDisposable {
  /** The file's name without its ending, as `/healthz` tells it. */
  readonly name: string
  readonly path: string
  readonly sha256: string
  readonly backend: Backend['name']
  readonly device: string
  readonly motifs: readonly string[]
  /** Index of each motif's label in `labels`, or -1. */
  readonly motifLabels: readonly number[]
  readonly labels: readonly string[]
  readonly locked: LockedModel
  /** How many windows may be asked about at once. */
  readonly slots: number
  /**
   * Ask about a raw window, row-major [100, 9].
   *
   * @throws RunbookError fail when the runtime cannot do it, or answers NaN
   */
  infer(window: Float32Array): Promise<Answer>
  /** Temperature and power where the device tells them. */
  vitals?: Backend['vitals']
}

/** How a model is opened. */
export interface EngineOptions {
  readonly backend: BackendName
  /** How many windows at once; each takes one core on ONNX Runtime. */
  readonly slots: number
}

const { latentSize } = edgeinferContract().model

/**
 * Open a model file that an `export_config.yaml` beside it names.
 * @throws RunbookError blocked when a file or the runtime is absent; usage when the file is not the locked one or no
 *   such encoder
 */
export async function openEngine(path: string, o: EngineOptions): Promise<Engine> {
  const locked = await lockedModel(path)
  const backend = await openBackend(path, {
    backend: o.backend,
    ort: { slots: o.slots, threads: 1, interOpThreads: 1, allowSpinning: false },
  })
  try {
    const ports = portsOf(backend, { path, motifs: locked.config.motifs.length, form: locked.entry.form })
    return engineOf({ path, locked, backend, ports, slots: backend.name === 'ort' ? o.slots : 1 })
  } catch (thrown) {
    await backend[Symbol.asyncDispose]()
    throw thrown
  }
}

const notFinite = (path: string) =>
  new RunbookError(
    'fail',
    `Cannot use an answer of "${path}": it holds a number that is not finite`,
    `judge the model: ${runbookCommand('runbooks/edgeinfer-parity.ts')}`,
  )

interface Ports {
  readonly input: TensorInfo
  readonly latent: string
  readonly logits: string
  /** How a window is laid out for the input. */
  readonly layout: TcnForm
}

interface Parts {
  readonly path: string
  readonly locked: LockedModel
  readonly backend: Backend
  readonly ports: Ports
  readonly slots: number
}

function engineOf({ path, locked, backend, ports, slots }: Parts): Engine {
  const { config, entry } = locked
  const shape = ports.input.shape as number[]
  return {
    name: basename(path, extname(path)),
    path,
    sha256: entry.sha256,
    backend: backend.name,
    device: backend.device,
    motifs: config.motifs.map(motif => motif.name),
    motifLabels: config.motifs.map(motif => motif.label),
    labels: config.labels,
    locked,
    slots,
    async infer(window) {
      const data = tcnFeed(ports.layout, standardise(window))
      const results = await backend.infer({ [ports.input.name]: { dtype: 'float32', shape, data } })
      // Copies: the results are views of buffers that the next question writes over.
      const latent = (results[ports.latent]!.data as Float32Array).slice()
      const motifScores = softmaxInPlace((results[ports.logits]!.data as Float32Array).slice())
      if (indexOfNonFinite(latent) >= 0 || indexOfNonFinite(motifScores) >= 0) throw notFinite(path)
      return { latent, motifScores }
    },
    ...(backend.vitals ? { vitals: () => backend.vitals!() } : {}),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  }
}

function portsOf(backend: Backend, o: { path: string; motifs: number; form: TcnForm }): Ports {
  const size = (info: TensorInfo) => sizeOf(info.shape.map(Number))
  const [input, ...others] = backend.inputs
  const ofSize = (wanted: number) => backend.outputs.find(info => size(info) === wanted)?.name
  const [latent, logits] = [ofSize(latentSize), ofSize(o.motifs)]
  if (input !== undefined && others.length === 0 && size(input) === windowSize && latent && logits) {
    // A Conv2d input of 9 channels first is transposed; time first, as of Conv1d forms and of HEFs (1 x 100 x 9), is
    // not.
    const [, first] = input.shape
    return { input, latent, logits, layout: o.form === 'nchw' && first === 9 ? 'nchw' : 'causal' }
  }
  throw usageError(
    `Cannot use "${o.path}" as the encoder: it does not take ${windowSize} numbers ` +
      `and give ${latentSize} and ${o.motifs}`,
    `export it again: ${runbookCommand('runbooks/edgeinfer-export.ts')}`,
  )
}
