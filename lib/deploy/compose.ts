/**
 * Renders a Docker Compose file and checks it against the part of the Compose specification that it uses.
 *
 * The check is strict: a key at the wrong place, such as a service under `networks`, is a mistake that `docker compose`
 * would meet on the target. Source: https://github.com/compose-spec/compose-spec, 05-services.md.
 */
import { z } from 'zod'
import { parseYaml } from './config.ts'

const duration = z.string().regex(/^(\d+(us|ms|s|m|h))+$/, 'a duration such as 30s is wanted')
const environment = z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string())
const port = z.string().regex(/^(\d+(\.\d+){3}:)?\d{1,5}:\d{1,5}$/, 'host:container is wanted')
const volume = z.string().regex(/^[^:]+:\/[^:]*(:(ro|rw))?$/, 'source:/target[:ro] is wanted')
const device = z.string().regex(/^\/dev\/[^:]+:\/dev\/[^:]+(:[rwm]{1,3})?$/, 'a device mapping is wanted')

const serviceSchema = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  container_name: z.string().optional(),
  profiles: z.array(z.string()).optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
  init: z.boolean().optional(),
  user: z.string().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  ports: z.array(port).optional(),
  devices: z.array(device).optional(),
  volumes: z.array(volume).optional(),
  environment: environment.optional(),
  stop_grace_period: duration.optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()).min(2),
      interval: duration,
      timeout: duration,
      retries: z.int().min(1),
      start_period: duration,
    })
    .optional(),
  deploy: z
    .strictObject({
      resources: z.strictObject({
        limits: z.strictObject({ cpus: z.string(), memory: z.string().regex(/^\d+[KMG]$/) }),
      }),
    })
    .optional(),
  networks: z.record(z.string(), z.strictObject({ aliases: z.array(z.string()).optional() })).optional(),
})

const composeSchema = z
  .strictObject({
    name: z.string().optional(),
    services: z.record(z.string().regex(/^[a-zA-Z0-9._-]+$/), serviceSchema),
    networks: z.record(z.string(), z.strictObject({ driver: z.string().optional() })).optional(),
  })
  .superRefine((compose, context) => {
    const known = new Set(Object.keys(compose.networks ?? {}))
    for (const [name, service] of Object.entries(compose.services))
      for (const network of Object.keys(service.networks ?? {}))
        if (!known.has(network))
          context.addIssue({ code: 'custom', path: ['services', name, 'networks'], message: `no network "${network}"` })
  })

/** A Compose file. */
export type Compose = z.infer<typeof composeSchema>

/**
 * The text of a Compose file, after the text itself was read back and checked.
 * @throws RunbookError usage, naming the key, for what the specification does not allow
 *
 * @example
 * ```ts
 * const text = await renderCompose({ services: { web: { image: 'web:1', ports: ['8080:80'] } } })
 * ```
 */
export async function renderCompose(compose: Compose): Promise<string> {
  const { stringify } = await import('yaml')
  const text = stringify(compose, { lineWidth: 120 })
  await checkCompose(text, 'docker-compose.yml')
  return text
}

/**
 * Read and check a Compose file's text.
 *
 * @throws RunbookError usage, naming file, line and key
 */
export const checkCompose = (text: string, path: string): Promise<Compose> => parseYaml(text, composeSchema, path)
