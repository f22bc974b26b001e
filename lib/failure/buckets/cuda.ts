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
        when: /NVML: Unknown Error/i,
        cause: 'the container lost the GPU that it had: its device permissions were reset on the host',
        fix: 'restart the container; nvidia-smi on the host shows whether the GPU itself works',
      },
      {
        when: /couldn't communicate|NVIDIA-SMI has failed|Driver Not Loaded/i,
        cause: "NVIDIA's kernel module is not loaded",
        fix: 'lsmod | grep nvidia; dkms status; sudo modprobe nvidia; after an upgrade of the kernel: sudo reboot',
      },
      {
        when: /Nouveau/i,
        cause: 'the free driver nouveau holds the GPU, so the driver of NVIDIA cannot be loaded',
        fix:
          'printf "blacklist nouveau\\noptions nouveau modeset=0\\n" | sudo tee /etc/modprobe.d/nouveau.conf; sudo ' +
          'update-initramfs -u; sudo reboot',
      },
      {
        when: /CUDA failure 35\b|\(35\)|=35\b|insufficient|InsufficientDriver|too old/i,
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
        when: /embedded device/i,
        cause: 'this TensorRT does not know this Jetson: it belongs to another JetPack',
        fix: 'cat /etc/nv_tegra_release; dpkg -l | grep -E "nvinfer|jetpack": take the TensorRT of that JetPack',
      },
      {
        when: /CUDA capability sm_/i,
        cause: 'this PyTorch has no code for a GPU of {smName}',
        fix:
          'python3 -m pip install -U torch from the index of a newer CUDA: python3 -c "import torch; ' +
          'print(torch.version.cuda, torch.cuda.get_arch_list())"',
      },
      {
        when: /no kernel image/i,
        cause: 'the program was not built for this model of GPU',
        fix:
          'nvidia-smi --query-gpu=name,compute_cap --format=csv; then a build that has it (PyTorch: ' +
          'torch.cuda.get_arch_list())',
      },
      {
        cause: 'this TensorRT has no code for GPUs of SM {sm}',
        fix:
          'take a TensorRT that serves it (10 and newer: SM 7.5 and newer; 8.6: down to SM 5.0): nvidia-smi ' +
          '--query-gpu=name,compute_cap --format=csv',
      },
    ],
  ),
  gpu_lost: build(
    'GpuLost',
    'the GPU stopped answering: power, heat, its slot, or a defect',
    'sudo dmesg | grep -i xid; nvidia-smi -q -d TEMPERATURE,POWER; then power the machine off and on',
    [
      {
        when: /Xid/,
        cause: 'the driver reports Xid {xid} for the GPU at {gpuAddress}',
        fix:
          "sudo dmesg | grep -i xid; look the number up in NVIDIA's list of Xids; for 79 (off the bus) check power, " +
          'heat and slot, then power the machine off and on',
      },
    ],
  ),
  cudnn_not_initialized: build(
    'CudnnError',
    'cuDNN or cuBLAS could not start: the memory of the GPU is full, or the library does not fit driver and CUDA',
    'nvidia-smi shows the free memory; ldconfig -p | grep -E "libcudnn|libcublas" shows which versions are found',
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
        when: /file too short/,
        cause: '{library} is an empty file: this image gets the library of the Jetson that runs it',
        fix:
          'docker run --runtime nvidia IMAGE; on the host: dpkg -l | grep -E "nvinfer|cuda-toolkit|nvidia-container" ' +
          'shows what JetPack installed',
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
