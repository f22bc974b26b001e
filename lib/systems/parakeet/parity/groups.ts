/** Groups of rungs that a run may ask for. */
export const rungGroups = ['ort', 'trt', 'all'] as const
/** One of them. */
export type RungGroup = (typeof rungGroups)[number]
