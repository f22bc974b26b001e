/**
 * Which rule says the shapes of an operator? One table over the families; an operator that is not in it is unknown.
 */
import { convolutionRules } from './shape-rules-convolution.ts'
import { elementwiseRules } from './shape-rules-elementwise.ts'
import { layoutRules } from './shape-rules-layout.ts'
import { matrixRules } from './shape-rules-matrix.ts'
import type { Rule } from './shape-value.ts'

/** Operators of ONNX's own set whose shapes are known. */
export const shapeRules: ReadonlyMap<string, Rule> = new Map([
  ...elementwiseRules,
  ...convolutionRules,
  ...layoutRules,
  ...matrixRules,
])
