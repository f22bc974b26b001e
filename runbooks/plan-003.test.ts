import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { applySteps } from '../lib/deploy/steps.ts'
import { hailoAppsGroup } from '../lib/systems/whisper/deploy/hailo-apps.ts'
import { configOf, installSteps, uninstallSteps } from '../lib/systems/whisper/deploy/install.ts'
import { deviceNodes, paths, serviceName, unitName } from '../lib/systems/whisper/deploy/layout.ts'
import { unitText } from '../lib/systems/whisper/deploy/unit.ts'
import { responseFormats } from '../lib/systems/whisper/server/request.ts'
import { defaultYaml, parseServiceYaml } from '../lib/systems/whisper/service-config.ts'
import { namedModel } from '../lib/systems/whisper/contract.ts'
import { installation, installOptions } from '../lib/testing/whisper/installation.ts'

// Every file, path, key, port, endpoint, format and check of the Whisper service plan, by its name. What the plan does
// with Python is done here by node: the server, its requirements and its virtualenv are the copied project and the
// copied node; a virtualenv is made only where hailo-apps fetches a model.

const root = join(import.meta.dirname, '..')
const system = join(root, 'lib/systems/whisper')
const read = (name: string) => readFileSync(join(system, name), 'utf8')
const skip = process.getuid?.() === 0 ? false : 'root: accounts and owners are set by root'

