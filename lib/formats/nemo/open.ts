/**
 * Opens a `.nemo` file: a tar, or a gzipped one, with a model's configuration, its weights and its tokenizer.
 *
 * Nothing is unpacked and nothing is run: the configuration is YAML, the weights are read without unpickling code. A
 * gzipped archive is first inflated to a file of its own, because weights are read at any place.
 */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { usageError } from '../../base/errors.ts'
import { fileSource, type ByteSource } from '../byte-source.ts'
import { fileError } from '../../host/files.ts'
import { readTorch, stateDictOf, type TorchTensor } from '../torch/read.ts'
import { readTar } from './tar.ts'

/** The parts of a `.nemo`. Dispose of it: an inflated copy is removed then. */
export interface NemoFile extends Disposable {
  readonly path: string
  readonly files: ReadonlyMap<string, ByteSource>
  /** `model_config.yaml` as text and as plain values. */
  readonly configText: string
  readonly config: Readonly<Record<string, unknown>>
  /**
   * The weights by NeMo's names; each is read when it is asked for.
   * @throws RunbookError usage when they are cut short, hostile or no state dictionary
   */
  weights(): Map<string, TorchTensor>
  /**
   * The bytes of an artifact that the configuration names, `nemo:<hex>_tokenizer.model`.
   * @throws RunbookError usage when the archive holds no such file
   */
  artifact(name: string): Uint8Array
}

const configName = 'model_config.yaml'
const weightsName = 'model_weights.ckpt'
const textBytesMax = 64 << 20
/** A gzipped archive may not grow by more than this. */
const inflatedBytesMax = 64 * 2 ** 30

/**
 * Open the `.nemo` at `path`.
 * @throws RunbookError blocked when it is absent or the disk is full; usage when it is no `.nemo`, is cut short or
 *   hostile
 * @example
 * ```ts ignore
 * using nemo = await openNemo('parakeet-tdt-0.6b-v3.nemo')
 * console.log(configValue(nemo.config, 'preprocessor.features'), nemo.weights().size)
 * ```
 */
export async function openNemo(path: string): Promise<NemoFile> {
  const given = fileSource(path)
  const isGzip = given.size > 2 && Buffer.from(given.read(0, 2)).toString('hex') === '1f8b'
  const scratch = isGzip ? mkdtempSync(join(tmpdir(), 'rungbook-nemo-')) : undefined
  const dispose = () => scratch === undefined || rmSync(scratch, { recursive: true, force: true })
  try {
    const tar = scratch === undefined ? path : await inflate(path, join(scratch, 'model.tar'))
    const files = readTar({ ...fileSource(tar), name: path })
    for (const name of [configName, weightsName]) if (!files.has(name)) throw refusal(path, `it holds no ${name}`)
    const configText = textOf(files.get(configName)!)
    return {
      path,
      files,
      configText,
      config: await parseConfig(configText, path),
      weights: () => stateDictOf(readTorch(files.get(weightsName)!), ['state_dict'], `${path}/${weightsName}`),
      artifact: name => artifactOf(path, files, name),
      [Symbol.dispose]: () => void dispose(),
    }
  } catch (thrown) {
    dispose()
    throw thrown
  }
}

const refusal = (path: string, state: string, cause?: unknown) =>
  usageError(`Cannot read "${path}": ${state}`, 'copy or download the .nemo again', cause)

function textOf(source: ByteSource): string {
  if (source.size > textBytesMax) throw refusal(source.name, `it takes ${source.size} bytes`)
  return Buffer.from(source.read(0, source.size)).toString('utf8')
}

/**
 * A configuration in YAML as plain values.
 * @throws RunbookError usage when it is no YAML table
 */
export async function parseConfig(text: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  const { YAML } = await import('zx')
  try {
    const config: unknown = YAML.parse(text)
    if (typeof config === 'object' && config !== null && !Array.isArray(config))
      return config as Record<string, unknown>
  } catch (thrown) {
    throw refusal(path, `its ${configName} is no YAML (${(thrown as Error).message.split('\n')[0]})`, thrown)
  }
  throw refusal(path, `its ${configName} is no table`)
}

function artifactOf(path: string, files: ReadonlyMap<string, ByteSource>, name: string): Uint8Array {
  const source = files.get(name.replace(/^nemo:/, ''))
  if (source === undefined) throw refusal(path, `it holds no "${name}", which its configuration names`)
  if (source.size > textBytesMax) throw refusal(source.name, `it takes ${source.size} bytes`)
  return source.read(0, source.size)
}

async function inflate(path: string, target: string): Promise<string> {
  let grown = 0
  const limit = async function* (pieces: AsyncIterable<Buffer>) {
    for await (const piece of pieces) {
      grown += piece.length
      if (grown > inflatedBytesMax) throw refusal(path, 'it inflates to more than any model')
      yield piece
    }
  }
  try {
    await pipeline(createReadStream(path), createGunzip(), limit, createWriteStream(target))
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? ''
    if (code.startsWith('Z_')) throw refusal(path, `its gzip stream breaks (${code})`, thrown)
    throw fileError('inflate', path, thrown)
  }
  return target
}

/** The value at a dotted key of a configuration, `encoder.d_model`; undefined when there is none. */
export const configValue = (config: Readonly<Record<string, unknown>>, key: string): unknown =>
  key.split('.').reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    return (value as Record<string, unknown>)[step]
  }, config)
