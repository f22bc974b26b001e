/** Finds the processes that a test means. Read from /proc, so that no tool need be installed. */
import { readdirSync, readFileSync } from 'node:fs'

/** A process that was found. */
export interface Found {
  readonly pid: number
  readonly parent: number
  /** The arguments, joined by spaces. */
  readonly command: string
}

/**
 * Processes whose command line holds `word`, and whose parent is `parent` where it is given. Empty where there is no
 * /proc.
 */
export function processesWith(word: string, parent?: number): Found[] {
  return pids().flatMap(pid => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      // The name in brackets may hold spaces and brackets; state and parent follow the last one.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const found = { pid, command, parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }
      return command.includes(word) && (parent === undefined || found.parent === parent) ? [found] : []
    } catch {
      // It has ended meanwhile.
      return []
    }
  })
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}
