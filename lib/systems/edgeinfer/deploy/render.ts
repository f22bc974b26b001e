/**
 * Renders what brings the sidecar to a board: the Compose file, the Dockerfile, and the steps of canary and rollback.
 */
import { renderCompose, type Compose } from '../../../deploy/compose.ts'
import { edgeinferContract } from '../contract.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** What differs between boards. */
export interface DeployOptions {
  /** The image's name and tag. */
  readonly image: string
  /** The device that is mapped into the container. */
  readonly device: string
  readonly port: number
}

const { service, names, model } = edgeinferContract()

/** Where the image keeps the project, and where artifacts and telemetry are mounted. */
const inside = { project: '/opt/rungbook', home: '/srv/edgeinfer' } as const

/** The healthcheck asks with node itself: the image has no curl. */
const healthTest = (port: number): string[] => [
  'CMD',
  'node',
  '-e',
  `fetch('http://127.0.0.1:${port}/readyz').then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`,
]

function serviceOf(
  o: DeployOptions,
  own: { real: boolean; hef: string; backend: string },
): Compose['services'][string] {
  const { artifacts, telemetry, exports } = names.folders
  return {
    image: o.image,
    build: { context: '.', dockerfile: 'Dockerfile' },
    restart: 'unless-stopped',
    init: true,
    read_only: true,
    tmpfs: ['/tmp', `${inside.project}/module_runs`],
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    volumes: [
      `./${artifacts}:${inside.home}/${artifacts}:ro`,
      `./${exports}:${inside.home}/${exports}:ro`,
      `./${telemetry}:${inside.home}/${telemetry}:rw`,
    ],
    ...(own.real ? { devices: [`${o.device}:${o.device}`] } : {}),
    environment: {
      EDGEINFER_HOME: inside.home,
      HEF_PATH: own.hef,
      MODEL_BACKEND: own.backend,
      NUM_MOTIFS: String(model.motifs),
      USE_REAL_MODEL: String(own.real),
      SIDECAR_HOST: '0.0.0.0',
      SIDECAR_PORT: String(service.port),
    },
    stop_grace_period: `${Math.ceil(service.drainMs / 1000) + 5}s`,
    healthcheck: { test: healthTest(service.port), interval: '30s', timeout: '10s', retries: 3, start_period: '30s' },
    deploy: { resources: { limits: { cpus: '2.0', memory: '512M' } } },
  }
}

/** The Compose file: the device's service, a canary beside it, and a stub for boards without a device. */
export function composeOf(o: DeployOptions): Compose {
  const hef = `${inside.home}/${names.folders.artifacts}/${names.onnx.replace('.onnx', '.hef')}`
  const real = { real: true, hef, backend: 'hailort' }
  const network = 'edgeinfer-network'
  return {
    name: 'edgeinfer',
    services: {
      [service.name]: {
        ...serviceOf(o, real),
        container_name: 'hailo-tcn-inference',
        profiles: ['device'],
        ports: [`${o.port}:${service.port}`],
        networks: { [network]: {} },
      },
      [`${service.name}-canary`]: {
        ...serviceOf(o, { ...real, hef: hef.replace('/tcn_encoder.hef', '/canary/tcn_encoder.hef') }),
        profiles: ['canary'],
        ports: [`${o.port + 1}:${service.port}`],
        networks: { [network]: {} },
      },
      [`${service.name}-stub`]: {
        ...serviceOf(o, { real: false, hef: '', backend: 'auto' }),
        profiles: ['stub'],
        ports: [`${o.port}:${service.port}`],
        networks: { [network]: { aliases: [service.name] } },
      },
    },
    networks: { [network]: { driver: 'bridge' } },
  }
}

/** The Dockerfile: the project with its production packages, started without a shell, as an ordinary user. */
export const dockerfile = (): string =>
  [
    'FROM node:22-bookworm-slim',
    `WORKDIR ${inside.project}`,
    'COPY package.json package-lock.json .npmrc ./',
    'RUN npm ci --omit=dev',
    'COPY contracts contracts',
    'COPY ffi ffi',
    'COPY lib lib',
    'COPY runbooks runbooks',
    'COPY tsconfig.json ./',
    `RUN mkdir -p module_runs ${inside.home} && chown -R node ${inside.home} module_runs`,
    'USER node',
    `EXPOSE ${service.port}`,
    'STOPSIGNAL SIGTERM',
    'CMD ["node", "--import", "tsx", "runbooks/edgeinfer-serve.ts"]',
    '',
  ].join('\n')

/** One step of the roll-out: what is typed, and what must be seen before the next. */
export interface RolloutStep {
  readonly step: string
  readonly command: string
  readonly expect: string
}

/** Canary, promotion and rollback, in order. */
export function rolloutSteps(o: DeployOptions): RolloutStep[] {
  const up = (profile: string) => `docker compose --profile ${profile} up -d --wait`
  const canary = `http://127.0.0.1:${o.port + 1}`
  return [
    { step: 'build', command: 'docker compose --profile device build', expect: 'the image is built' },
    { step: 'stub', command: up('stub'), expect: `/healthz of port ${o.port} says "stub": true` },
    { step: 'stub away', command: 'docker compose --profile stub down', expect: 'the port is free' },
    { step: 'device', command: up('device'), expect: `/readyz of port ${o.port} is 200` },
    {
      step: 'canary',
      command: `${up('canary')} ${service.name}-canary`,
      expect: `/readyz of port ${o.port + 1} is 200`,
    },
    {
      step: 'judge the canary',
      command: runbookCommand('runbooks/edgeinfer-load.ts', ['--url', canary, '--stress=false']),
      expect: 'PASS edgeinfer-load',
    },
    {
      step: 'promote',
      command: 'cp artifacts/canary/* artifacts/',
      expect: '/status shows the new sha256 within 2 s; a model that fails its self-test is not taken',
    },
    {
      step: 'roll back',
      command: `docker compose --profile canary rm --stop --force ${service.name}-canary`,
      expect: `port ${o.port} still serves the model of before`,
    },
    {
      step: 'roll back the client',
      command: 'USE_REAL_MODEL=false in the client, and start it again',
      expect: 'the client answers from its own stub',
    },
  ]
}

/**
 * Every file of a deployment by name.
 *
 * @throws RunbookError usage when the Compose file would not hold
 */
export async function renderDeployment(o: DeployOptions): Promise<Readonly<Record<string, string>>> {
  const steps = rolloutSteps(o).map(
    ({ step, command, expect }, i) => `${i + 1}. **${step}**: \`${command}\`\n   → ${expect}`,
  )
  return {
    'docker-compose.yml': await renderCompose(composeOf(o)),
    Dockerfile: dockerfile(),
    '.dockerignore': 'node_modules\nmodule_runs\n.git\ntelemetry\n',
    'rollout.md': `# Roll-out of ${service.name}\n\n${steps.join('\n')}\n`,
  }
}
