/**
 * The service's configuration: the YAML that people edit, and the JSON that the service reads.
 *
 * Both have the same keys. Each installation renders the JSON again from the YAML, so a mistake shows there, with its
 * line, and not when the service starts.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ZodType } from 'zod'
import { usageError } from '../../base/errors.ts'
import { parseYaml, readYaml } from '../../deploy/config.ts'
import { readFile } from '../../host/files.ts'
import { runbookCommand } from '../../host/typescript.ts'

/** The configuration with every default filled in. */
export interface ServiceConfig {
  readonly server: {
    readonly host: string
    readonly port: number
    /** Requests that may wait. */
    readonly queue: number
    readonly max_upload_bytes: number
    readonly api_keys: readonly string[]
  }
  readonly model: {
    readonly name: string
    readonly backend: 'auto' | 'ort' | 'hailort'
    /** Seconds until an idle model is closed; 0 after every request, -1 never. */
    readonly keep_alive: number
  }
  readonly transcription: {
    /** A language code, or null to detect it. */
    readonly language: string | null
    readonly temperature: number
    readonly beam_size: number
    readonly vad_filter: boolean
    readonly max_audio_duration_seconds: number
  }
  readonly storage: { readonly cache_dir: string; readonly resources_dir: string }
  readonly resource_limits: { readonly memory_max: string; readonly cpu_quota: string }
}

/** The text of `config.yaml`, which is installed where there is none; with another model where one is named. */
export function defaultYaml(model?: string): string {
  const text = readFileSync(join(import.meta.dirname, 'config.yaml'), 'utf8')
  return model === undefined ? text : text.replace(/^( {2}name: ).*$/m, (_, key: string) => key + JSON.stringify(model))
}

/** What a configuration may hold; sections and the keys of the original are required, newer keys have defaults. */
export async function configSchema(): Promise<ZodType<ServiceConfig>> {
  const { z } = await import('zod')
  const absolute = z.string().regex(/^\//, 'must be an absolute path')
  return z.strictObject({
    server: z.strictObject({
      host: z.string().min(1),
      port: z.int().min(1).max(65535),
      queue: z.int().min(0).default(8),
      max_upload_bytes: z.int().min(1).default(26_214_400),
      api_keys: z.array(z.string().min(1)).default([]),
    }),
    model: z.strictObject({
      name: z.string().min(1),
      backend: z.enum(['auto', 'ort', 'hailort']).default('auto'),
      keep_alive: z.number().min(-1).default(-1),
    }),
    transcription: z.strictObject({
      language: z
        .string()
        .regex(/^[a-z]{2,3}$/, 'must be a language code such as en, or null')
        .nullable()
        .default('en'),
      temperature: z.number().min(0).max(1).default(0),
      beam_size: z.int().min(1).max(20).default(5),
      vad_filter: z.boolean().default(true),
      max_audio_duration_seconds: z.number().positive().default(300),
    }),
    storage: z.strictObject({
      cache_dir: absolute,
      resources_dir: absolute.default('/var/lib/hailo-whisper/resources'),
    }),
    resource_limits: z
      .strictObject({
        memory_max: z
          .string()
          .regex(/^(\d+[KMGT]?|\d+%|infinity)$/, 'must be like 3G')
          .default('3G'),
        cpu_quota: z
          .string()
          .regex(/^\d+%$/, 'must be like 80%')
          .default('80%'),
      })
      .prefault({}),
  }) as ZodType<ServiceConfig>
}

/**
 * Read the YAML that people edit.
 *
 * @throws {RunbookError} as `readYaml`
 */
export const readServiceYaml = async (path: string): Promise<ServiceConfig> =>
  await readYaml(path, await configSchema())

/**
 * Check the text of such a YAML; `path` is for errors.
 *
 * @throws {RunbookError} as `parseYaml`
 */
export const parseServiceYaml = async (text: string, path: string): Promise<ServiceConfig> =>
  await parseYaml(text, await configSchema(), path)

/** The JSON that the service reads, indented by two. */
export const renderConfig = (config: ServiceConfig): string => `${JSON.stringify(config, null, 2)}\n`

/**
 * Read the JSON.
 *
 * @throws {RunbookError} usage for what is no such JSON, blocked when the file is absent
 */
export async function readServiceJson(path: string): Promise<ServiceConfig> {
  const text = readFile(path).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    throw usageError(
      `Cannot read "${path}": ${(thrown as Error).message}`,
      runbookCommand('runbooks/whisper-install.ts'),
      thrown,
    )
  }
  const parsed = (await configSchema()).safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw usageError(
    `Cannot use "${path}": ${issue!.path.map(String).join('.')}: ${issue!.message}`,
    runbookCommand('runbooks/whisper-install.ts'),
  )
}

/** What a command line changes of a configuration. */
export interface ConfigOverrides {
  readonly model?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
}

/**
 * The configuration of a file (JSON, or YAML by its name), or the default one, with what the command line says.
 * @throws {RunbookError} as `readServiceJson` and `readServiceYaml`
 */
export async function readServiceConfig(path: string | undefined, o: ConfigOverrides = {}): Promise<ServiceConfig> {
  const isYaml = path !== undefined && /\.ya?ml$/.test(path)
  const read =
    path === undefined
      ? parseServiceYaml(defaultYaml(), 'config.yaml')
      : isYaml
        ? readServiceYaml(path)
        : readServiceJson(path)
  const config = await read
  return {
    ...config,
    server: { ...config.server, host: o.host ?? config.server.host, port: o.port ?? config.server.port },
    model: { ...config.model, name: o.model ?? config.model.name },
  }
}
