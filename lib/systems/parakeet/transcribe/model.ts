/**
 * Opens a model folder for transcription: encoder, networks of the decoder, front end and words, on one backend.
 */
import { blockedError } from '../../../base/errors.ts'
import type { Backend } from '../../../infer/backend.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendName, BackendOptions } from '../../../infer/options.ts'
import { NemoMel } from '../../../signal/mel/nemo.ts'
import type { Pieces } from '../../../speech/pieces.ts'
import { checkRules } from '../../../speech/tdt/rules.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { readModelFolder, readPieces, type ModelFolder } from '../model/folder.ts'
import { foreignMeta } from '../model/foreign-meta.ts'
import { melOptionsOf, readMeta, rulesOf, type ModelMeta } from '../model/meta.ts'
import { openBackendNetworks } from './networks/backend.ts'
import { BoundNetworks } from './networks/bound.ts'
import type { ChunkNetworks } from './networks.ts'
import { PlanNetworks } from './networks/plan.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** A model that is open. */
export interface OpenModel extends AsyncDisposable {
  readonly folder: ModelFolder
  readonly meta: ModelMeta
  readonly mel: NemoMel
  readonly pieces: Pieces
  readonly encoder: Backend
  readonly networks: ChunkNetworks
  /** `cpu (ONNX Runtime 1.30.0)` */
  readonly device: string
}

/** How a model is opened. */
export interface OpenOptions {
  readonly backend?: BackendName
  readonly threads?: number
  /** Frames that the joint is asked about at once, on the bound path. */
  readonly lookahead?: number
  /** Whether the encoder for streams is opened, instead of the one for recordings. */
  readonly streaming?: boolean
}

/**
 * Open a model folder.
 * @throws RunbookError blocked when a file or a runtime is absent; usage when files and meta contradict each other
 */
export async function openModel(path: string, contract: ParakeetContract, o: OpenOptions = {}): Promise<OpenModel> {
  const onDevice = o.backend === 'tensorrt'
  const folder = readModelFolder(path, { prefer: onDevice ? '.plan' : '.onnx' })
  const meta = folder.layout === 'rungbook' ? readMeta(path) : foreignMeta(folder, contract)
  checkRules(rulesOf(meta))
  const pieces = readPieces(path, meta.tokenizer.vocab_size)
  const file = folder.files.get(o.streaming === true ? 'encoder_streaming' : 'encoder')
  if (file === undefined)
    throw blockedError(
      `Cannot stream with "${path}": it holds no encoder_streaming`,
      `export it: ${runbookCommand('runbooks/parakeet-export.ts')} --nemo MODEL.nemo`,
    )
  const options = { backend: o.backend ?? 'auto', ort: { threads: o.threads ?? 1 } }
  const encoder = await openBackend(file, options)
  try {
    const networks = await networksOf(encoder, folder, meta, { ...o, options })
    await networks.reset()
    return {
      folder,
      meta,
      mel: new NemoMel(melOptionsOf(meta)),
      pieces,
      encoder,
      networks,
      device: encoder.device,
      async [Symbol.asyncDispose]() {
        await networks[Symbol.asyncDispose]()
        await encoder[Symbol.asyncDispose]()
      },
    }
  } catch (thrown) {
    await encoder[Symbol.asyncDispose]()
    throw thrown
  }
}

/** The loop that makes nothing per step where there is one for the runtime and the files, else any backend's. */
async function networksOf(
  encoder: Backend,
  folder: ModelFolder,
  meta: ModelMeta,
  { threads = 1, lookahead = 1, options }: OpenOptions & { options: BackendOptions },
): Promise<ChunkNetworks> {
  const { files } = folder
  if (encoder.name === 'ort' && files.has('joint_step') && files.has('projection'))
    return await BoundNetworks.open(folder, meta, { threads, lookahead })
  const arePlans = (['predictor', 'joint'] as const).every(name => files.get(name)?.endsWith('.plan'))
  if (encoder.name === 'tensorrt' && arePlans) return await PlanNetworks.open(folder, meta, options)
  return await openBackendNetworks(folder, meta, options)
}
