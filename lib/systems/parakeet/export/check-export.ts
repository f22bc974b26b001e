/**
 * Checks an exported model folder: its graphs, its joint, its meta against a contract, and a run of each component.
 */
import { join } from 'node:path'
import { readModel, type ModelProto } from '../../../formats/onnx/index.ts'
import { sha256File } from '../../../host/digest.ts'
import { checkModel } from '../../../onnx/check/check.ts'
import type { ParakeetContract } from '../contract/read.ts'
import type { ModelMeta } from '../model/meta.ts'

/** What is wrong with one file of a folder; nothing when the lists are empty. */
export interface FileProblems {
  readonly file: string
  readonly problems: readonly string[]
}

/** A check that speaks of weights in another file is none of the graph's. */
const isExpected = (problem: string) => problem.includes('keeps its values in another file')

/** Names, order, weights, versions and shapes of every graph of a folder. */
export function checkGraphs(folder: string, files: readonly string[]): FileProblems[] {
  return files
    .filter(file => file.endsWith('.onnx'))
    .map(file => {
      const { problems } = checkModel(readModel(join(folder, file)))
      return { file, problems: problems.filter(problem => !isExpected(problem)) }
    })
}

/** Operators that turn logits into probabilities. */
const normalisers = new Set(['Softmax', 'LogSoftmax', 'LogSumExp', 'ReduceLogSumExp'])

/**
 * The operators on the way to an output that normalise it; none for a joint that gives logits. Every node is followed
 * back from the output, whatever lies between.
 */
export function normalisersOf({ graph }: ModelProto, output: string): string[] {
  const makers = new Map(graph.node.flatMap(node => node.output.map(value => [value, node] as const)))
  const seen = new Set<string>()
  const found: string[] = []
  const pending = [output]
  while (pending.length > 0) {
    const value = pending.pop()!
    const node = makers.get(value)
    if (node === undefined || seen.has(value)) continue
    seen.add(value)
    if (normalisers.has(node.opType)) found.push(`${node.opType} "${node.name}"`)
    pending.push(...node.input)
  }
  return found
}

/** One value of a contract, and what a model says of it. */
export interface ComparedValue {
  readonly pointer: string
  readonly contract: unknown
  readonly found: unknown
  readonly same: boolean
}

/** Parts of a meta that hold for any model of the family. */
const sharedParts = ['features', 'timebase', 'decode'] as const
/** Parts that hold for the model of the contract alone. */
const ownParts = ['encoder', 'tokenizer', 'predictor', 'joint', 'streaming'] as const

/**
 * Compare every value that a meta and a contract both state, type and all.
 * @param isThatModel whether the sizes must agree too; else the front end, the time base and the decoding rules
 */
export function compareMeta(meta: ModelMeta, contract: ParakeetContract, isThatModel: boolean): ComparedValue[] {
  const parts = isThatModel ? [...sharedParts, ...ownParts] : sharedParts
  return parts.flatMap(part => compareTrees(meta[part], contract[part], `/${part}`))
}

function compareTrees(found: unknown, wanted: unknown, pointer: string): ComparedValue[] {
  if (isTable(found) && isTable(wanted))
    return Object.keys(found).flatMap(key =>
      Object.hasOwn(wanted, key) ? compareTrees(found[key], wanted[key], `${pointer}/${key}`) : [],
    )
  return [{ pointer, contract: wanted, found, same: JSON.stringify(found) === JSON.stringify(wanted) }]
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Files whose digest is no longer what the meta says. */
export const changedFiles = (folder: string, meta: ModelMeta): string[] =>
  Object.entries(meta.artifacts)
    .filter(([file, { sha256 }]) => sha256File(join(folder, file)) !== sha256)
    .map(([file]) => file)
