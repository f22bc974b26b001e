/**
 * Logs of Hailo's Dataflow Compiler and of the host, whole.
 */

/** A bucket, what cause and fix must say, and a log. */
export const compilerFieldTexts: readonly (readonly [bucket: string, says: RegExp, log: string])[] = [
  [
    'allocator_infeasible',
    /--ladder temporal/,
    '[info] Loading network parameters\n[info] Starting Hailo allocation and compilation flow\n[info] Trying to compile the network in a single context\n' +
      '[error] Mapping Failed (allocation time: 41s)\nNo successful assignments: deconv1 errors:\n\tAgent infeasible\n' +
      '[error] Failed to produce compiled graph\n[error] BackendAllocatorException: Compilation failed: No successful assignments: deconv1 errors:',
  ],
  [
    'weights_nan',
    /NaN/,
    '[info] PCIe: No Hailo PCIe device was found\n[info] Running `hailo optimize --use-random-calib-set net.har`\nTraceback (most recent call last):\n' +
      '  File "/venv/bin/hailo", line 8, in <module>\nhailo_sdk_client.sdk_backend.sdk_backend_exceptions.BackendValueError: Unsupported NaN values were found in params',
  ],
  [
    'sdk_bug_optimize',
    /./,
    "[info] Starting Model Optimization\nTypeError: Exception encountered when calling layer 'lat_model' (type LATModel).\nin user code:",
  ],
  [
    'host_oom',
    /python3/,
    '[1234.5] Out of memory: Killed process 4321 (python3) total-vm:31099999kB, anon-rss:30000000kB',
  ],
  [
    'unknown',
    /./,
    '[info] Saved HAR to: /x/net.har\n[info] Starting Hailo allocation and compilation flow\nmake: *** [Makefile:12: net.hef] Error 1',
  ],
  [
    'unknown',
    /./,
    'Success! HEF saved to /x/net.hef\n2026-03-02 07:00:02 ERROR    deploy: the copy to the board was not made',
  ],
  ['unknown', /./, 'step 1 finished successfully\nstep 2\nstep 3\nstep 4\nstep 5'],
  [
    'not_a_failure',
    /none/,
    '2026-02-23 03:12:37.123456: I tensorflow/core/util/port.cc: oneDNN custom operations are on\n[info] Starting Model Optimization\n' +
      '[warning] Reducing optimization level to 0\n[info] Model Optimization is done\n[info] Saved HAR to: /x/net_optimized.har',
  ],
]
