/**
 * Moves of a source tree as data: a plan that can be read before anything is moved, and taken back afterwards.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { readJson } from '../../../host/files.ts'

/** One move. `phase` says in which step of several it is made: moves of one phase do not depend on each other. */
export interface Move {
  readonly from: string
  readonly to: string
  readonly why: string
  readonly phase: number
}

/** A move, and what stands against it; texts that name the old place are to be changed with it. */
export interface PlannedMove extends Move {
  readonly problem: string
  readonly references: readonly string[]
}

/** What the plan proposes for the tree that it was written for. */
export const usualMoves: readonly Move[] = [
  { from: 'tools/export_onnx', to: 'python/export', why: 'Python is for export, validation and diagnostics', phase: 1 },
  { from: 'tools/verify_nemo', to: 'python/verify', why: 'references are made by Python', phase: 1 },
  { from: 'tools/onnxruntime', to: 'python/parity/onnxruntime', why: 'parity tools stand together', phase: 1 },
  { from: 'tools/tensorrt', to: 'python/parity/tensorrt', why: 'parity tools stand together', phase: 1 },
  { from: 'tools/build_trt', to: 'python/engines', why: 'engines are built from exports', phase: 2 },
  { from: 'cpp', to: 'runtime/cpp', why: 'the hot path stands in one place', phase: 3 },
  { from: 'rust', to: 'runtime/rust', why: 'the hot path stands in one place', phase: 3 },
]

/**
 * The moves of a JSON file: `[{ "from": …, "to": …, "why": …, "phase": 1 }]`.
 * @throws RunbookError usage when it holds something else, or a path leaves the tree
 */
export function readMoves(path: string): Move[] {
  const value = readJson(path)
  const refuse = (state: string) =>
    usageError(`Cannot read "${path}": ${state}`, 'write a list of { from, to, why, phase }')
  if (!Array.isArray(value)) throw refuse('it is no list')
  return value.map((entry, i) => {
    const { from, to, why = '', phase = 1 } = (entry ?? {}) as Record<string, unknown>
    if (typeof from !== 'string' || typeof to !== 'string' || typeof why !== 'string' || typeof phase !== 'number')
      throw refuse(`entry ${i + 1} lacks from or to`)
    if (![from, to].every(isInside)) throw refuse(`entry ${i + 1} leaves the tree`)
    return { from, to, why, phase }
  })
}

const isInside = (path: string) => path !== '' && !path.startsWith('/') && !normalize(path).startsWith('..')

/**
 * Plan moves in a tree: those whose source is there, with what stands against each.
 * @param texts the texts of the tree by path, which are searched for the old places
 */
export function planMoves(root: string, moves: readonly Move[], texts: readonly string[]): PlannedMove[] {
  const present = moves.filter(({ from }) => existsSync(join(root, from)))
  return present.map(move => ({
    ...move,
    problem: problemOf(root, move, present),
    references: texts.filter(path => !path.startsWith(`${move.from}/`) && namesPlace(join(root, path), move.from)),
  }))
}

function problemOf(root: string, { from, to }: Move, moves: readonly Move[]): string {
  if (existsSync(join(root, to))) return `${to} is there already`
  if (to === from || to.startsWith(`${from}/`)) return 'it would move into itself'
  if (moves.filter(other => other.to === to).length > 1) return `several moves end in ${to}`
  const parent = dirname(to)
  return existsSync(join(root, parent)) && !statSync(join(root, parent)).isDirectory() ? `${parent} is a file` : ''
}

const textBytesMax = 1 << 20

function namesPlace(path: string, place: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && stat.size <= textBytesMax && readFileSync(path, 'latin1').includes(place)
}

/** `REPO_ORGANIZATION_PROPOSAL.md`: the moves by phase, what names the old places, and how each is taken back. */
export function proposal(moves: readonly PlannedMove[]): string {
  const phases = [...new Set(moves.map(({ phase }) => phase))].toSorted((a, b) => a - b)
  const section = (phase: number) => [
    `## Phase ${phase}`,
    '',
    '| From | To | Why | Files that name it | Against it |',
    '|---|---|---|---:|---|',
    ...moves
      .filter(move => move.phase === phase)
      .map(m => `| ${m.from} | ${m.to} | ${m.why} | ${m.references.length} | ${m.problem || 'nothing'} |`),
    '',
    'Taken back by:',
    '',
    '```sh',
    ...moves.filter(move => move.phase === phase).map(m => `git mv ${m.to} ${m.from}`),
    '```',
    '',
  ]
  return [
    '# Proposal for the organization of the repository',
    '',
    moves.length === 0
      ? 'Nothing to move: none of the places that the moves name is in this tree.'
      : 'Each phase is a commit of its own; tools keep working between phases.',
    '',
    ...phases.flatMap(section),
    ...moves.flatMap(m =>
      m.references.length === 0
        ? []
        : [`### Files that name ${m.from}`, '', ...m.references.map(path => `- \`${path}\``), ''],
    ),
  ].join('\n')
}
