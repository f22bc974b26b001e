/**
 * Looks at NVIDIA GPUs, their driver and its nodes.
 *
 * The bus, the kernel's module, the nodes and `nvidia-smi` are looked at one by one. What nvidia-smi says decides, and
 * not only its exit code: with no GPU given to a container it may say so and leave with 0.
 */
import {
  ask,
  at,
  isContainer,
  isJetson,
  isThere,
  isWsl,
  namesIn,
  oddAnswer,
  pciDevices,
  statAt,
  textAt,
  type Machine,
} from '../machine.ts'
import { broken, missing, ok, versionIn, type Fact, type Need } from '../fact.ts'
import { driverFor } from '../probe/libraries.ts'
import { accessOf } from '../permission.ts'

const needs: readonly Need[] = ['nvidia']
const vendor = '10de'
const windowsDriver =
  "NVIDIA's driver belongs into Windows, never into WSL itself; then in Windows: wsl --update && wsl --shutdown"
const giveJetson = 'give the container what the host has: docker run --runtime nvidia (nvidia-container-toolkit there)'
const giveContainer = 'give it its GPU: docker run --gpus all (nvidia-container-toolkit on the host)'

/** Driver, GPUs and nodes; of a machine with nothing of NVIDIA, the first two only. */
export async function nvidiaFacts(machine: Machine): Promise<Fact[]> {
  const displays = (await pciDevices(machine, vendor)).filter(({ kind }) => kind.startsWith('03'))
  const driver = await driverFact(machine, displays.length)
  // nvidia-smi makes the nodes where they were not made yet, so that they are looked at after it.
  const gpus = await gpuFacts(machine, { gpus: displays.length, driver })
  return [driver, ...gpus, ...nodeFacts(machine)]
}

function installDriver(machine: Machine): string {
  if (isWsl(machine)) return windowsDriver
  const isUbuntu = /^ID(_LIKE)?=.*ubuntu/m.test(textAt(machine, '/etc/os-release') ?? '')
  return `${isUbuntu ? 'sudo ubuntu-drivers install' : 'sudo apt install nvidia-driver'} # then reboot`
}

async function driverFact(machine: Machine, gpus: number): Promise<Fact> {
  const name = 'NVIDIA driver'
  const told = textAt(machine, '/proc/driver/nvidia/version') ?? ''
  const version =
    /Kernel Module[^\d]*(?:for \S+ +)?(\d+\.\d+(?:\.\d+)*)/.exec(told)?.[1] ??
    versionIn(textAt(machine, '/sys/module/nvidia/version') ?? '')
  if (version) return servedFact(machine, version)
  const tegra = textAt(machine, '/etc/nv_tegra_release')?.split('\n')[0]
  if (tegra) return ok(name, `of Jetson: ${tegra.replace(/^# /, '')}`, needs)
  if (isJetson(machine))
    return broken(name, 'the board is a Jetson, and its driver is not given here', giveJetson, needs)
  if (isThere(machine, '/dev/dxg') && isThere(machine, '/usr/lib/wsl/lib/libcuda.so.1')) {
    return servedFact(machine, 'of the Windows host (WSL)')
  }
  if (isWsl(machine))
    return missing(
      name,
      'Windows gives this WSL no NVIDIA driver (/usr/lib/wsl/lib/libcuda.so.1)',
      windowsDriver,
      needs,
    )
  if (gpus > 0) {
    return broken(
      name,
      `${gpus} on the PCI bus, and no kernel module serves it`,
      `${installDriver(machine)}; see also: sudo dmesg | grep -i -e nvrm -e nouveau`,
      needs,
    )
  }
  const fix = isContainer(machine) ? giveContainer : `a GPU first, then ${installDriver(machine)}`
  return missing(name, 'no kernel module, and no NVIDIA GPU on the PCI bus', fix, needs)
}

/** The driver is there; it may be older than the CUDA runtime wants. */
async function servedFact(machine: Machine, words: string): Promise<Fact> {
  const name = 'NVIDIA driver'
  const probed = await machine.probe('cuda')
  const { version = '', driverVersion = '0.0' } = probed.ok ? probed.found : {}
  const [runtime, served] = [version, driverVersion].map(text => Number.parseInt(text, 10))
  if (!served) return ok(name, words, needs)
  const serves = `${words}, serves CUDA ${driverVersion}`
  if (!(runtime! > served)) return ok(name, serves, needs)
  return broken(
    name,
    `${serves}: too old for the CUDA runtime ${version} here`,
    isWsl(machine) ? windowsDriver : `install ${driverFor(runtime!)}: ${installDriver(machine)}`,
    needs,
  )
}

