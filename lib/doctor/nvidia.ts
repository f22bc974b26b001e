/**
 * Is there an NVIDIA GPU that this user can reach, and does its driver answer?
 *
 * The bus, the kernel's module, the nodes and `nvidia-smi` are looked at one by one. What nvidia-smi says decides, and not only
 * its exit code: with no GPU given to a container it may say so and leave with 0.
 */
import { ask, at, isThere, namesIn, oddAnswer, pciDevices, statAt, textAt, type Machine } from './machine.ts'
import { broken, missing, ok, versionIn, type Fact, type Need } from './fact.ts'
import { accessOf } from './permission.ts'

const needs: readonly Need[] = ['nvidia']
const vendor = '10de'
const installDriver = 'sudo apt install nvidia-driver (Debian) or sudo ubuntu-drivers install (Ubuntu), then reboot'
const giveContainer = 'give the container its GPU: docker run --gpus all (nvidia-container-toolkit on the host)'

/** Driver and GPUs. */
export async function nvidiaFacts(machine: Machine): Promise<Fact[]> {
  const displays = (await pciDevices(machine, vendor)).filter(({ kind }) => kind.startsWith('03'))
  const driver = driverFact(machine, displays.length)
  return [driver, ...await gpuFacts(machine, { gpus: displays.length, driver })]
}

function driverFact(machine: Machine, gpus: number): Fact {
  const name = 'NVIDIA driver'
  const told = textAt(machine, '/proc/driver/nvidia/version') ?? ''
  const version = /Kernel Module[^\d]*(?:for \S+ +)?(\d+\.\d+(?:\.\d+)*)/.exec(told)?.[1]
    ?? versionIn(textAt(machine, '/sys/module/nvidia/version') ?? '')
  if (version) return ok(name, version, needs)
  const tegra = textAt(machine, '/etc/nv_tegra_release')?.split('\n')[0]
  if (tegra) return ok(name, `of Jetson: ${tegra.replace(/^# /, '')}`, needs)
  if (isThere(machine, '/dev/dxg') && isThere(machine, '/usr/lib/wsl/lib/libcuda.so.1')) {
    return ok(name, 'of the Windows host (WSL)', needs)
  }
  if (gpus > 0) {
    return broken(
      name, `${gpus} on the PCI bus, and no kernel module serves it`, `${installDriver}; sudo dmesg | grep -i -e nvrm -e nouveau`,
      needs,
    )
  }
  return missing(name, 'no kernel module, and no NVIDIA GPU on the PCI bus', `a GPU first, then ${installDriver}`, needs)
}

async function gpuFacts(machine: Machine, { gpus, driver }: { gpus: number; driver: Fact }): Promise<Fact[]> {
  const name = 'NVIDIA GPU'
  // Jetson's GPU is on no bus, and its nvidia-smi, where there is one, knows little.
  if (driver.state.startsWith('of Jetson')) return nodeProblems(machine) ?? [ok(
    name, textAt(machine, '/proc/device-tree/model') ?? 'of a Jetson', needs,
  )]
  const fields = 'index,name,compute_cap,memory.total,driver_version'
  const tool = isThere(machine, '/usr/lib/wsl/lib/nvidia-smi') ? at(machine, '/usr/lib/wsl/lib/nvidia-smi') : 'nvidia-smi'
  const query = [tool, `--query-gpu=${fields}`, '--format=csv,noheader']
  const said = await ask(machine, query, { name, install: installDriver, timeoutMs: 4000 })
  if ('fact' in said) {
    if (driver.status === 'ok') return nodeProblems(machine) ?? [broken(
      name, `the driver is loaded and nvidia-smi is ${said.fact.state}`,
      `sudo apt install nvidia-smi; in a container, ${giveContainer}`, needs,
    )]
    return [missing(name, gpus > 0 ? `${gpus} on the PCI bus without a driver` : 'none', driver.fix ?? installDriver, needs)]
  }
  const rows = [...said.stdout.matchAll(/^(\d+), (.+), ([\d.]+|\[N\/A\]), (.+), ([\d.]+)$/gm)]
  if (rows.length > 0 && said.exitCode === 0) {
    const denied = nodeProblems(machine)
    return denied ?? rows.map(([, index, model, capability, memory]) => ok(
      name, `${index}: ${model}, compute capability ${capability}, ${memory}`, needs,
    ))
  }
  return [brokenGpu(name, said.text, oddAnswer(said))]
}

function brokenGpu(name: string, text: string, odd: string): Fact {
  if (/version mismatch/i.test(text)) {
    return broken(
      name, 'nvidia-smi: driver and its library are of different versions',
      'reboot, or: sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia', needs,
    )
  }
  if (/no devices were found/i.test(text)) return broken(name, 'nvidia-smi finds no device', giveContainer, needs)
  if (/communicate with the NVIDIA driver/i.test(text)) {
    return broken(
      name, 'nvidia-smi cannot reach the driver: its module is not loaded', 'sudo modprobe nvidia; sudo dmesg | grep -i nvrm',
      needs,
    )
  }
  return broken(name, `nvidia-smi: ${odd}`, 'sudo dmesg | grep -i nvrm; reboot', needs)
}

/** Nodes that this user may not open, or null when all may be opened (or none is shown). */
function nodeProblems(machine: Machine): Fact[] | null {
  const nodes = namesIn(machine, '/dev').filter(name => /^nvidia(\d+|ctl|-uvm)$|^nvhost-gpu$/.test(name))
  const problems = nodes.map(name => `/dev/${name}`).flatMap(path => {
    const access = accessOf(machine, statAt(machine, path)!)
    const fix = access.joining ?? `sudo chmod a+rw ${path}, or ask who runs this machine`
    return access.isGranted ? [] : [broken(
      'NVIDIA GPU', `${path} (${access.words}): ${machine.user.name} may not read and write it`, fix, needs,
    )]
  })
  return problems.length > 0 ? problems : null
}
