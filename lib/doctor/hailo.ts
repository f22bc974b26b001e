/**
 * Is there a Hailo device that this user can reach, and do driver, firmware and library fit each other?
 *
 * A scan by the library says "no device" in all of these cases, so the bus, the driver, the node and its permissions are looked
 * at one by one. HailoRT 4 and its driver serve Hailo-8 and Hailo-8L; HailoRT 5 and its driver serve Hailo-10H and later.
 */
import { ask, isThere, namesIn, pciDevices, statAt, textAt, type Machine, type PciDevice } from './machine.ts'
import { broken, missing, ok, versionIn, type Fact, type Need } from './fact.ts'
import { accessOf } from './permission.ts'
import type { HailoAnswer } from './probe.ts'

const needs: readonly Need[] = ['hailo']
const vendor = '1e60'

/** By PCI device number, as the vendor's drivers have them; `series` is the major version of driver and library that serve it. */
const boards: Readonly<Record<string, { name: string; series: number }>> = {
  '2864': { name: 'Hailo-8 or Hailo-8L', series: 4 },
  '45c4': { name: 'Hailo-10H', series: 5 },
  '43a2': { name: 'Hailo-15L', series: 5 },
  '26a2': { name: 'Hailo-12L', series: 5 },
}
const modules = ['hailo_pci', 'hailo1x_pci']
const classes = ['/sys/class/hailo_chardev', '/sys/class/hailo1x']
const installs = {
  4: 'sudo apt install hailo-all (elsewhere than on Raspberry Pi OS: hailort-pcie-driver of developer.hailo.ai), then reboot',
  5: 'sudo apt install h10-hailort, then reboot',
} as const
const installFor = (series: number | null) => installs[series === 5 ? 5 : 4]

/** Board, driver, node and device; of a machine with nothing of Hailo on it, the first two only. */
export async function hailoFacts(machine: Machine): Promise<Fact[]> {
  const found = await pciDevices(machine, vendor)
  const driver = await driverOf(machine)
  const nodes = namesIn(machine, '/dev').filter(name => /^hailo\d+$|^h1x-\d+$/.test(name)).map(name => `/dev/${name}`)
  const served = classes.flatMap(folder => namesIn(machine, folder))
  const probed = await machine.probe('hailort')
  const library = probed.ok ? (probed.found.version ?? null) : null
  const devices = probed.ok ? (probed.found.devices ?? []) : null
  const isBare = found.length === 0 && driver.state === 'absent' && nodes.length === 0 && served.length === 0
  const head = [boardFact(machine, found, served), driverFact({ driver, library, series: seriesOf(found), isBare })]
  if (isBare && !devices?.length) return head
  return [...head, ...nodeFacts(machine, nodes, served), ...deviceFacts({ devices, library, served })]
}

const seriesOf = (found: readonly PciDevice[]): number | null => boards[found[0]?.device ?? '']?.series ?? null

function boardFact(machine: Machine, found: readonly PciDevice[], served: readonly string[]): Fact {
  const name = 'Hailo board'
  const words = found.map(({ slot, device }) => `${boards[device]?.name ?? `unknown device ${device}`} at ${slot}`).join(', ')
  if (found.length > 0) return ok(name, words, needs)
  // A container may see the driver and not the bus.
  if (served.length > 0) return ok(name, `${served.length} that the driver serves; the PCI bus is not shown here`, needs)
  const isPi = /Raspberry Pi/.test(textAt(machine, '/proc/device-tree/model') ?? '')
  const fix = isPi
    ? 'put the board in with the power off, and set dtparam=pciex1 in /boot/firmware/config.txt'
    : 'put a board into an M.2 or PCIe slot with the power off'
  return missing(name, 'none on the PCI bus (lspci -d 1e60:)', fix, needs)
}

type Driver =
  | { readonly state: 'absent' }
  | { readonly state: 'loaded' | 'installed'; readonly module: string; readonly version: string | null }

/** The kernel module that is loaded, else the one that could be. */
async function driverOf(machine: Machine): Promise<Driver> {
  const loaded = modules.find(name => isThere(machine, `/sys/module/${name}`))
  const version = loaded === undefined ? null : versionIn(textAt(machine, `/sys/module/${loaded}/version`) ?? '')
  if (loaded !== undefined && version !== null) return { state: 'loaded', module: loaded, version }
  for (const module of loaded === undefined ? modules : [loaded]) {
    const said = await ask(machine, ['modinfo', '-F', 'version', module])
    if ('fact' in said || said.exitCode !== 0) continue
    return { state: loaded === undefined ? 'installed' : 'loaded', module, version: versionIn(said.stdout) }
  }
  return loaded === undefined ? { state: 'absent' } : { state: 'loaded', module: loaded, version: null }
}