test('each name of plan 003 holds here', { skip }, async t => {
  const config = await parseServiceYaml(defaultYaml(), 'config.yaml')
  const unit = unitText()
  const has = (directive: string) => assert.match(unit, new RegExp(`^${directive.replaceAll('/', '\\/')}$`, 'm'))
  const at = await installation(t)
  const steps = installSteps(at.target, await installOptions(at, { warmup: true }))
  const installed = await applySteps(steps)
  const names = installed.map(({ name }) => name)
  const inRoot = (path: string) => join(at.root, path)
  const runbook = (name: string) => readFileSync(join(root, 'runbooks', name), 'utf8')
  const table: Record<string, () => unknown> = {
    'Default model: whisper-small-int8': () => assert.equal(config.model.name, 'whisper-small-int8'),
    'whisper-small-int8 is small, quantised': () => {
      const { published, precision } = namedModel('whisper-small-int8')
      assert.deepEqual([published, precision], ['small', 'int8'])
    },
    'Default port: 11437': () => assert.equal(config.server.port, 11437),
    '1.1 /opt/hailo-whisper': () => assert.ok(existsSync(inRoot('/opt/hailo-whisper'))),
    '1.1 /opt/hailo-whisper/venv': () => assert.equal(paths.venv, '/opt/hailo-whisper/venv'),
    '1.1 /opt/hailo-whisper/vendor/hailo-apps': () =>
      assert.equal(paths.hailoApps, '/opt/hailo-whisper/vendor/hailo-apps'),
    '1.1 hailo_whisper_server.py: the server, as runbooks/whisper-serve.ts of the copy': () =>
      assert.match(
        unit,
        /^ExecStart=\/opt\/hailo-whisper\/.* \/opt\/hailo-whisper\/app\/runbooks\/whisper-serve\.ts /m,
      ),
    '1.1 render_config.py: the JSON is rendered at each installation': () =>
      assert.ok(names.includes(`file ${paths.json}`)),
    '1.1 requirements.txt: the copy has its package.json': () => assert.ok(existsSync(join(root, 'package.json'))),
    '1.1 /var/lib/hailo-whisper/resources/models/hailo10h': () => {
      assert.equal(paths.hailoModels, '/var/lib/hailo-whisper/resources/models/hailo10h')
      assert.ok(existsSync(inRoot(paths.hailoModels)))
    },
    '1.1 /var/lib/hailo-whisper/cache': () => assert.ok(existsSync(inRoot('/var/lib/hailo-whisper/cache'))),
    '1.1 /etc/hailo/hailo-whisper.yaml': () => assert.ok(existsSync(inRoot('/etc/hailo/hailo-whisper.yaml'))),
    '1.1 /etc/xdg/hailo-whisper/hailo-whisper.json': () =>
      assert.ok(existsSync(inRoot('/etc/xdg/hailo-whisper/hailo-whisper.json'))),
    '1.1 /etc/systemd/system/hailo-whisper.service': () =>
      assert.ok(existsSync(inRoot('/etc/systemd/system/hailo-whisper.service'))),
    '1.2 service user and group hailo-whisper': () => {
      assert.equal(serviceName, 'hailo-whisper')
      assert.ok(names.includes('user hailo-whisper') && names.includes('group hailo-whisper'))
    },
    '1.2 /dev/hailo0': () => assert.equal(deviceNodes[0], '/dev/hailo0'),
    '1.2 /var/lib/hailo-whisper is the service’s': () => {
      const uid = Number(/^hailo-whisper:[^:]*:(\d+)/m.exec(readFileSync(inRoot('/etc/passwd'), 'utf8'))![1])
      assert.equal(statSync(inRoot('/var/lib/hailo-whisper')).uid, uid)
    },
    '2.1 preflight: root, device, hailortcli, bindings, interpreter, ffmpeg': () => {
      const looks = ['run by root', 'node 20.19 or newer', 'ffmpeg', 'Hailo device', 'HailoRT', 'hailortcli']
      assert.deepEqual(names.slice(0, 6), looks)
    },
    '2.2 venv with --system-site-packages, 2.3 vendored hailo-apps': () => {
      const text = read('deploy/hailo-apps.ts')
      for (const word of ['--system-site-packages', 'RESOURCES_ROOT_PATH_DEFAULT', '__init__.py']) {
        assert.ok(text.includes(word), word)
      }
    },
    '2.4 the YAML is written only where there is none': async () => {
      const again = await applySteps(installSteps(at.target, await installOptions(at)))
      assert.equal(again.find(({ name }) => name === `file ${paths.yaml}`)!.detail, 'there, left as it is')
    },
    '2.5 download_resources: group, arch, resource-type, resource-name': () => {
      assert.equal(hailoAppsGroup, 'whisper_chat')
      for (const word of ['hailo10h', '--resource-type', '--resource-name', 'download_resources']) {
        assert.ok(read('deploy/hailo-apps.ts').includes(word), word)
      }
    },
    '2.6 daemon-reload, enable, start': () => {
      for (const command of ['daemon-reload', `enable ${unitName}`, `restart ${unitName}`]) {
        assert.ok(at.manager.commands.includes(command), command)
      }
    },
    '2.6 warmup asks /health/ready': () => assert.ok(names.at(-1)!.endsWith('/health/ready answers')),
    '3 WorkingDirectory': () => has('WorkingDirectory=/var/lib/hailo-whisper'),
    '3 StateDirectory': () => has('StateDirectory=hailo-whisper'),
    '3 XDG_CONFIG_HOME': () => has('Environment=XDG_CONFIG_HOME=/etc/xdg'),
    '3 XDG_CONFIG_DIRS': () => has('Environment=XDG_CONFIG_DIRS=/etc/xdg'),
    '3 XDG_DATA_HOME': () => has('Environment=XDG_DATA_HOME=/var/lib'),
    '3 XDG_DATA_DIRS': () => has('Environment=XDG_DATA_DIRS=/var/lib:/usr/share:/usr/local/share'),
    '3 HAILO_PRINT_TO_SYSLOG': () => has('Environment=HAILO_PRINT_TO_SYSLOG=1'),
    '3 Restart, RestartSec, TimeoutStopSec, KillSignal': () => {
      for (const line of ['Restart=always', 'RestartSec=5', 'TimeoutStopSec=30', 'KillSignal=SIGTERM']) has(line)
    },
    '3 MemoryMax, CPUQuota from the YAML': () =>
      assert.equal(readFileSync(inRoot(paths.limits), 'utf8'), '[Service]\nMemoryMax=3G\nCPUQuota=80%\n'),
    '3 PrivateTmp, NoNewPrivileges, ProtectSystem, ProtectHome, ReadWritePaths': () => {
      for (const line of ['PrivateTmp=yes', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'ProtectHome=yes']) has(line)
      has('ReadWritePaths=/var/lib/hailo-whisper /etc/xdg/hailo-whisper')
    },
    '4.1 language: en in the YAML, null to detect': async () => {
      assert.equal(config.transcription.language, 'en')
      const text = defaultYaml().replace('language: en', 'language: null')
      assert.equal((await parseServiceYaml(text, 'x')).transcription.language, null)
    },
    '4.1 keep_alive': () => assert.equal(config.model.keep_alive, -1),
    '4.3 limits of duration and size, vad_filter': () => {
      assert.equal(config.transcription.max_audio_duration_seconds, 300)
      assert.equal(config.server.max_upload_bytes, 25 * 2 ** 20)
      assert.equal(config.transcription.vad_filter, true)
    },
    '4.4 endpoints': () => {
      for (const path of ['/v1/audio/transcriptions', '/v1/models', '/health', '/health/ready']) {
        assert.ok(read('server/service.ts').includes(`'${path}'`), path)
      }
    },
    '4.4 formats': () =>
      assert.deepEqual([...responseFormats].toSorted(), ['json', 'srt', 'text', 'verbose_json', 'vtt']),
    '5.2 cache_dir and resources_dir': () => {
      assert.equal(config.storage.cache_dir, '/var/lib/hailo-whisper/cache')
      assert.equal(config.storage.resources_dir, '/var/lib/hailo-whisper/resources')
    },
    '6 API_SPEC.md, ARCHITECTURE.md, TROUBLESHOOTING.md, config.yaml': () => {
      for (const name of ['API_SPEC.md', 'ARCHITECTURE.md', 'TROUBLESHOOTING.md', 'config.yaml']) read(name)
      assert.match(read('API_SPEC.md'), /11437/)
      for (const word of ['hailo-apps', 'server.port', 'whisper-model.ts']) {
        assert.ok(read('TROUBLESHOOTING.md').includes(word), word)
      }
    },
    '7.1 install.sh and verify.sh: their runbooks': () => {
      assert.match(runbook('whisper-install.ts'), /--uninstall/)
      assert.match(runbook('whisper-verify.ts'), /five formats/)
    },
    'uninstall.sh: everything goes but the YAML': async () => {
      await applySteps(uninstallSteps(at.target))
      assert.equal(existsSync(inRoot('/opt/hailo-whisper')), false)
      assert.equal(existsSync(inRoot('/var/lib/hailo-whisper')), false)
      assert.ok(existsSync(inRoot(paths.yaml)))
    },
  }
  assert.equal((await configOf(at.target)).model.name, 'whisper-small-int8')
  for (const [name, check] of Object.entries(table)) {
    try {
      await check()
    } catch (thrown) {
      throw new Error(name, { cause: thrown })
    }
  }
})
