/**
 * The shape rule of each operator, in one table. An operator that is not in it is unknown.
 */
import { convolutionRules } from './rules-convolution.ts'
import { elementwiseRules } from './rules-elementwise.ts'
import { layoutRules } from './rules-layout.ts'
import { makerRules } from './rules-maker.ts'
import { matrixRules } from './rules-matrix.ts'
import type { Rule } from './value.ts'

/** Operators of ONNX's own set whose shapes are known. */
export const shapeRules: ReadonlyMap<string, Rule> = new Map([
  ...elementwiseRules,
  ...convolutionRules,
  ...layoutRules,
  ...makerRules,
  ...matrixRules,
])