async function gpuFacts(machine: Machine, { gpus, driver }: { gpus: number; driver: Fact }): Promise<Fact[]> {
  const name = 'NVIDIA GPU'
  // Jetson's GPU is on no bus, and its nvidia-smi, where there is one, knows little.
  if (isJetson(machine) || isThere(machine, '/etc/nv_tegra_release')) {
    const model = textAt(machine, '/proc/device-tree/model') ?? 'of a Jetson'
    return driver.status === 'ok' ? [ok(name, model, needs)] : [broken(name, model, giveJetson, needs)]
  }
  const fields = 'index,name,compute_cap,memory.total,driver_version'
  const tool = isThere(machine, '/usr/lib/wsl/lib/nvidia-smi')
    ? at(machine, '/usr/lib/wsl/lib/nvidia-smi')
    : 'nvidia-smi'
  const query = [tool, `--query-gpu=${fields}`, '--format=csv,noheader']
  const said = await ask(machine, query, { name, timeoutMs: 4000 })
  if ('fact' in said) {
    if (driver.status === 'missing' || !isModuleLoaded(machine)) {
      return [missing(name, gpus > 0 ? `${gpus} on the PCI bus without a driver` : 'none', driver.fix!, needs)]
    }
    return [
      broken(
        name,
        `the driver is loaded, and nvidia-smi cannot be asked: ${said.fact.state}`,
        isWsl(machine)
          ? windowsDriver
          : `in a container ${giveContainer}; on the machine itself: sudo apt install nvidia-smi`,
        needs,
      ),
    ]
  }
  const rows = [...said.stdout.matchAll(/^(\d+), (.+), ([\d.]+|\[N\/A\]), (.+), ([\d.]+)$/gm)]
  if (rows.length === 0 || said.exitCode !== 0) return [brokenGpu(name, said.text, oddAnswer(said))]
  return rows.map(([, index, model, capability, memory]) =>
    ok(name, `${index}: ${model}, compute capability ${capability}, ${memory}`, needs),
  )
}

/** Whether some NVIDIA driver is at work: the kernel's module, or that of Windows in WSL. */
const isModuleLoaded = (machine: Machine): boolean =>
  ['/proc/driver/nvidia/version', '/sys/module/nvidia/version', '/dev/dxg'].some(path => isThere(machine, path))

function brokenGpu(name: string, text: string, odd: string): Fact {
  if (/version mismatch/i.test(text)) {
    return broken(
      name,
      'nvidia-smi: driver and its library are of different versions',
      'reboot the machine, or: sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia',
      needs,
    )
  }
  if (/no devices were found/i.test(text))
    return broken(name, 'nvidia-smi finds no device', `in a container ${giveContainer}`, needs)
  if (/communicate with the NVIDIA driver/i.test(text)) {
    return broken(
      name,
      'nvidia-smi cannot reach the driver: its module is not loaded',
      'sudo modprobe nvidia; sudo dmesg | grep -i nvrm',
      needs,
    )
  }
  return broken(name, `nvidia-smi: ${odd}`, 'sudo dmesg | grep -i nvrm # then reboot', needs)
}

/** All nodes in one line where this user may open them, else a line for each that he may not. No node, no line. */
function nodeFacts(machine: Machine): Fact[] {
  const name = 'NVIDIA node'
  const isNode = (entry: string) =>
    /^nvidia(\d+|ctl|-uvm)$|^nvhost-gpu$/.test(entry) || (entry === 'dxg' && isWsl(machine))
  const paths = namesIn(machine, '/dev')
    .filter(isNode)
    .map(entry => `/dev/${entry}`)
  const nodes = paths.map(path => ({ path, access: accessOf(machine, statAt(machine, path)!) }))
  const denied = nodes.filter(({ access }) => !access.isGranted)
  const words = nodes.map(({ path, access }) => `${path} (${access.words})`).join(', ')
  if (denied.length === 0) return nodes.length === 0 ? [] : [ok(name, words, needs)]
  return denied.map(({ path, access }) =>
    broken(
      name,
      `${path} (${access.words}): ${machine.user.name} may not read and write it`,
      access.joining ?? `sudo chmod a+rw ${path} # or ask who runs this machine`,
      needs,
    ),
  )
}
