/**
 * What keeps TensorRT from starting: CUDA, the GPU, libraries.
 */
import { bucketAt, type Bucket } from '../bucket.ts'

const build = bucketAt('build')

/** Buckets of the machine: CUDA, the GPU, libraries. */
export const cudaBuckets: Readonly<Record<string, Bucket>> = {
  cuda_init_driver: build(
    'CudaInitError',
    'the CUDA driver is absent, too old or not reachable',
    'upgrade the driver, or start the container with the GPU',
    [
      {
        when: /Driver\/library version mismatch/i,
        cause: "the driver's kernel module and its library are of different versions: it was upgraded while running",
        fix: 'sudo reboot, then: nvidia-smi',
      },
      {
        when: /\b35\b|insufficient/i,
        cause: 'the driver is older than this CUDA runtime wants',
        fix: 'nvidia-smi shows which CUDA the driver serves: upgrade the driver, or take an older container',
      },
    ],
  ),
  cuda_init_no_device: build(
    'CudaInitError',
    'no CUDA device is visible',
    'check CUDA_VISIBLE_DEVICES and nvidia-smi',
    [
      {
        when: /could not select device driver|capabilities: \[\[gpu\]\]|nvidia-container/i,
        cause: 'Docker has no runtime that gives a container the GPU',
        fix:
          'sudo apt install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; sudo ' +
          'systemctl restart docker',
      },
    ],
  ),
  cuda_lib_version_skew: build(
    'Warning',
    'TensorRT was linked against another version of a CUDA library than the one loaded',
    'check LD_LIBRARY_PATH for duplicates',
  ),
  cuda_error: build(
    'CudaError',
    'a kernel on the GPU failed: a wrong address or size, or a defect of a plugin; later CUDA errors follow from it',
    'compute-sanitizer PROGRAM, or run it again with CUDA_LAUNCH_BLOCKING=1',
  ),
  gpu_arch_unsupported: build(
    'UnsupportedGpu',
    'this TensorRT does not support the architecture of the GPU',
    'change the version of TensorRT',
    [
      {
        cause: 'this TensorRT has no code for GPUs of SM {sm}',
        fix:
          'take a TensorRT that serves it (10 and newer: SM 7.5 and newer; 8.6: down to SM 5.0): nvidia-smi ' +
          '--query-gpu=name,compute_cap --format=csv',
      },
    ],
  ),
  gpu_oom: build('OutOfMemory', 'the GPU ran out of memory', 'a smaller workspace, profile or batch'),
  missing_lean_runtime: build(
    'LibraryError',
    'a version-compatible plan carries the lean runtime, which is not here',
    'install libnvinfer-lean, or build without version compatibility',
  ),
  missing_shared_library: build(
    'LibraryError',
    'a shared library of TensorRT or CUDA cannot be loaded',
    'install the full package, not the lean runtime',
    [
      {
        when: /No module named/i,
        cause: 'the Python module {module} is not installed in the environment that runs this',
        fix:
          'python3 -m pip install tensorrt (Jetson: sudo apt install python3-libnvinfer, and a venv with ' +
          '--system-site-packages)',
      },
      {
        when: /builder_resource/,
        cause: 'the library {library} is not here: this installation can run engines and build none',
        fix: 'install the full package of the same version (tensorrt, not tensorrt-lean), or build elsewhere',
      },
      {
        cause: 'the library {library} is not where the loader looks',
        fix: 'ldconfig -p | grep {library}; then set LD_LIBRARY_PATH, or install its package',
      },
    ],
  ),
}
