/**
 * Lists what each method takes and gives, as a C function whose first argument is the object.
 *
 * Where majors differ, each has its own line. `DIMS` stands for the struct of that major. Only methods that the
 * bindings call are here; their slots are in `contracts/abi/tensorrt.json`.
 */

/** One prototype for all majors, or one by major. */
export type Prototype = string | Readonly<Partial<Record<8 | 10 | 11, string>>>

/** A native address; null for nullptr. */
export type Pointer = bigint | null

/** By interface, then by method. */
export const prototypes: Readonly<Record<string, Readonly<Record<string, Prototype>>>> = {
  IHostMemory: { data: 'void *(void *self)', size: 'size_t (void *self)' },
  IRuntime: {
    getPImpl: 'void *(void *self)',
    getLogger: 'void *(void *self)',
    deserializeCudaEngine: {
      8: 'void *(void *self, const void *blob, size_t size, void *pluginFactory)',
      10: 'void *(void *self, const void *blob, size_t size)',
      11: 'void *(void *self, const void *blob, size_t size)',
    },
    setEngineHostCodeAllowed: 'void (void *self, bool allowed)',
  },
  ICudaEngine: {
    getPImpl: 'void *(void *self)',
    createExecutionContext: {
      8: 'void *(void *self)',
      10: 'void *(void *self, int32_t strategy)',
      11: 'void *(void *self, int32_t strategy)',
    },
    createEngineInspector: 'void *(void *self)',
    getName: 'const char *(void *self)',
    getNbLayers: 'int32_t (void *self)',
    getNbOptimizationProfiles: 'int32_t (void *self)',
    getNbIOTensors: 'int32_t (void *self)',
    getIOTensorName: 'const char *(void *self, int32_t index)',
    getTensorShape: 'DIMS (void *self, const char *name)',
    getTensorDataType: 'int32_t (void *self, const char *name)',
    getTensorLocation: 'int32_t (void *self, const char *name)',
    getTensorIOMode: 'int32_t (void *self, const char *name)',
    getTensorFormat: 'int32_t (void *self, const char *name)',
    isShapeInferenceIO: 'bool (void *self, const char *name)',
    getProfileShape: 'DIMS (void *self, const char *name, int32_t profile, int32_t select)',
  },
  IExecutionContext: {
    getPImpl: 'void *(void *self)',
    getEngine: 'void *(void *self)',
    setOptimizationProfileAsync: 'bool (void *self, int32_t profile, void *stream)',
    setInputShape: 'bool (void *self, const char *name, const void *dims)',
    getTensorShape: 'DIMS (void *self, const char *name)',
    setTensorAddress: 'bool (void *self, const char *name, void *address)',
    enqueueV3: 'bool (void *self, void *stream)',
  },
  IEngineInspector: { getEngineInformation: 'const char *(void *self, int32_t format)' },
  IBuilder: {
    getLogger: 'void *(void *self)',
    createBuilderConfig: 'void *(void *self)',
    createNetworkV2: 'void *(void *self, uint32_t flags)',
    createOptimizationProfile: 'void *(void *self)',
    buildSerializedNetwork: 'void *(void *self, void *network, void *config)',
  },
  IBuilderConfig: {
    setFlag: 'void (void *self, int32_t flag)',
    clearFlag: 'void (void *self, int32_t flag)',
    setMemoryPoolLimit: 'void (void *self, int32_t pool, size_t bytes)',
    addOptimizationProfile: 'int32_t (void *self, void *profile)',
    setBuilderOptimizationLevel: 'void (void *self, int32_t level)',
    setProfilingVerbosity: 'void (void *self, int32_t verbosity)',
    setHardwareCompatibilityLevel: 'void (void *self, int32_t level)',
    createTimingCache: 'void *(void *self, const void *blob, size_t size)',
    setTimingCache: 'bool (void *self, void *cache, bool ignoreMismatch)',
  },
  ITimingCache: { serialize: 'void *(void *self)' },
  INetworkDefinition: {
    getBuilder: 'void *(void *self)',
    getNbLayers: 'int32_t (void *self)',
    getNbInputs: 'int32_t (void *self)',
    getInput: 'void *(void *self, int32_t index)',
  },
  ITensor: { getName: 'const char *(void *self)', getDimensions: 'DIMS (void *self)' },
  IOptimizationProfile: {
    setDimensions: {
      8: 'bool (void *self, const char *name, int32_t select, DIMS dims)',
      10: 'bool (void *self, const char *name, int32_t select, const void *dims)',
      11: 'bool (void *self, const char *name, int32_t select, const void *dims)',
    },
  },
  IParser: {
    parse: 'bool (void *self, const void *model, size_t size, const char *path)',
    getNbErrors: 'int32_t (void *self)',
    getError: 'void *(void *self, int32_t index)',
  },
  IParserError: {
    code: 'int32_t (void *self)',
    desc: 'const char *(void *self)',
    node: 'int32_t (void *self)',
    nodeName: { 10: 'const char *(void *self)', 11: 'const char *(void *self)' },
  },
}
