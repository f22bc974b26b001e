/** Precisions of engines. */
export const precisions = ['fp32', 'fp16', 'bf16', 'int8'] as const
/** One of them. */
export type Precision = (typeof precisions)[number]
