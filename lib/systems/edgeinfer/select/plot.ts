/**
 * Draws label-efficiency curves: the mean over seeds as a line, one deviation to either side as a band.
 */
import type { Display } from '../../../notebook/display/show.ts'
import { plot } from '../../../notebook/display/show.ts'
import type { CurvePoint } from './curves.ts'

/** One line and band for each strategy. */
export function curvePlot(points: readonly CurvePoint[]): Display {
  const x = { field: 'labels', type: 'quantitative', title: 'labels' }
  const color = { field: 'strategy', type: 'nominal' }
  return plot(
    {
      data: { values: points },
      layer: [
        { mark: { type: 'errorband', extent: 'stdev', opacity: 0.15 } },
        { mark: { type: 'line' }, encoding: { y: { aggregate: 'mean', field: 'accuracy', type: 'quantitative' } } },
      ].map(layer => ({
        ...layer,
        encoding: {
          x,
          color,
          y: { field: 'accuracy', type: 'quantitative', scale: { zero: false } },
          ...layer.encoding,
        },
      })),
    },
    { title: 'accuracy by number of labels (mean and one deviation over seeds)' },
  )
}
