/**
 * Finds the Hailo driver of the kernel, and holds it against the board and the library.
 *
 * `hailo_pci` is the driver of HailoRT 4 (and of 5.0.0), `hailo1x_pci` that of 5.0.1 and later. Both may be loaded; the
 * one that holds the board counts. Driver and library must be of one version, to the last digit.
 */
import { ask, isContainer, isThere, isWsl, linkAt, namesIn, textAt, type Machine } from '../machine.ts'
import { broken, missing, ok, versionIn, type Fact, type Need } from '../fact.ts'
import { installHailo, wslHasNoBoards, type HailoBoard, type Series } from './board.ts'

const needs: readonly Need[] = ['hailo']
const modules = ['hailo_pci', 'hailo1x_pci'] as const
/** How each calls itself on the bus. */
const driverNames: Readonly<Record<string, string>> = { hailo: 'hailo_pci', hailo1x: 'hailo1x_pci' }

/** Nothing, a module that is loaded, or one that could be. */
export type Driver =
  | { readonly state: 'absent' }
  | { readonly state: 'loaded' | 'installed'; readonly module: string; readonly version: string | null }

/** The module that a board of this series wants. */
export const moduleFor = (series: Series | null): string => (series === 5 ? 'hailo1x_pci' : 'hailo_pci')

/** The kernel module that holds the board, else the one that is loaded, else the one that could be. */
export async function driverOf(machine: Machine, boards: readonly HailoBoard[]): Promise<Driver> {
  const holding = boards
    .map(({ slot }) => linkAt(machine, `/sys/bus/pci/devices/${slot}/driver`))
    .map(name => driverNames[name ?? ''])
  const wanted = moduleFor(boards[0]?.series ?? null)
  const order = [...new Set([...holding.filter(name => name !== undefined), wanted, ...modules])]
  const loaded = order.find(name => isThere(machine, `/sys/module/${name}`))
  const version = loaded === undefined ? null : versionIn(textAt(machine, `/sys/module/${loaded}/version`) ?? '')
  if (loaded !== undefined && version !== null) return { state: 'loaded', module: loaded, version }
  for (const module of loaded === undefined ? order : [loaded]) {
    const installed = await installedVersion(machine, module)
    if (installed !== undefined)
      return { state: loaded === undefined ? 'installed' : 'loaded', module, version: installed }
  }
  return loaded === undefined ? { state: 'absent' } : { state: 'loaded', module: loaded, version: null }
}

/** What the next boot would load: null for one that tells no version, undefined when there is none. */
async function installedVersion(machine: Machine, module: string): Promise<string | null | undefined> {
  const said = await ask(machine, ['modinfo', '-F', 'version', module])
  return 'fact' in said || said.exitCode !== 0 ? undefined : versionIn(said.stdout)
}

/** What the driver is held against. */
export interface DriverQuestion {
  /** As the fact is called. */
  readonly name: string
  readonly driver: Driver
  /** The library's version; null when it does not open. */
  readonly library: string | null
  readonly series: Series | null
  /** Nothing of Hailo is here at all. */
  readonly isBare: boolean
}

/** Whether a driver is loaded that serves the board and is of the library's version. */
export async function driverFact(
  machine: Machine,
  { name, driver, library, series, isBare }: DriverQuestion,
): Promise<Fact> {
  const install = `${installHailo(machine, series)}; then reboot`
  if (driver.state === 'absent') return absentFact(machine, { name, install, isBare, module: moduleFor(series) })
  const words = `${driver.module} ${driver.version ?? 'of unknown version'}`
  if (driver.state === 'installed') {
    return broken(
      name,
      `${words} is installed and not loaded`,
      `sudo modprobe ${driver.module}; sudo dmesg | grep -i hailo`,
      needs,
    )
  }
  const major = Number.parseInt(driver.version ?? '', 10)
  if (series !== null && major !== series && !Number.isNaN(major)) {
    return broken(name, `${words} does not serve this board, which wants ${series}.x`, install, needs)
  }
  if (series !== null && library !== null && Number.parseInt(library, 10) !== series) {
    const state = `${words}, and the library is ${library}, which does not serve this board: it wants ${series}.x`
    return broken(name, state, install, needs)
  }
  if (library !== null && driver.version !== null && library !== driver.version) {
    const state = `${words}, but the library is ${library}: they must be equal to the last digit (status 76)`
    if ((await installedVersion(machine, driver.module)) === library) {
      return broken(name, `${state}; ${library} is installed and not yet loaded`, 'sudo reboot', needs)
    }
    return broken(name, state, oneVersion(driver.version), needs)
  }
  return ok(name, `${words}${library === null ? '' : ', as the library'}`, needs)
}

/** No module for this kernel: it was made for another one, is the host's to load, or was never installed. */
function absentFact(machine: Machine, o: { name: string; install: string; isBare: boolean; module: string }): Fact {
  const state = `${modules.join(' and ')} are not loaded and not installed for this kernel`
  if (o.isBare) {
    return missing(o.name, state, isWsl(machine) ? wslHasNoBoards : `a board first, then ${o.install}`, needs)
  }
  if (isContainer(machine)) {
    const fix = 'install the driver on the host, which the container shares; then: docker run --device /dev/hailo0'
    return missing(o.name, "the host's kernel has none loaded", fix, needs)
  }
  if (isMadeForAnotherKernel(machine)) {
    const fix =
      'sudo apt install dkms linux-headers-$(uname -r) && sudo dkms autoinstall && ' +
      `sudo modprobe ${o.module} # or boot the kernel from before the update`
    return broken(o.name, 'it is installed for another kernel than the one that runs', fix, needs)
  }
  return missing(o.name, state, o.install, needs)
}

/** Whether the driver's source, or a module of it for another kernel, is here. */
function isMadeForAnotherKernel(machine: Machine): boolean {
  const isHailo = (name: string) => name.startsWith('hailo')
  if (['/usr/src', '/var/lib/dkms'].some(folder => namesIn(machine, folder).some(isHailo))) return true
  const places = ['updates/dkms', 'extra', 'kernel/drivers/misc']
  return namesIn(machine, '/lib/modules').some(kernel =>
    places.some(place => namesIn(machine, `/lib/modules/${kernel}/${place}`).some(isHailo)),
  )
}

const oneVersion = (driver: string) =>
  [
    'install one version of both, then reboot: on Raspberry Pi OS sudo apt update && sudo apt full-upgrade',
    'elsewhere hailort-pcie-driver (or hailo-dkms) and hailort of one release',
    `in a container the library must equal the host's driver: ${driver}`,
  ].join('; ')
