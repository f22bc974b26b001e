/**
 * Finds the Hailo driver of the kernel, and holds it against the board and the library.
 *
 * `hailo_pci` is the driver of HailoRT 4 (and of 5.0.0), `hailo1x_pci` that of 5.0.1 and later. Both may be loaded;
 * the one that holds the board counts. Driver and library must be of one version, to the last digit.
 */
import { ask, isThere, isWsl, linkAt, textAt, type Machine } from '../machine.ts'
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
  readonly driver: Driver
  /** The library's version; null when it does not open. */
  readonly library: string | null
  readonly series: Series | null
  /** Nothing of Hailo is here at all. */
  readonly isBare: boolean
}

/** Whether a driver is loaded that serves the board and is of the library's version. */
export async function driverFact(machine: Machine, { driver, library, series, isBare }: DriverQuestion): Promise<Fact> {
  const name = 'Hailo driver'
  const install = `${installHailo(series)}; then reboot`
  if (driver.state === 'absent') {
    const state = `${modules.join(' and ')} are not loaded and not installed for this kernel`
    const fix = !isBare ? install : isWsl(machine) ? wslHasNoBoards : `a board first, then ${install}`
    return missing(name, state, fix, needs)
  }
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
  if (library !== null && driver.version !== null && library !== driver.version) {
    const state = `${words}, but the library is ${library}: they must be equal to the last digit (status 76)`
    if ((await installedVersion(machine, driver.module)) === library) {
      return broken(name, `${state}; ${library} is installed and not yet loaded`, 'sudo reboot', needs)
    }
    return broken(name, state, oneVersion(driver.version), needs)
  }
  return ok(name, `${words}${library === null ? '' : ', as the library'}`, needs)
}

const oneVersion = (driver: string) =>
  [
    'install one version of both, then reboot: on Raspberry Pi OS sudo apt update && sudo apt full-upgrade',
    'elsewhere hailort-pcie-driver (or hailo-dkms) and hailort of one release',
    `in a container the library must equal the host's driver: ${driver}`,
  ].join('; ')
