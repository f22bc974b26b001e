/**
 * Where the Whisper service lies on a machine: every path, name and port that its installation promises.
 */
import { join } from 'node:path'

/** The service's user, group and unit are called so. */
export const serviceName = 'hailo-whisper'

/** `user:group` of the service. */
export const serviceOwner = `${serviceName}:${serviceName}`

/** The unit's file name. */
export const unitName = `${serviceName}.service`

/** Code: root's, and not writable by the service. */
export const codeFolder = '/opt/hailo-whisper'

/** State: the service's own. */
export const stateFolder = '/var/lib/hailo-whisper'

/** Every path of an installation. */
export const paths = {
  /** The copy of node that the unit starts; a node in a home folder is hidden from it by ProtectHome. */
  node: join(codeFolder, 'runtime/bin/node'),
  app: join(codeFolder, 'app'),
  /** Only where hailo-apps fetches the model: a virtualenv that sees the system's `hailo_platform`. */
  venv: join(codeFolder, 'venv'),
  hailoApps: join(codeFolder, 'vendor/hailo-apps'),
  resources: join(stateFolder, 'resources'),
  /** Exported models: the service's `WHISPER_MODELS`. */
  models: join(stateFolder, 'resources/models/whisper'),
  /** HEFs of a Hailo-10H, as hailo-apps names the folder. */
  hailoModels: join(stateFolder, 'resources/models/hailo10h'),
  cache: join(stateFolder, 'cache'),
  runs: join(stateFolder, 'runs'),
  yaml: '/etc/hailo/hailo-whisper.yaml',
  json: '/etc/xdg/hailo-whisper/hailo-whisper.json',
  unit: join('/etc/systemd/system', unitName),
  limits: join('/etc/systemd/system', `${unitName}.d`, 'limits.conf'),
} as const

/** Device nodes of a Hailo-8/8L and of a Hailo-10H; the first that is there counts. */
export const deviceNodes = ['/dev/hailo0', '/dev/h1x-0'] as const
