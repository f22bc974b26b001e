/**
 * Finds every process that descends from one that we started, and ends them all.
 *
 * A process belongs to the family when it is the root, or holds the family's marker in its environment, or lives in the
 * root's group or session, or is the child of a member, or was a member when we last looked. The marker finds those
 * that called setsid or forked twice; memory finds those that a dying parent lets go. Names play no part.
 *
 * A number alone never gets a signal: a process is its number and its start time, read again just before each one, so a
 * number that went to a stranger in between is left alone (but for the few microseconds that only a pidfd would close).
 *
 * What escapes: a process that clears its environment, leaves the session and loses its parent before anybody looks,
 * until the run that it belongs to ends, because the process that supervises a run adopts it (`hasOrphans`); and, where
 * there is no /proc (macOS), any that left the group and lost its parent, because only `ps` is asked there.
 * Processes of another user (sudo) are seen but cannot be signalled: `end` returns their numbers.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * One process. `start` is in the source's own unit (clock ticks from /proc, ms from ps); only its order and identity
 * matter.
 */
export interface ProcessRow {
  readonly pid: number
  readonly ppid: number
  readonly group: number
  readonly session: number
  readonly start: number
  /** It has ended, and its parent has not asked how: no signal reaches it and it holds nothing. */
  readonly isZombie: boolean
}

/** Where process rows come from. */
export interface ProcessSource {
  list(): ProcessRow[]
  /** The row of one process, or null when it is gone. */
  find(pid: number): ProcessRow | null
  /** Whether the process was started with this text in its environment. */
  holds(pid: number, marker: string): boolean
}

/** Linux: one file per process, no fork, usable while we exit. */
export const procSource: ProcessSource = {
  list: () =>
    readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .flatMap(name => procSource.find(Number(name)) ?? []),
  find(pid) {
    const stat = readProc(pid, 'stat')
    return stat === null ? null : rowFromStat(stat.toString('latin1'))
  },
  holds: (pid, marker) => readProc(pid, 'environ')?.includes(marker) ?? false,
}

/** Elsewhere: group and parents only, and start times to the second. */
export const psSource: ProcessSource = {
  list() {
    const env = { ...process.env, LC_ALL: 'C' }
    const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,lstart='], { encoding: 'utf8', env })
    return text.split('\n').flatMap(line => rowFromPs(line) ?? [])
  },
  find: pid => psSource.list().find(row => row.pid === pid) ?? null,
  holds: () => false,
}

/**
 * A row from the text of `/proc/<pid>/stat` (proc(5)). The program's name in it may hold spaces, brackets and newlines.
 */
export function rowFromStat(stat: string): ProcessRow {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [ppid, group, session] = fields.map(Number)
  const isZombie = state === 'Z' || state === 'X'
  return {
    pid: Number.parseInt(stat, 10),
    ppid: ppid!,
    group: group!,
    session: session!,
    start: Number(fields[18]),
    isZombie,
  }
}

function rowFromPs(line: string): ProcessRow | null {
  const [pid, ppid, group, state, ...start] = line.trim().split(/\s+/)
  if (start.length === 0) return null
  const isZombie = state!.startsWith('Z')
  return {
    pid: Number(pid),
    ppid: Number(ppid),
    group: Number(group),
    session: 0,
    start: Date.parse(start.join(' ')),
    isZombie,
  }
}

