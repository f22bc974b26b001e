/**
 * Looks at Hailo boards, driver, nodes, firmware and devices, one by one.
 *
 * A scan by the library says "no device" in all of these cases, so the bus, the driver, the node and its permissions
 * are looked at one by one.
 */
import { isContainer, namesIn, statAt, type Machine } from '../machine.ts'
import { broken, missing, ok, type Fact, type Need } from '../fact.ts'
import { boardFact, hailoBoards, servedBoards, type HailoBoard, type Series } from './board.ts'
import { driverFact, driverOf, moduleFor, type Driver } from './driver.ts'
import { compilerFacts } from './infer-model.ts'
import { accessOf } from '../permission.ts'
import type { Failure, HailoAnswer } from '../probe/probe.ts'

const needs: readonly Need[] = ['hailo']

/** Board, driver, node and device; of a machine with nothing of Hailo on it, the first two only. */
export async function hailoFacts(machine: Machine): Promise<Fact[]> {
  const boards = await hailoBoards(machine)
  const drivers = await driversOf(machine, boards)
  const { driver, series } = drivers[0]!
  const nodes = namesIn(machine, '/dev')
    .filter(name => /^hailo\d+$|^h1x-\d+$/.test(name))
    .map(name => `/dev/${name}`)
  const served = servedBoards(machine)
  const probed = await machine.probe('hailort')
  const library = probed.ok ? (probed.found.version ?? null) : null
  const failure = probed.ok ? probed.found.scanFailure : undefined
  const devices = probed.ok && failure === undefined ? (probed.found.devices ?? []) : null
  const isBare = boards.length === 0 && driver.state === 'absent' && nodes.length === 0 && served.length === 0
  const fits = await Promise.all(drivers.map(one => driverFact(machine, { ...one, library, isBare })))
  const head = [boardFact(machine, boards, served), ...fits]
  if (isBare && !devices?.length && (failure === undefined || failure.kind === 'absent')) return head
  const isDriverOk = fits.every(({ status }) => status === 'ok')
  const ofNodes = nodeFacts(machine, { nodes, served, driver, series, isDriverOk })
  const culprit = !isDriverOk ? 'driver' : ofNodes.every(({ status }) => status === 'ok') ? null : 'node'
  return [
    ...head,
    ...ofNodes,
    ...deviceFacts({ devices, failure, library, served, culprit }),
    ...(await compilerFacts(machine, { boards, devices: devices ?? [] })),
  ]
}

/** The driver of each series of boards: two boards may want two. */
async function driversOf(machine: Machine, boards: readonly HailoBoard[]) {
  const all = boards.length === 0 ? [null] : [...new Set(boards.map(({ series }) => series))]
  return Promise.all(
    all.map(async series => {
      const served = boards.filter(board => board.series === series)
      const name = all.length === 1 ? 'Hailo driver' : `Hailo driver of ${served[0]!.name}`
      return { name, series, driver: await driverOf(machine, served) }
    }),
  )
}

interface Nodes {
  readonly nodes: readonly string[]
  readonly served: readonly string[]
  readonly driver: Driver
  readonly series: Series | null
  /** Each board has a driver that serves it. */
  readonly isDriverOk: boolean
}

/** Nodes that this user may open for reading and writing. */
function nodeFacts(machine: Machine, { nodes, served, driver, series, isDriverOk }: Nodes): Fact[] {
  const name = 'Hailo node'
  if (nodes.length === 0 && served.length > 0) {
    const node = served[0]!.startsWith('h1x') ? served[0]! : 'hailo0'
    return [
      broken(
        name,
        `the driver serves ${served.join(', ')}, and /dev has neither hailo0 nor h1x-0`,
        `give the container its device (docker run --device /dev/${node}), or: sudo udevadm trigger`,
        needs,
      ),
    ]
  }
  if (nodes.length === 0) {
    const load =
      `sudo modprobe ${driver.state === 'absent' ? moduleFor(series) : driver.module}; sudo dmesg | grep -i ` + 'hailo'
    const isOther = driver.state === 'loaded' && !isDriverOk
    const fix = driver.state === 'absent' || isOther ? 'the driver makes it: see the line of Hailo driver' : load
    return [missing(name, 'neither /dev/hailo0 nor /dev/h1x-0', fix, needs)]
  }
  return nodes.map(path => {
    const access = accessOf(machine, statAt(machine, path)!)
    const words = `${path} (${access.words})`
    if (access.isGranted) return ok(name, words, needs)
    const subsystem = path.includes('h1x') ? 'hailo1x' : 'hailo_chardev'
    const write = `echo 'SUBSYSTEM=="${subsystem}", MODE="0666"' | sudo tee /etc/udev/rules.d/51-hailo-udev.rules`
    const rule = `${write} && sudo udevadm control --reload && sudo udevadm trigger`
    const state = `${words}: ${machine.user.name} may not read and write it`
    if (isContainer(machine)) {
      const given = `docker run --device ${path} --group-add $(stat -c %g ${path}), where its group may write`
      return broken(name, state, `on the host: ${given}; else there: ${rule}`, needs)
    }
    return broken(name, state, access.joining ?? rule, needs)
  })
}

interface Devices {
  /** What the library's scan finds; null when it finds out nothing. */
  readonly devices: readonly HailoAnswer[] | null
  /** Why the scan failed; absent when it did not, or the library does not open. */
  readonly failure: Failure | undefined
  readonly library: string | null
  readonly served: readonly string[]
  /** The line that says already why nothing is found. */
  readonly culprit: 'driver' | 'node' | null
}

function deviceFacts({ devices, failure, library, served, culprit }: Devices): Fact[] {
  const name = 'Hailo device'
  if (failure !== undefined) {
    // Where nothing is served, driver and board have told already what is absent.
    const say = failure.kind === 'absent' && served.length === 0 ? missing : broken
    return [say(name, failure.message.split('\n')[0]!, failure.hint, needs)]
  }
  if (devices === null)
    return [missing(name, 'not asked, because HailoRT does not open', 'see the line of HailoRT', needs)]
  if (devices.length === 0 && served.length > 0) {
    return [
      broken(
        name,
        `the driver serves ${served.join(', ')}, and the library's scan finds none`,
        culprit === null
          ? 'install driver and library of one series: 4.x for Hailo-8, 5.x for Hailo-10H'
          : `see the line of Hailo ${culprit}`,
        needs,
      ),
    ]
  }
  if (devices.length === 0)
    return [missing(name, "the library's scan finds none", 'see the lines of board and driver', needs)]
  return devices.map(device => deviceFact(device, library))
}

/** Firmware of another minor serves almost no request. */
function deviceFact({ id, architecture, firmware, error, hint }: HailoAnswer, library: string | null): Fact {
  const name = 'Hailo device'
  if (error !== undefined)
    return broken(name, `${id}: ${error.split('\n')[0]}`, hint ?? 'sudo dmesg | grep -i hailo', needs)
  const words = `${architecture} ${id} firmware ${firmware}`
  const minor = (version: string | null | undefined) => version?.split('.').slice(0, 2).join('.')
  if (library !== null && minor(firmware) !== minor(library)) {
    return broken(
      name,
      `${words}, but the library is ${library}: the firmware's major and minor must be the same`,
      'the driver loads the firmware: install both of one version, then power the board off and on',
      needs,
    )
  }
  return ok(name, words, needs)
}
