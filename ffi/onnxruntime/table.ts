/**
 * Lists the slots of ONNX Runtime's function table that are called, with their C prototypes.
 *
 * Data only. `OrtApi` is a struct of function pointers that is appended to and never reordered, so a function is a slot
 * number. Source: the order of the struct in `onnxruntime_c_api.h` and, the same, in the C# binding's
 * `NativeMethods.shared.cs`. The canaries in `canary.ts` show that the numbers fit the library at hand. Slots that are
 * not called are not listed.
 */
import type { NativeFunction } from '../load.ts'

/** An address; koffi gives them as BigInt, and a null pointer as null. */
export type Pointer = bigint
/** Null is success; anything else must be read and released. */
export type Status = Pointer | null
/** Where a call writes a pointer: an array of one. */
export type Out = [Pointer | null]

type Fn<Args extends readonly unknown[], Result = Status> = NativeFunction<Args, Result>

/** The functions as they are called from TypeScript. The C prototypes are in `ortTable`. */
export interface OrtFunctions {
  CreateStatus: Fn<[code: number, message: string]>
  GetErrorCode: Fn<[status: Pointer], number>
  GetErrorMessage: Fn<[status: Pointer], string>
  CreateEnv: Fn<[severity: number, logId: string, out: Out]>
  CreateSession: Fn<[env: Pointer, path: string, options: Pointer, out: Out]>
  CreateSessionFromArray: Fn<[env: Pointer, model: Uint8Array, bytes: number, options: Pointer, out: Out]>
  CreateSessionOptions: Fn<[out: Out]>
  SetOptimizedModelFilePath: Fn<[options: Pointer, path: string]>
  SetSessionLogSeverityLevel: Fn<[options: Pointer, level: number]>
  SetSessionGraphOptimizationLevel: Fn<[options: Pointer, level: number]>
  SetIntraOpNumThreads: Fn<[options: Pointer, threads: number]>
  SetInterOpNumThreads: Fn<[options: Pointer, threads: number]>
  SessionGetInputCount: Fn<[session: Pointer, out: BigUint64Array]>
  SessionGetOutputCount: Fn<[session: Pointer, out: BigUint64Array]>
  SessionGetInputTypeInfo: Fn<[session: Pointer, index: number, out: Out]>
  SessionGetOutputTypeInfo: Fn<[session: Pointer, index: number, out: Out]>
  SessionGetInputName: Fn<[session: Pointer, index: number, allocator: Pointer, out: Out]>
  SessionGetOutputName: Fn<[session: Pointer, index: number, allocator: Pointer, out: Out]>
  CreateTensorWithDataAsOrtValue: Fn<
    [memory: Pointer, data: Pointer, bytes: number, shape: BigInt64Array, rank: number, type: number, out: Out]
  >
  GetTensorMutableData: Fn<[value: Pointer, out: Out]>
  CastTypeInfoToTensorInfo: Fn<[info: Pointer, out: Out]>
  GetOnnxTypeFromTypeInfo: Fn<[info: Pointer, out: Int32Array]>
  GetTensorElementType: Fn<[tensorInfo: Pointer, out: Int32Array]>
  GetDimensionsCount: Fn<[tensorInfo: Pointer, out: BigUint64Array]>
  GetDimensions: Fn<[tensorInfo: Pointer, dims: BigInt64Array, rank: number]>
  GetSymbolicDimensions: Fn<[tensorInfo: Pointer, names: BigUint64Array, rank: number]>
  GetTensorTypeAndShape: Fn<[value: Pointer, out: Out]>
  CreateCpuMemoryInfo: Fn<[allocatorType: number, memoryType: number, out: Out]>
  AllocatorFree: Fn<[allocator: Pointer, block: Pointer]>
  GetAllocatorWithDefaultOptions: Fn<[out: Out]>
  ReleaseEnv: Fn<[env: Pointer], void>
  ReleaseStatus: Fn<[status: Pointer], void>
  ReleaseMemoryInfo: Fn<[memory: Pointer], void>
  ReleaseSession: Fn<[session: Pointer], void>
  ReleaseValue: Fn<[value: Pointer], void>
  ReleaseTypeInfo: Fn<[info: Pointer], void>
  ReleaseTensorTypeAndShapeInfo: Fn<[tensorInfo: Pointer], void>
  ReleaseSessionOptions: Fn<[options: Pointer], void>
  AddSessionConfigEntry: Fn<[options: Pointer, key: string, value: string]>
  RunWithBinding: Fn<[session: Pointer, runOptions: Pointer | null, binding: Pointer]>
  CreateIoBinding: Fn<[session: Pointer, out: Out]>
  ReleaseIoBinding: Fn<[binding: Pointer], void>
  BindInput: Fn<[binding: Pointer, name: string, value: Pointer]>
  BindOutput: Fn<[binding: Pointer, name: string, value: Pointer]>
  BindOutputToDevice: Fn<[binding: Pointer, name: string, memory: Pointer]>
  GetBoundOutputValues: Fn<[binding: Pointer, allocator: Pointer, values: Out, count: BigUint64Array]>
  GetBuildInfoString: Fn<[], string>
}

