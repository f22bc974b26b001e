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

/** The package of Raspberry Pi OS, in a command; where the series is not known, with the other one behind it. */
export function installHailo(series: Series | null): string {
  const elsewhere = 'elsewhere than on Raspberry Pi OS: developer.hailo.ai'
  if (series === 5) return `sudo apt install hailo-h10-all # its driver alone: h10-hailort-pcie-driver; ${elsewhere}`
  const other = series === null ? 'for a Hailo-10H hailo-h10-all; ' : ''
  return `sudo apt install hailo-all # ${other}${elsewhere}`
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
  const isPi = /Raspberry Pi/.test(textAt(machine, '/proc/device-tree/model') ?? '')
  const fix = isPi
    ? 'put the board in with the power off, and set dtparam=pciex1 in /boot/firmware/config.txt'
    : 'put a board into an M.2 or PCIe slot with the power off'
  return missing(name, state, fix, needs)
}
