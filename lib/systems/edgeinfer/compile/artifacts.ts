/**
 * Puts a compiled encoder into `artifacts/`, with everything that a reader of it must know beside it.
 */
import { copyFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { projectVersion } from '../../../base/version.ts'
import { sha256File } from '../../../host/digest.ts'
import { makeFolder, writeFileAtomic } from '../../../host/files.ts'
import { tcnEndNodes, tcnInput, tcnInputShape, type TcnForm } from '../../../models/tcn/graph.ts'
import { edgeinferContract } from '../contract.ts'
import { writeExportConfig, type ExportConfig } from '../export/config.ts'

/** What was compiled, and with what. */
export interface Compiled {
  readonly path: string
  readonly form: TcnForm
  readonly toolchain: string
  readonly toolchainVersion: string | null
  readonly hwArch: string
  readonly calibrationWindows: number
}

const { names, model } = edgeinferContract()

/** The metadata file of a compiled model: digest, versions, shapes, normalisation, toolchain. */
function metadata(compiled: Compiled, config: ExportConfig, sha256: string): Record<string, unknown> {
  return {
    sha256,
    versions: { rungbook: projectVersion(), toolchain: compiled.toolchain, compiler: compiled.toolchainVersion },
    hw_arch: compiled.toolchain === 'dfc' ? compiled.hwArch : null,
    proves: compiled.toolchain === 'dfc' ? 'a HEF for the device' : 'nothing about a device: the host compiled it',
    shapes: {
      [tcnInput]: tcnInputShape(compiled.form),
      latent_embeddings: [1, model.latentSize],
      motif_logits: [1, config.motifs.length],
    },
    normalization: config.normalization,
    channel_order: config.input.channel_order,
    calibration_windows: compiled.calibrationWindows,
    weights_sha256: config.model.weights_sha256,
  }
}

/** The compiler's configuration of the plan, `tcn_encoder.yaml`. */
export async function compilerConfig(compiled: Omit<Compiled, 'path'>, config: ExportConfig): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(
    {
      network: { name: config.model.name },
      paths: { onnx: join(names.folders.exports, config.files.find(({ form }) => form === compiled.form)!.file) },
      parser: { start_nodes: [tcnInput], end_nodes: [...tcnEndNodes], input_shape: [...tcnInputShape(compiled.form)] },
      quantization: { calibration_windows: compiled.calibrationWindows, normalization: 'on the host' },
      hw_arch: compiled.hwArch,
    },
    { lineWidth: 120 },
  )
}

/**
 * Copy a compiled file and what belongs to it into `folder`.
 * @returns the path of the copy
 */
export async function publishArtifact(
  folder: string,
  o: { compiled: Compiled; config: ExportConfig; exportsFolder: string },
): Promise<string> {
  makeFolder(folder)
  const { compiled, config } = o
  const ending = extname(compiled.path)
  const file = ending === '.hef' ? `${config.model.name}.hef` : `${config.model.name}_host${ending}`
  const path = join(folder, file)
  copyFileSync(compiled.path, path)
  copyFileSync(join(o.exportsFolder, config.golden.file), join(folder, config.golden.file))
  const sha256 = sha256File(path)
  const { form, toolchain } = compiled
  await writeExportConfig(folder, { ...config, files: [{ file, sha256, form, stage: 'compiled', toolchain }] })
  writeFileAtomic(join(folder, names.compilerConfig), await compilerConfig(compiled, config))
  writeFileAtomic(join(folder, `${file}.json`), `${JSON.stringify(metadata(compiled, config, sha256), null, 2)}\n`)
  return path
}
