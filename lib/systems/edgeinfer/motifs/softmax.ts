/**
 * Multinomial logistic regression: a linear layer and a softmax, fitted exactly.
 *
 * The loss is convex, so that L-BFGS from zero always ends at the same place: no learning rate, no epochs, no seed.
 */

/** Rows of numbers with a class each. */
export interface Examples {
  /** Row-major [count, size]. */
  readonly features: Float32Array
  readonly size: number
  /** Class of each row, 0 to classes - 1. */
  readonly classes: Int32Array
  readonly classCount: number
}

/** A fitted layer: logits = weight · x + bias. */
export interface Softmax {
  /** Row-major [classCount, size]. */
  readonly weight: Float64Array
  readonly bias: Float64Array
}

/** Penalty on the squares of the weights, on features of about unit spread. */
const penalty = 1e-3
const iterationsMax = 100
const memory = 8

/**
 * Fit to examples: mean cross-entropy plus `penalty / 2` times the squared weights.
 *
 * @example
 * ```ts
 * const examples = { features: Float32Array.of(-1, 1), size: 1, classes: Int32Array.of(0, 1), classCount: 2 }
 * const { bias } = fitSoftmax(examples)
 * ```
 */
export function fitSoftmax(examples: Examples): Softmax {
  const { size, classCount } = examples
  const parameters = minimise(theta => lossOf(examples, theta), new Float64Array(classCount * (size + 1)))
  return { weight: parameters.slice(0, classCount * size), bias: parameters.slice(classCount * size) }
}

/** Probabilities of one row of logits, written over it. */
export function softmaxInPlace<T extends Float32Array | Float64Array>(logits: T): T {
  let highest = -Infinity
  for (let k = 0; k < logits.length; k++) if (logits[k]! > highest) highest = logits[k]!
  let sum = 0
  for (let k = 0; k < logits.length; k++) sum += logits[k] = Math.exp(logits[k]! - highest)
  for (let k = 0; k < logits.length; k++) logits[k]! /= sum
  return logits
}

/** Probabilities of every row, row-major [count, classCount]. */
export function probabilities({ weight, bias }: Softmax, features: Float32Array, size: number): Float64Array {
  const count = features.length / size
  const classCount = bias.length
  const all = new Float64Array(count * classCount)
  for (let i = 0; i < count; i++) {
    const row = all.subarray(i * classCount, (i + 1) * classCount)
    for (let k = 0; k < classCount; k++) {
      let sum = bias[k]!
      for (let j = 0; j < size; j++) sum += weight[k * size + j]! * features[i * size + j]!
      row[k] = sum
    }
    softmaxInPlace(row)
  }
  return all
}

interface Point {
  readonly loss: number
  readonly gradient: Float64Array
}

function lossOf({ features, size, classes, classCount }: Examples, theta: Float64Array): Point {
  const weight = theta.subarray(0, classCount * size)
  const bias = theta.subarray(classCount * size)
  const all = probabilities({ weight, bias }, features, size)
  const gradient = new Float64Array(theta.length)
  let loss = 0
  for (let i = 0; i < classes.length; i++) {
    loss -= Math.log(Math.max(1e-300, all[i * classCount + classes[i]!]!))
    for (let k = 0; k < classCount; k++) {
      const error = (all[i * classCount + k]! - (k === classes[i] ? 1 : 0)) / classes.length
      for (let j = 0; j < size; j++) gradient[k * size + j]! += error * features[i * size + j]!
      gradient[classCount * size + k]! += error
    }
  }
  loss /= classes.length
  for (let j = 0; j < weight.length; j++) {
    loss += (penalty / 2) * weight[j]! ** 2
    gradient[j]! += penalty * weight[j]!
  }
  return { loss, gradient }
}

const dot = (a: Float64Array, b: Float64Array) => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** L-BFGS (Liu and Nocedal 1989) with backtracking, until the gradient is small. */
function minimise(at: (theta: Float64Array) => Point, start: Float64Array): Float64Array {
  let theta = start
  let point = at(theta)
  const history: { s: Float64Array; y: Float64Array; rho: number }[] = []
  for (let i = 0; i < iterationsMax && Math.sqrt(dot(point.gradient, point.gradient)) > 1e-4; i++) {
    const direction = descent(point.gradient, history)
    const slope = dot(direction, point.gradient)
    let step = i === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1
    let next: Float64Array
    let found: Point
    do {
      next = theta.map((value, k) => value + step * direction[k]!)
      found = at(next)
      step /= 2
    } while (found.loss > point.loss + 1e-4 * 2 * step * slope && step > 1e-12)
    const s = next.map((value, k) => value - theta[k]!)
    const y = found.gradient.map((value, k) => value - point.gradient[k]!)
    const curvature = dot(s, y)
    if (curvature > 1e-14) history.push({ s, y, rho: 1 / curvature })
    if (history.length > memory) history.shift()
    ;[theta, point] = [next, found]
  }
  return theta
}

function descent(gradient: Float64Array, history: readonly { s: Float64Array; y: Float64Array; rho: number }[]) {
  const q = gradient.map(value => -value)
  const alphas: number[] = []
  for (const { s, y, rho } of history.toReversed()) {
    const alpha = rho * dot(s, q)
    alphas.push(alpha)
    for (let k = 0; k < q.length; k++) q[k]! -= alpha * y[k]!
  }
  const last = history.at(-1)
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y))
    for (let k = 0; k < q.length; k++) q[k]! *= scale
  }
  for (const { s, y, rho } of history) {
    const beta = rho * dot(y, q)
    const alpha = alphas.pop()!
    for (let k = 0; k < q.length; k++) q[k]! += s[k]! * (alpha - beta)
  }
  return q
}