/** Handles that nobody looks into. */
export const opaqueTypes = [
  'OrtStatus',
  'OrtEnv',
  'OrtSession',
  'OrtSessionOptions',
  'OrtRunOptions',
  'OrtTypeInfo',
  'OrtTensorTypeAndShapeInfo',
  'OrtValue',
  'OrtMemoryInfo',
  'OrtAllocator',
  'OrtIoBinding',
] as const

/** `OrtApiBase`, what the one exported symbol returns: two function pointers. */
export const apiBase = {
  GetApi: { slot: 0, prototype: 'const void *GetApi(uint32_t version)' },
  GetVersionString: { slot: 1, prototype: 'const char *GetVersionString(void)' },
} as const

/** Enums of the C API that are given as plain numbers. */
export const ort = { arenaAllocator: 1, memTypeDefault: 0, onnxTypeTensor: 1, invalidArgument: 2 } as const

/** `OrtErrorCode`, by number. */
export const errorNames = [
  'OK',
  'FAIL',
  'INVALID_ARGUMENT',
  'NO_SUCHFILE',
  'NO_MODEL',
  'ENGINE_ERROR',
  'RUNTIME_EXCEPTION',
  'INVALID_PROTOBUF',
  'MODEL_LOADED',
  'NOT_IMPLEMENTED',
  'INVALID_GRAPH',
  'EP_FAIL',
  'MODEL_LOAD_CANCELED',
  'MODEL_REQUIRES_COMPILATION',
  'NOT_FOUND',
] as const

