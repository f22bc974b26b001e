/**
 * Finds what is wrong with a model, including what ONNX Runtime would accept.
 *
 * Names, order, reachability, weights, versions and shapes; all complaints at once, each a sentence that names the node
 * and the shapes. Runs nothing. Bodies of local functions and the operators' own attribute rules are left to the
 * runtime.
 */
import {
  attributeInts,
  dimsOf,
  dtypeOf,
  hasShape,
  normalDomain,
  opsetOf,
  tensorDims,
} from '../../formats/onnx/index.ts'
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from '../../formats/onnx/index.ts'
import { RunbookError } from '../../base/errors.ts'
import { checkLeftovers, checkNames, lower, nodeLabel, realInputs } from './names.ts'
import { checkWeights } from './weights.ts'
import { show, showShape } from '../shapes/value.ts'
import { inferShapes } from '../shapes/infer.ts'

/** What is checked beside the graph itself. */
export interface CheckOptions {
  /** Operators that the target knows; others are problems. Domains other than ONNX's own read `com.microsoft:Gelu`. */
  allowedOps?: readonly string[]
  /** The target takes one input. */
  singleInput?: boolean
}

// CONTRACT: the operator sets and IR versions that the installed ONNX Runtime loads
// SOURCE: decision D-17
// WHY: before operator set 7 an Add has no kernel, and newer versions are refused with a message about a C++ file
const runtimeLimits = { opset: { from: 7, to: 26 }, irVersion: { from: 1, to: 13 } }

/** Everything that is wrong with a model; no problem, no entry. Never throws for a model that `decodeModel` gave. */
export function checkModel(model: ModelProto, options: CheckOptions = {}): { problems: string[] } {
  const broken = checkNames(model.graph)
  const problems = [
    ...checkVersions(model),
    ...broken,
    ...checkLeftovers(model.graph),
    ...model.graph.node.flatMap(node => [...checkAllowed(node, options.allowedOps), ...checkKernel(node, model.graph)]),
    ...checkInputs(model.graph, options),
    ...checkWeights(model.graph),
  ]
  // Shapes flow along names; where the names are broken, a complaint about a shape would only repeat it.
  return { problems: broken.length > 0 ? problems : [...problems, ...checkShapes(model)] }
}

function checkVersions(model: ModelProto): string[] {
  const problems: string[] = []
  const { opset, irVersion } = runtimeLimits
  const version = opsetOf(model)
  const domains = model.opsetImport.map(({ domain }) => normalDomain(domain))
  if (model.irVersion === undefined) problems.push('The model has no IR version')
  else if (model.irVersion < irVersion.from || model.irVersion > irVersion.to) {
    problems.push(
      `The model has IR version ${model.irVersion}; ONNX Runtime reads ${irVersion.from} to ${irVersion.to}`,
    )
  }
  if (version !== undefined && (version < opset.from || version > opset.to)) {
    problems.push(`The model imports operator set ${version}; ONNX Runtime runs ${opset.from} to ${opset.to}`)
  }
  for (const domain of new Set(domains.filter((d, i) => domains.indexOf(d) !== i))) {
    problems.push(`The model imports the operator set "${domain || 'ai.onnx'}" more than once`)
  }
  for (const domain of new Set(model.graph.node.map(node => normalDomain(node.domain)))) {
    if (domains.includes(domain)) continue
    const node = model.graph.node.find(n => normalDomain(n.domain) === domain)!
    problems.push(`The model imports no operator set "${domain || 'ai.onnx'}", which ${lower(nodeLabel(node))} needs`)
  }
  return problems
}

function checkAllowed(node: NodeProto, allowedOps: readonly string[] | undefined): string[] {
  const domain = normalDomain(node.domain)
  const op = domain === '' ? node.opType : `${domain}:${node.opType}`
  if (allowedOps === undefined || allowedOps.includes(op)) return []
  return [`The target knows no ${op}, which ${lower(nodeLabel(node))} is`]
}

/** ONNX Runtime guesses a missing kernel_shape from the weight; compilers for devices do not. */
function checkKernel(node: NodeProto, graph: GraphProto): string[] {
  if (node.opType !== 'Conv' && node.opType !== 'ConvTranspose') return []
  const label = nodeLabel(node)
  const kernel = attributeInts(node, 'kernel_shape')
  if (kernel === undefined) return [`${label} has no kernel_shape, which device compilers want`]
  const weight = graph.initializer.find(({ name }) => name === node.input[1])
  if (weight === undefined || weight.dims.some(dim => dim < 0n)) return []
  const shape = tensorDims(weight)
  if (kernel.join() === shape.slice(2).join()) return []
  return [
    `${label} has kernel_shape [${kernel.join(', ')}], ` +
      `but its weight "${weight.name}" has the shape [${shape.join(', ')}]`,
  ]
}

function checkInputs(graph: GraphProto, { singleInput = false }: CheckOptions): string[] {
  const inputs = realInputs(graph)
  if (!singleInput || inputs.length === 1) return []
  const list = inputs.map(input => `"${input.name}" ${declared(input)}`).join(', ')
  return [`The graph has ${inputs.length} inputs, the target takes one: ${list || 'none'}`]
}

const declared = (value: ValueInfoProto) =>
  `${dtypeOf(value) ?? 'of an unknown type'}${hasShape(value) ? showShape(dimsOf(value)) : ''}`

function checkShapes(model: ModelProto): string[] {
  const { graph } = model
  let inferred: ReturnType<typeof inferShapes>
  try {
    // Without the declarations: inference would stop at the first wrong one, and here all of them are wanted.
    inferred = inferShapes({ ...model, graph: { ...graph, output: [], valueInfo: [] } })
  } catch (thrown) {
    if (thrown instanceof RunbookError) return [thrown.message]
    throw thrown
  }
  const makers = new Map(graph.node.flatMap(node => node.output.map(output => [output, node] as const)))
  return [...graph.output, ...graph.valueInfo].flatMap(value => {
    const found = inferred.get(value.name)
    if (found === undefined || value.type?.tensorType === undefined) return []
    const dtype = dtypeOf(value)
    const fits =
      (dtype === undefined || dtype === found.dtype) && (!hasShape(value) || agree(dimsOf(value), found.shape))
    if (fits) return []
    const maker = makers.get(value.name)
    const made = `${maker === undefined ? 'it is' : `${lower(nodeLabel(maker))} makes`} ${show(found)}`
    return [`The value "${value.name}" is declared as ${declared(value)}, but ${made}`]
  })
}

/** Whether two shapes can be the same: names and unknowns fit anything. */
const agree = (a: readonly (number | string)[], b: readonly (number | string)[]): boolean =>
  a.length === b.length && a.every((dim, i) => typeof dim === 'string' || typeof b[i] === 'string' || dim === b[i])