function readProc(pid: number, name: string): Buffer | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`)
  } catch {
    return null // It ended while we looked, or belongs to another user.
  }
}

/**
 * The descendants of one started process. Create it in the same tick as the start, while nobody has reaped the root.
 */
export class Family {
  readonly #root: number
  readonly #marker: string
  readonly #source: ProcessSource
  readonly #start: number
  readonly #hasOrphans: boolean
  readonly #known = new Map<number, number>()

  /**
   * @param o.marker text that only this family has in its environment, like `NAME_<uuid>=`: a short one matches
   *   strangers
   * @param o.hasOrphans whether every child of this process is a member: it started the root alone, and adopts those
   *   that lose their parent
   */
  constructor(o: { root: number; marker: string; source?: ProcessSource; hasOrphans?: boolean }) {
    if (o.marker.length < 32) throw new RangeError(`the marker "${o.marker}" is too short to be nobody else's`)
    this.#root = o.root
    this.#marker = o.marker
    this.#hasOrphans = o.hasOrphans === true
    this.#source = o.source ?? (existsSync('/proc/self/stat') ? procSource : psSource)
    this.#start = this.#source.find(o.root)?.start ?? 0
  }

  /** Every member that is alive now; zombies are not. */
  living(): ProcessRow[] {
    const all = this.#source.list()
    // When a stranger has got the root's number, its group and its session are the stranger's.
    const rootIsOurs = !all.some(row => row.pid === this.#root && row.start !== this.#start)
    // Nobody is older than the root, so the environments of older processes need not be read.
    const rows = all.filter(row => row.start >= this.#start && !row.isZombie && row.pid > 1 && row.pid !== process.pid)
    const members = new Map(rows.filter(row => this.#isMember(row, rootIsOurs)).map(row => [row.pid, row]))
    for (let before = -1; before !== members.size;) {
      before = members.size
      for (const row of rows) if (members.has(row.ppid)) members.set(row.pid, row)
    }
    for (const { pid, start } of members.values()) this.#known.set(pid, start)
    return [...members.values()]
  }

  #isMember(row: ProcessRow, rootIsOurs: boolean): boolean {
    if (this.#known.get(row.pid) === row.start) return true
    if (this.#hasOrphans && row.ppid === process.pid) return true
    if (rootIsOurs && (row.pid === this.#root || row.group === this.#root || row.session === this.#root)) return true
    return this.#source.holds(row.pid, this.#marker)
  }

  /** Send one signal to every living member, the root's group at once; returns how many members were alive. */
  signal(name: 'SIGTERM' | 'SIGKILL'): number {
    const members = this.living()
    // The group's number cannot belong to a stranger while one of ours is in it.
    const groupHas = members.some(row => row.group === this.#root && this.#now(row)?.group === this.#root)
    const groupGot = groupHas && sent(-this.#root, name)
    for (const row of members) {
      const now = this.#now(row)
      if (now !== null && !(groupGot && now.group === this.#root)) sent(row.pid, name)
    }
    return members.length
  }

  /** The same process as it is now, or null when it is gone, whoever has its number. */
  #now(row: ProcessRow): ProcessRow | null {
    const now = this.#source.find(row.pid)
    return now?.start === row.start ? now : null
  }

  /**
   * End every member: TERM, then after `graceMs` KILL, again and again until nobody is left or `killMs` have passed.
   * Returns the numbers of those that are still alive: none, but for another user's and those stuck in the kernel.
   */
  async end({ graceMs, killMs = 5000 }: { graceMs: number; killMs?: number }): Promise<number[]> {
    if (this.signal('SIGTERM') === 0) return []
    for (const until = performance.now() + graceMs; performance.now() < until;) {
      await sleep(Math.min(20, graceMs))
      if (this.living().length === 0) return []
    }
    for (const until = performance.now() + killMs; performance.now() < until;) {
      if (this.signal('SIGKILL') === 0) return []
      await sleep(10)
    }
    return this.living().map(row => row.pid)
  }

  /** KILL every member before returning, for the moment when our own process exits. Waits at most half a second. */
  endNow(): void {
    const clock = new Int32Array(new SharedArrayBuffer(4))
    for (let n = 0; n < 50 && this.signal('SIGKILL') > 0; n++) Atomics.wait(clock, 0, 0, 10)
  }
}

/** Whether the signal reached somebody. Absent (ESRCH) and forbidden (EPERM) are answers, not errors. */
function sent(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