/** Slot and C prototype of each function. An `ORTCHAR_T` is a `char` on every system but Windows. */
export const ortTable: { readonly [K in keyof OrtFunctions]: { readonly slot: number; readonly prototype: string } } = {
  CreateStatus: { slot: 0, prototype: 'OrtStatus *CreateStatus(int code, const char *msg)' },
  GetErrorCode: { slot: 1, prototype: 'int GetErrorCode(const OrtStatus *status)' },
  GetErrorMessage: { slot: 2, prototype: 'const char *GetErrorMessage(const OrtStatus *status)' },
  CreateEnv: {
    slot: 3,
    prototype: 'OrtStatus *CreateEnv(int log_severity_level, const char *logid, _Out_ OrtEnv **out)',
  },
  CreateSession: {
    slot: 7,
    prototype:
      'OrtStatus *CreateSession(const OrtEnv *env, const char *model_path, const OrtSessionOptions *options, ' +
      '_Out_ OrtSession **out)',
  },
  CreateSessionFromArray: {
    slot: 8,
    prototype:
      'OrtStatus *CreateSessionFromArray(const OrtEnv *env, const void *model_data, size_t model_data_length, ' +
      'const OrtSessionOptions *options, _Out_ OrtSession **out)',
  },
  CreateSessionOptions: { slot: 10, prototype: 'OrtStatus *CreateSessionOptions(_Out_ OrtSessionOptions **options)' },
  SetOptimizedModelFilePath: {
    slot: 11,
    prototype: 'OrtStatus *SetOptimizedModelFilePath(OrtSessionOptions *options, const char *optimized_model_filepath)',
  },
  SetSessionLogSeverityLevel: {
    slot: 22,
    prototype: 'OrtStatus *SetSessionLogSeverityLevel(OrtSessionOptions *options, int session_log_severity_level)',
  },
  SetSessionGraphOptimizationLevel: {
    slot: 23,
    prototype: 'OrtStatus *SetSessionGraphOptimizationLevel(OrtSessionOptions *options, int graph_optimization_level)',
  },
  SetIntraOpNumThreads: {
    slot: 24,
    prototype: 'OrtStatus *SetIntraOpNumThreads(OrtSessionOptions *options, int intra_op_num_threads)',
  },
  SetInterOpNumThreads: {
    slot: 25,
    prototype: 'OrtStatus *SetInterOpNumThreads(OrtSessionOptions *options, int inter_op_num_threads)',
  },
  SessionGetInputCount: {
    slot: 30,
    prototype: 'OrtStatus *SessionGetInputCount(const OrtSession *session, size_t *out)',
  },
  SessionGetOutputCount: {
    slot: 31,
    prototype: 'OrtStatus *SessionGetOutputCount(const OrtSession *session, size_t *out)',
  },
  SessionGetInputTypeInfo: {
    slot: 33,
    prototype:
      'OrtStatus *SessionGetInputTypeInfo(const OrtSession *session, size_t index, _Out_ OrtTypeInfo **type_info)',
  },
  SessionGetOutputTypeInfo: {
    slot: 34,
    prototype:
      'OrtStatus *SessionGetOutputTypeInfo(const OrtSession *session, size_t index, _Out_ OrtTypeInfo **type_info)',
  },
  SessionGetInputName: {
    slot: 36,
    prototype:
      'OrtStatus *SessionGetInputName(const OrtSession *session, size_t index, OrtAllocator *allocator, ' +
      '_Out_ void **value)',
  },
  SessionGetOutputName: {
    slot: 37,
    prototype:
      'OrtStatus *SessionGetOutputName(const OrtSession *session, size_t index, OrtAllocator *allocator, ' +
      '_Out_ void **value)',
  },
  CreateTensorWithDataAsOrtValue: {
    slot: 49,
    prototype:
      'OrtStatus *CreateTensorWithDataAsOrtValue(const OrtMemoryInfo *info, void *p_data, size_t p_data_len, ' +
      'const int64_t *shape, size_t shape_len, int type, _Out_ OrtValue **out)',
  },
  GetTensorMutableData: { slot: 51, prototype: 'OrtStatus *GetTensorMutableData(OrtValue *value, _Out_ void **out)' },
  CastTypeInfoToTensorInfo: {
    slot: 55,
    prototype:
      'OrtStatus *CastTypeInfoToTensorInfo(const OrtTypeInfo *type_info, _Out_ OrtTensorTypeAndShapeInfo **out)',
  },
  GetOnnxTypeFromTypeInfo: {
    slot: 56,
    prototype: 'OrtStatus *GetOnnxTypeFromTypeInfo(const OrtTypeInfo *type_info, int *out)',
  },
  GetTensorElementType: {
    slot: 60,
    prototype: 'OrtStatus *GetTensorElementType(const OrtTensorTypeAndShapeInfo *info, int *out)',
  },
  GetDimensionsCount: {
    slot: 61,
    prototype: 'OrtStatus *GetDimensionsCount(const OrtTensorTypeAndShapeInfo *info, size_t *out)',
  },
  GetDimensions: {
    slot: 62,
    prototype:
      'OrtStatus *GetDimensions(const OrtTensorTypeAndShapeInfo *info, int64_t *dim_values, size_t dim_values_length)',
  },
  GetSymbolicDimensions: {
    slot: 63,
    prototype:
      'OrtStatus *GetSymbolicDimensions(const OrtTensorTypeAndShapeInfo *info, void *dim_params, size_t ' +
      'dim_params_length)',
  },
  GetTensorTypeAndShape: {
    slot: 65,
    prototype: 'OrtStatus *GetTensorTypeAndShape(const OrtValue *value, _Out_ OrtTensorTypeAndShapeInfo **out)',
  },
  CreateCpuMemoryInfo: {
    slot: 69,
    prototype: 'OrtStatus *CreateCpuMemoryInfo(int allocator_type, int mem_type, _Out_ OrtMemoryInfo **out)',
  },
  AllocatorFree: { slot: 76, prototype: 'OrtStatus *AllocatorFree(OrtAllocator *ort_allocator, void *p)' },
  GetAllocatorWithDefaultOptions: {
    slot: 78,
    prototype: 'OrtStatus *GetAllocatorWithDefaultOptions(_Out_ OrtAllocator **out)',
  },
  ReleaseEnv: { slot: 92, prototype: 'void ReleaseEnv(OrtEnv *input)' },
  ReleaseStatus: { slot: 93, prototype: 'void ReleaseStatus(OrtStatus *input)' },
  ReleaseMemoryInfo: { slot: 94, prototype: 'void ReleaseMemoryInfo(OrtMemoryInfo *input)' },
  ReleaseSession: { slot: 95, prototype: 'void ReleaseSession(OrtSession *input)' },
  ReleaseValue: { slot: 96, prototype: 'void ReleaseValue(OrtValue *input)' },
  ReleaseTypeInfo: { slot: 98, prototype: 'void ReleaseTypeInfo(OrtTypeInfo *input)' },
  ReleaseTensorTypeAndShapeInfo: {
    slot: 99,
    prototype: 'void ReleaseTensorTypeAndShapeInfo(OrtTensorTypeAndShapeInfo *input)',
  },
  ReleaseSessionOptions: { slot: 100, prototype: 'void ReleaseSessionOptions(OrtSessionOptions *input)' },
  AddSessionConfigEntry: {
    slot: 130,
    prototype:
      'OrtStatus *AddSessionConfigEntry(OrtSessionOptions *options, const char *config_key, const char *config_value)',
  },
  RunWithBinding: {
    slot: 133,
    prototype:
      'OrtStatus *RunWithBinding(OrtSession *session, const OrtRunOptions *run_options, const OrtIoBinding ' +
      '*binding_ptr)',
  },
  CreateIoBinding: {
    slot: 134,
    prototype: 'OrtStatus *CreateIoBinding(OrtSession *session, _Out_ OrtIoBinding **out)',
  },
  ReleaseIoBinding: { slot: 135, prototype: 'void ReleaseIoBinding(OrtIoBinding *input)' },
  BindInput: {
    slot: 136,
    prototype: 'OrtStatus *BindInput(OrtIoBinding *binding_ptr, const char *name, const OrtValue *val_ptr)',
  },
  BindOutput: {
    slot: 137,
    prototype: 'OrtStatus *BindOutput(OrtIoBinding *binding_ptr, const char *name, const OrtValue *val_ptr)',
  },
  BindOutputToDevice: {
    slot: 138,
    prototype:
      'OrtStatus *BindOutputToDevice(OrtIoBinding *binding_ptr, const char *name, const OrtMemoryInfo *mem_info_ptr)',
  },
  GetBoundOutputValues: {
    slot: 140,
    prototype:
      'OrtStatus *GetBoundOutputValues(const OrtIoBinding *binding_ptr, OrtAllocator *allocator, _Out_ void ' +
      '**output, ' +
      'size_t *output_count)',
  },
  GetBuildInfoString: { slot: 254, prototype: 'const char *GetBuildInfoString(void)' },
}
