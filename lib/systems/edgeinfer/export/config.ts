/**
 * Writes and reads `export_config.yaml`: what locks a model file to its channel order, normalisation and motifs.
 *
 * It stands beside the model files that it names. Whoever opens one of them reads it first, and a file of another
 * digest, another channel order or another normalisation than the contract's is refused.
 */
import { dirname, basename, join } from 'node:path'
import { z } from 'zod'
import { usageError } from '../../../base/errors.ts'
import { readYaml } from '../../../deploy/config.ts'
import { sha256File } from '../../../host/digest.ts'
import { writeFileAtomic } from '../../../host/files.ts'
import { edgeinferContract } from '../contract.ts'
import { runbookCommand } from '../../../host/typescript.ts'

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 is wanted')

const schema = z.strictObject({
  version: z.literal(1),
  model: z.strictObject({ name: z.string(), weights: z.string(), weights_sha256: digest }),
  input: z.strictObject({
    name: z.string(),
    rate_hz: z.number(),
    samples: z.int(),
    channel_order: z.array(z.string()),
    units: z.array(z.string()),
  }),
  normalization: z.strictObject({ method: z.string(), mean: z.array(z.number()), std: z.array(z.number()) }),
  outputs: z.strictObject({ latent_embeddings: z.int(), motif_logits: z.int(), motif_scores: z.string() }),
  motifs: z.array(z.strictObject({ name: z.string(), label: z.int() })),
  labels: z.array(z.string()),
  golden: z.strictObject({ file: z.string(), sha256: digest, reference: z.string() }),
  files: z.array(
    z.strictObject({
      file: z.string(),
      sha256: digest,
      form: z.enum(['causal', 'nchw', 'sliced']),
      stage: z.enum(['exported', 'compiled']),
      toolchain: z.string(),
    }),
  ),
})

/** The values of `export_config.yaml`. */
export type ExportConfig = z.infer<typeof schema>

/** Write the file into a folder. */
export async function writeExportConfig(folder: string, config: ExportConfig): Promise<string> {
  const { stringify } = await import('yaml')
  const head = '# What every reader of these model files relies on. Written by the export; do not edit.\n'
  const path = join(folder, edgeinferContract().names.exportConfig)
  writeFileAtomic(
    path,
    head + stringify(config, { lineWidth: 120, flowCollectionPadding: false, collectionStyle: 'any' }),
  )
  return path
}

/**
 * Read the file of a folder and compare it with the contract.
 * @throws RunbookError blocked when it is absent; usage when it is malformed or says another channel order or
 *   normalisation
 */
export async function readExportConfig(folder: string): Promise<ExportConfig> {
  const { model, normalization, names } = edgeinferContract()
  const path = join(folder, names.exportConfig)
  const config = await readYaml(path, schema)
  const pairs: [string, unknown, unknown][] = [
    ['input.channel_order', config.input.channel_order, model.channelOrder],
    ['input.units', config.input.units, model.units],
    ['input.rate_hz', config.input.rate_hz, model.rateHz],
    ['input.samples', config.input.samples, model.windowSamples],
    ['outputs.latent_embeddings', config.outputs.latent_embeddings, model.latentSize],
    ['normalization.method', config.normalization.method, normalization.method],
    ['normalization.mean', config.normalization.mean, normalization.mean],
    ['normalization.std', config.normalization.std, normalization.std],
  ]
  for (const [key, have, want] of pairs) {
    if (JSON.stringify(have) === JSON.stringify(want)) continue
    const state = `${key} is ${JSON.stringify(have)}, and the contract says ${JSON.stringify(want)}`
    throw usageError(
      `Cannot use "${path}": ${state}`,
      `export again: ${runbookCommand('runbooks/edgeinfer-export.ts')}`,
    )
  }
  return config
}

/** What is locked for one model file. */
export interface LockedModel {
  readonly config: ExportConfig
  readonly entry: ExportConfig['files'][number]
  readonly folder: string
}

/**
 * The entry of a model file in the configuration beside it.
 * @throws RunbookError as `readExportConfig`; usage when the configuration does not name the file, or names another
 *   digest
 */
export async function lockedModel(path: string): Promise<LockedModel> {
  const folder = dirname(path)
  const config = await readExportConfig(folder)
  const entry = config.files.find(({ file }) => file === basename(path))
  const again = `export and compile again: ${runbookCommand('runbooks/edgeinfer-export.ts')}`
  if (entry === undefined)
    throw usageError(
      `Cannot use "${path}": the ${edgeinferContract().names.exportConfig} beside it does not name it`,
      again,
    )
  if (sha256File(path) !== entry.sha256)
    throw usageError(`Cannot use "${path}": it is not the file that was locked (another sha256)`, again)
  return { config, entry, folder }
}
