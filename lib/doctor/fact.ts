/**
 * Defines what the doctor says of one thing on a machine, and how it reads.
 *
 * A fact is `ok`, `missing` (with what installs it) or `broken` (with the fix): never a bare no. Which facts a question
 * wants is in `questions.ts`.
 */
import { oneLine } from '../base/text.ts'

/** What a machine may be asked for: the main job on its CPU, running HEFs, running plans, compiling HEFs. */
export type Need = 'main' | 'hailo' | 'nvidia' | 'dfc'

/** One thing that was looked at, what it is like, and what mends it. */
export interface Fact {
  /** What it is about, in a word or two: `HailoRT`, `Hailo driver`. */
  readonly name: string
  readonly status: 'ok' | 'missing' | 'broken'
  /** What was found (path, version), or what is wrong; one line. */
  readonly state: string
  /** What installs or mends it: a command, or what to do. null when it is ok. */
  readonly fix: string | null
  /** Which questions cannot be answered unless it is ok. */
  readonly needs: readonly Need[]
}

type Needing = readonly Need[]

/** It is there and works. */
export const ok = (name: string, state: string, needs: Needing = []): Fact => ({
  name,
  status: 'ok',
  state: oneLine(state),
  fix: null,
  needs,
})

/** It is not there; `fix` is the command that installs it. */
export const missing = (name: string, state: string, fix: string, needs: Needing = []): Fact => ({
  name,
  status: 'missing',
  state: oneLine(state),
  fix: oneLine(fix),
  needs,
})

/** It is there and does not work. */
export const broken = (name: string, state: string, fix: string, needs: Needing = []): Fact => ({
  name,
  status: 'broken',
  state: oneLine(state),
  fix: oneLine(fix),
  needs,
})

/** One line for each fact, in columns: `missing  ffmpeg   not on PATH   install: sudo apt install ffmpeg`. */
export function factLines(facts: readonly Fact[]): string[] {
  const widest = Math.max(0, ...facts.map(({ name }) => name.length))
  return facts.map(({ status, name, state, fix }) => {
    const what = fix === null ? '' : `; ${status === 'missing' ? 'install' : 'fix'}: ${fix}`
    return `${status.padEnd('missing'.length)}  ${name.padEnd(widest)}  ${state}${what}`
  })
}

/** The first version in a text: `4.23.0`, `0.49.24`, `22.05.8`; null when there is none. */
export const versionIn = (text: string): string | null => /\d+\.\d+(?:\.\d+)*/.exec(text)?.[0] ?? null

/** Whether version `a` is at least `b`, number by number. */
export function isAtLeast(a: string, b: string): boolean {
  const [left, right] = [a, b].map(version =>
    version
      .replace(/^v/, '')
      .split('.')
      .map(part => Number.parseInt(part, 10)),
  )
  for (const [i, wanted] of right!.entries()) {
    const given = left![i] ?? 0
    if (given !== wanted) return given > wanted
  }
  return true
}
