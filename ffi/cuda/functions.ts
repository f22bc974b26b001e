/**
 * Lists the functions of the CUDA runtime that are called, with their C prototypes.
 *
 * Their C prototypes, as data. A cudaError_t is an int, and 0 is success.
 */
import type { FunctionSpec, NativeFunction } from '../load.ts'

/** A native address; null for nullptr. */
export type Pointer = bigint | null
type Status = number
type Out<T> = [T]

/** What is called of libcudart. Each gives a `cudaError_t`, 0 for success, but the two that name one. */
export interface CudaFunctions {
  cudaRuntimeGetVersion: NativeFunction<[Out<number>], Status>
  cudaDriverGetVersion: NativeFunction<[Out<number>], Status>
  cudaGetDeviceCount: NativeFunction<[Out<number>], Status>
  cudaSetDevice: NativeFunction<[number], Status>
  cudaDeviceGetAttribute: NativeFunction<[Out<number>, number, number], Status>
  cudaDeviceGetPCIBusId: NativeFunction<[Uint8Array, number, number], Status>
  cudaGetDeviceProperties_v2?: NativeFunction<[Uint8Array, number], Status>
  cudaGetDeviceProperties?: NativeFunction<[Uint8Array, number], Status>
  cudaMemGetInfo: NativeFunction<[Out<number | bigint>, Out<number | bigint>], Status>
  cudaMalloc: NativeFunction<[Out<Pointer>, number], Status>
  cudaFree: NativeFunction<[Pointer], Status>
  cudaHostAlloc: NativeFunction<[Out<Pointer>, number, number], Status>
  cudaFreeHost: NativeFunction<[Pointer], Status>
  cudaMemcpyAsync: NativeFunction<[Pointer, Pointer, number, number, Pointer], Status>
  cudaStreamCreateWithFlags: NativeFunction<[Out<Pointer>, number], Status>
  cudaStreamSynchronize: NativeFunction<[Pointer], Status>
  cudaStreamQuery: NativeFunction<[Pointer], Status>
  cudaStreamDestroy: NativeFunction<[Pointer], Status>
  cudaGetErrorName: NativeFunction<[number], string | null>
  cudaGetErrorString: NativeFunction<[number], string | null>
  cudaGetLastError: NativeFunction<[], Status>
}

/** Their C prototypes, for `bind`. */
export const cudaFunctions: { readonly [K in keyof CudaFunctions]-?: FunctionSpec } = {
  cudaRuntimeGetVersion: { prototype: 'int cudaRuntimeGetVersion(_Out_ int *version)' },
  cudaDriverGetVersion: { prototype: 'int cudaDriverGetVersion(_Out_ int *version)' },
  cudaGetDeviceCount: { prototype: 'int cudaGetDeviceCount(_Out_ int *count)' },
  cudaSetDevice: { prototype: 'int cudaSetDevice(int device)' },
  cudaDeviceGetAttribute: { prototype: 'int cudaDeviceGetAttribute(_Out_ int *value, int attribute, int device)' },
  cudaDeviceGetPCIBusId: { prototype: 'int cudaDeviceGetPCIBusId(void *text, int length, int device)' },
  // The struct grows from version to version; its first 256 bytes have been the name in all of them.
  cudaGetDeviceProperties_v2: {
    prototype: 'int cudaGetDeviceProperties_v2(void *properties, int device)',
    optional: true,
  },
  cudaGetDeviceProperties: { prototype: 'int cudaGetDeviceProperties(void *properties, int device)', optional: true },
  cudaMemGetInfo: { prototype: 'int cudaMemGetInfo(_Out_ size_t *free, _Out_ size_t *total)' },
  cudaMalloc: { prototype: 'int cudaMalloc(_Out_ void **pointer, size_t bytes)' },
  cudaFree: { prototype: 'int cudaFree(void *pointer)' },
  cudaHostAlloc: { prototype: 'int cudaHostAlloc(_Out_ void **pointer, size_t bytes, unsigned int flags)' },
  cudaFreeHost: { prototype: 'int cudaFreeHost(void *pointer)' },
  cudaMemcpyAsync: {
    prototype: 'int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream)',
  },
  cudaStreamCreateWithFlags: { prototype: 'int cudaStreamCreateWithFlags(_Out_ void **stream, unsigned int flags)' },
  cudaStreamSynchronize: { prototype: 'int cudaStreamSynchronize(void *stream)' },
  cudaStreamQuery: { prototype: 'int cudaStreamQuery(void *stream)' },
  cudaStreamDestroy: { prototype: 'int cudaStreamDestroy(void *stream)' },
  cudaGetErrorName: { prototype: 'const char *cudaGetErrorName(int error)' },
  cudaGetErrorString: { prototype: 'const char *cudaGetErrorString(int error)' },
  cudaGetLastError: { prototype: 'int cudaGetLastError()' },
}
