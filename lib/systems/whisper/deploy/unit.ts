/**
 * The service's systemd unit, and the drop-in with the limits of its configuration.
 *
 * Everything is closed that the service does not use. MemoryDenyWriteExecute is left out: V8 compiles as it runs.
 */
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { renderUnit, unitWord, type Unit } from '../../../deploy/systemd.ts'
import type { ServiceConfig } from '../service-config.ts'
import { deviceNodes, paths, serviceName, stateFolder } from './layout.ts'

const loader = pathToFileURL(join(paths.app, 'node_modules/tsx/dist/loader.mjs')).href
const start = [paths.node, '--import', loader, join(paths.app, 'runbooks/whisper-serve.ts'), '--config', paths.json]

const environment = {
  XDG_CONFIG_HOME: '/etc/xdg',
  XDG_CONFIG_DIRS: '/etc/xdg',
  XDG_DATA_HOME: '/var/lib',
  XDG_DATA_DIRS: '/var/lib:/usr/share:/usr/local/share',
  HAILO_PRINT_TO_SYSLOG: '1',
  NODE_ENV: 'production',
  MODULE_RUNS: paths.runs,
  WHISPER_MODELS: paths.models,
  ORT_DISABLE_TELEMETRY: '1',
}

/** What the service may not do. Device nodes that are absent are passed over by systemd. */
const hardening: Unit[string] = [
  ['PrivateTmp', 'yes'],
  ['NoNewPrivileges', 'yes'],
  ['ProtectSystem', 'strict'],
  ['ProtectHome', 'yes'],
  ['ReadWritePaths', `${stateFolder} /etc/xdg/${serviceName}`],
  ['DevicePolicy', 'closed'],
  ...deviceNodes.map(node => ['DeviceAllow', `${node} rw`] as const),
  ['CapabilityBoundingSet', ''],
  ['AmbientCapabilities', ''],
  ['LockPersonality', 'yes'],
  ['ProtectClock', 'yes'],
  ['ProtectControlGroups', 'yes'],
  ['ProtectHostname', 'yes'],
  ['ProtectKernelLogs', 'yes'],
  ['ProtectKernelModules', 'yes'],
  ['ProtectKernelTunables', 'yes'],
  ['ProtectProc', 'invisible'],
  ['RemoveIPC', 'yes'],
  ['RestrictAddressFamilies', 'AF_INET AF_INET6 AF_UNIX'],
  ['RestrictNamespaces', 'yes'],
  ['RestrictRealtime', 'yes'],
  ['RestrictSUIDSGID', 'yes'],
  ['SystemCallArchitectures', 'native'],
  ['SystemCallErrorNumber', 'EPERM'],
  ['SystemCallFilter', '@system-service'],
  ['UMask', '0027'],
]

/** The text of `hailo-whisper.service`. */
export const unitText = (): string =>
  renderUnit({
    Unit: [
      ['Description', 'Hailo Whisper (speech to text)'],
      ['After', 'network-online.target'],
      ['Wants', 'network-online.target'],
    ],
    Service: [
      ['Type', 'simple'],
      ['User', serviceName],
      ['Group', serviceName],
      ['WorkingDirectory', stateFolder],
      ['StateDirectory', serviceName],
      ...Object.entries(environment).map(([name, value]) => ['Environment', `${name}=${value}`] as const),
      ['ExecStart', start.map(unitWord).join(' ')],
      ['Restart', 'always'],
      ['RestartSec', '5'],
      ['TimeoutStopSec', '30'],
      ['KillSignal', 'SIGTERM'],
      // A runbook that was told to stop leaves with 130.
      ['SuccessExitStatus', '130'],
      ...hardening,
    ],
    Install: [['WantedBy', 'multi-user.target']],
  })

/** The text of the drop-in that sets the limits of the configuration. */
export const limitsText = ({ resource_limits: limits }: ServiceConfig): string =>
  renderUnit({
    Service: [
      ['MemoryMax', limits.memory_max],
      ['CPUQuota', limits.cpu_quota],
    ],
  })
