/**
 * Asks whether an error grows from step to step when a model is fed its own output.
 */

/** The least-squares line through errors by step: error ≈ intercept + slope · step. */
export interface Drift {
  readonly steps: number
  readonly slope: number
  readonly intercept: number
  readonly last: number
  readonly max: number
}

/**
 * Fit a line through the errors of steps 0, 1, 2, …; the slope is NaN for fewer than two steps or errors not finite.
 */
export function driftOf(errors: readonly number[]): Drift {
  const steps = errors.length
  const meanStep = (steps - 1) / 2
  const mean = errors.reduce((sum, error) => sum + error, 0) / steps
  let [cross, spread] = [0, 0]
  for (const [step, error] of errors.entries()) {
    cross += (step - meanStep) * (error - mean)
    spread += (step - meanStep) ** 2
  }
  const slope = steps < 2 ? NaN : cross / spread
  return { steps, slope, intercept: mean - slope * meanStep, last: errors.at(-1) ?? NaN, max: Math.max(...errors) }
}
