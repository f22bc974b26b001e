/**
 * Lists the Hailo boards on the bus, and the packages that serve them.
 *
 * HailoRT 4 and its driver serve Hailo-8 and Hailo-8L; HailoRT 5 and its driver serve Hailo-10H and later. Raspberry Pi
 * OS has a package for each series, and the two do not go together.
 */
import { isWsl, namesIn, pciDevices, textAt, type Machine } from '../machine.ts'
import { missing, ok, type Fact, type Need } from '../fact.ts'

const needs: readonly Need[] = ['hailo']

/** The major version of driver and library that serve a board. */
export type Series = 4 | 5

/** A board on the PCI bus. */
export interface HailoBoard {
  /** `0001:01:00.0` */
  readonly slot: string
  readonly name: string
  /** null for a board that nobody here knows. */
  readonly series: Series | null
}

/** By PCI device number, as the vendor's drivers have them. */
const boards: Readonly<Record<string, Pick<HailoBoard, 'name' | 'series'>>> = {
  '2864': { name: 'Hailo-8 or Hailo-8L', series: 4 },
  '45c4': { name: 'Hailo-10H', series: 5 },
  '43a2': { name: 'Hailo-15L', series: 5 },
  '26a2': { name: 'Hailo-12L', series: 5 },
}

/** The boards on the PCI bus. */
export async function hailoBoards(machine: Machine): Promise<HailoBoard[]> {
  const found = await pciDevices(machine, '1e60')
  return found.map(({ slot, device }) => ({
    slot,
    ...(boards[device] ?? { name: `unknown device ${device}`, series: null }),
  }))
}

/** The driver makes one entry for each board that it serves. */
export const servedBoards = (machine: Machine): string[] =>
  ['/sys/class/hailo_chardev', '/sys/class/hailo1x'].flatMap(folder => namesIn(machine, folder))

/** The model of a Raspberry Pi, such as `5`; null on other machines. */
export const piModel = (machine: Machine): string | null =>
  /Raspberry Pi (Compute Module \d+|[\w+]+)/.exec(textAt(machine, '/proc/device-tree/model') ?? '')?.[1] ?? null

/**
 * What installs library and driver: the package of Raspberry Pi OS, or what the driver's package needs elsewhere, and
 * where it is had. Where the series is not known, with the other one behind it.
 */
export function installHailo(machine: Machine, series: Series | null): string {
  if (piModel(machine) === null) {
    const release = series === null ? '4.x (Hailo-10H: 5.x)' : `${series}.x`
    const packages = `hailort and hailort-pcie-driver of one release ${release} (sudo dpkg -i), developer.hailo.ai`
    const ofPi = series === 5 ? 'hailo-h10-all, its driver alone h10-hailort-pcie-driver' : 'hailo-all'
    return `sudo apt install dkms linux-headers-$(uname -r) # then ${packages}; on Raspberry Pi OS: ${ofPi}`
  }
  if (series === 5) return 'sudo apt install hailo-h10-all # its driver alone: h10-hailort-pcie-driver'
  return `sudo apt install hailo-all${series === null ? ' # for a Hailo-10H hailo-h10-all' : ''}`
}

/** What installs the library with its headers and hailortcli, where the driver is no matter. */
export function installHailort(machine: Machine, series: Series | null): string {
  if (piModel(machine) !== null) return installHailo(machine, series)
  const release = series === null ? '4.x (Hailo-10H: 5.x)' : `${series}.x`
  const ofPi =
    series === 5 ? 'hailo-h10-all' : series === null ? 'hailo-all, for a Hailo-10H hailo-h10-all' : 'hailo-all'
  return `sudo dpkg -i hailort_*.deb # of release ${release}, from developer.hailo.ai; on Raspberry Pi OS: ${ofPi}`
}

/** The fix for a board that WSL does not show. */
export const wslHasNoBoards = 'start Linux on the machine itself: WSL hands no PCIe board on to Linux'

/** Whether a Hailo board is there, on the bus or by what its driver serves. */
export function boardFact(machine: Machine, found: readonly HailoBoard[], served: readonly string[]): Fact {
  const name = 'Hailo board'
  if (found.length > 0) return ok(name, found.map(board => `${board.name} at ${board.slot}`).join(', '), needs)
  // A container may see the driver and not the bus.
  if (served.length > 0)
    return ok(name, `${served.length} that the driver serves; the PCI bus is not shown here`, needs)
  const state = 'none on the PCI bus (lspci -d 1e60:)'
  if (isWsl(machine)) return missing(name, `${state}, which WSL does not show`, wslHasNoBoards, needs)
  return missing(name, state, boardFix(machine), needs)
}

/** What makes a board appear, by what kind of machine this is. */
function boardFix(machine: Machine): string {
  const pi = piModel(machine)
  if (pi === null) return 'put a board into an M.2 or PCIe slot with the power off'
  if (/^(?:Compute|5)/.test(pi))
    return 'put the board in with the power off, and set dtparam=pciex1 in /boot/firmware/config.txt'
  return `a Raspberry Pi ${pi} has no PCIe connector: take a Raspberry Pi 5, or a Compute Module on a board with a slot`
}
