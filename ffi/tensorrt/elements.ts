/**
 * How many bytes has an element of a tensor?
 *
 * Types that are smaller than a byte, and those that node has no array for, are not held.
 */
const sizes: Readonly<Record<string, number>> = { float32: 4, float16: 2, bfloat16: 2, int8: 1, uint8: 1, bool: 1, int32: 4, int64: 8 }

/** Bytes of an element, or null for a type that the bindings do not hold (fp8, int4, fp4). */
export const elementBytes = (dtype: string): number | null => (Object.hasOwn(sizes, dtype) ? sizes[dtype]! : null)