function driverFact(o: { driver: Driver; library: string | null; series: number | null; isBare: boolean }): Fact {
  const { driver, library, series } = o
  const name = 'Hailo driver'
  if (driver.state === 'absent') {
    return missing(
      name, `${modules.join(' and ')} are not loaded and not installed for this kernel`,
      o.isBare ? `a board first, then ${installFor(series)}` : installFor(series), needs,
    )
  }
  const words = `${driver.module} ${driver.version ?? 'of unknown version'}`
  if (driver.state === 'installed') {
    return broken(
      name, `${words} is installed and not loaded`, `sudo modprobe ${driver.module}; sudo dmesg | grep -i hailo`, needs,
    )
  }
  const major = Number.parseInt(driver.version ?? '', 10)
  if (series !== null && major !== series && !Number.isNaN(major)) {
    return broken(name, `${words} does not serve this board, which wants ${series}.x`, installFor(series), needs)
  }
  if (library !== null && driver.version !== null && library !== driver.version) {
    const both = 'install one version of both (driver: hailort-pcie-driver or hailo-dkms; library: hailort), then reboot'
    const fix = `${both}; in a container the library must equal the host's driver: ${driver.version}`
    return broken(name, `${words}, but the library is ${library}: they must be equal to the last digit (status 76)`, fix, needs)
  }
  return ok(name, `${words}${library === null ? '' : ', as the library'}`, needs)
}

/** Nodes that this user may open for reading and writing. */
function nodeFacts(machine: Machine, nodes: readonly string[], served: readonly string[]): Fact[] {
  const name = 'Hailo node'
  if (nodes.length === 0 && served.length > 0) {
    return [broken(
      name, `the driver serves ${served.join(', ')}, and /dev has neither hailo0 nor h1x-0`,
      'give the container its device (docker run --device /dev/hailo0), or: sudo udevadm trigger', needs,
    )]
  }
  if (nodes.length === 0) {
    return [missing(
      name, 'neither /dev/hailo0 nor /dev/h1x-0', 'load the driver first: sudo modprobe hailo_pci; sudo dmesg | grep -i hailo',
      needs,
    )]
  }
  return nodes.map(path => {
    const access = accessOf(machine, statAt(machine, path)!)
    const words = `${path} (${access.words})`
    if (access.isGranted) return ok(name, words, needs)
    const subsystem = path.includes('h1x') ? 'hailo1x' : 'hailo_chardev'
    const write = `echo 'SUBSYSTEM=="${subsystem}", MODE="0666"' | sudo tee /etc/udev/rules.d/51-hailo-udev.rules`
    const rule = `${write} && sudo udevadm control --reload && sudo udevadm trigger`
    return broken(name, `${words}: ${machine.user.name} may not read and write it`, access.joining ?? rule, needs)
  })
}

/** @param o.devices what the library's scan finds; null when the library does not open */
function deviceFacts(
  { devices, library, served }: { devices: readonly HailoAnswer[] | null; library: string | null; served: readonly string[] },
): Fact[] {
  const name = 'Hailo device'
  if (devices === null) return [missing(name, 'not asked, because HailoRT does not open', 'see the line of HailoRT', needs)]
  if (devices.length === 0 && served.length > 0) {
    return [broken(
      name, `the driver serves ${served.join(', ')}, and the library's scan finds none`,
      'install driver and library of one series: 4.x for Hailo-8, 5.x for Hailo-10H', needs,
    )]
  }
  if (devices.length === 0) return [missing(name, 'the library\'s scan finds none', 'see the lines of board and driver', needs)]
  return devices.map(device => deviceFact(device, library))
}

/** Firmware of another minor serves almost no request. */
function deviceFact({ id, architecture, firmware, error, hint }: HailoAnswer, library: string | null): Fact {
  const name = 'Hailo device'
  if (error !== undefined) return broken(name, `${id}: ${error.split('\n')[0]}`, hint ?? 'sudo dmesg | grep -i hailo', needs)
  const words = `${architecture} ${id} firmware ${firmware}`
  const minor = (version: string | null | undefined) => version?.split('.').slice(0, 2).join('.')
  if (library !== null && minor(firmware) !== minor(library)) {
    return broken(
      name, `${words}, but the library is ${library}: the firmware's major and minor must be the same`,
      'the driver loads the firmware: install both of one version, then power the board off and on', needs,
    )
  }
  const isViaInferModel = /10H|15/.test(architecture ?? '')
  return ok(name, `${words}${isViaInferModel ? '; models run through InferModel, which wants a C++ compiler here' : ''}`, needs)
}
