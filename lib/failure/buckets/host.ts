/**
 * What the host, its installation or a person stops, whatever the tool.
 */
import { bucketAt, type Bucket } from '../bucket.ts'
import { runbookCommand } from '../../host/typescript.ts'
import { phrase } from '../patterns.ts'
import { versionAdvice } from './python.ts'

const any = bucketAt('any')
const glibcImage = 'use a glibc system or image (Debian, Ubuntu): docker run --rm -it debian:bookworm-slim'

/** Buckets that may strike at any stage. */
export const hostBuckets: Readonly<Record<string, Bucket>> = {
  environment_broken_install: any(
    'EnvironmentError',
    'the toolchain is not installed whole: a library, module or program is absent or of another build',
    runbookCommand('runbooks/doctor.ts'),
    [
      {
        when: /ld-linux-\S{1,30}\.so|ld-musl|\bmusl\b|(?:__\w{3,40}_chk|gnu_get_libc_version): symbol not found/i,
        cause: '{neededBy} was built for glibc, and this system has another C library (musl, as Alpine)',
        fix: glibcImage,
      },
      {
        when: /ld-linux-\S{1,30}\.so|ld-musl|\bmusl\b|(?:__\w{3,40}_chk|gnu_get_libc_version): symbol not found/i,
        cause: 'the library was built for glibc, and this system has another C library (musl, as Alpine)',
        fix: glibcImage,
      },
      {
        when: /(?:GLIBC|GLIBCXX|CXXABI)_\d/,
        cause: 'a program or library here was built for a newer C or C++ library: it wants {libcVersion}',
        fix: 'use a newer distribution or image, or a build for this one; ldd --version tells what is here',
      },
      {
        when: /exec format error|wrong ELF class|cannot execute binary|invalid ELF header/i,
        cause: 'a program or library is of another processor architecture than this machine',
        fix: 'get the build for this machine: uname -m; file -L "$(command -v PROGRAM)"',
      },
      ...versionAdvice,
      {
        when: /Cannot find (?:package|module)|ERR_MODULE_NOT_FOUND/i,
        cause: 'the Node package {nodeModule} is not installed where the program runs',
        fix: 'npm ci, in the folder that holds package.json',
      },
      {
        when: /Unsupported engine|Not compatible with your version of node|EBADENGINE/i,
        cause: 'the installed Node is too old for a package',
        fix: 'node --version; then a newer Node: https://nodejs.org/en/download',
      },
      {
        when: /\bnvcc: (?:command )?not found/i,
        cause: "CUDA's compiler nvcc is not installed, or its folder is not on PATH",
        fix: 'ls /usr/local/cuda*/bin/nvcc; then export PATH=/usr/local/cuda/bin:$PATH, or install the CUDA toolkit',
      },
      {
        when: phrase`No such file or directory: '[\w.-]{2,40}'|command not found|sh: \d{1,6}: \S{2,40}: not found
          |' failed: No such file`,
        cause: 'the program {program} is not installed, or not on PATH',
        fix: 'command -v {program}; sudo apt install {program}',
      },
      {
        when: /no element/i,
        cause: 'GStreamer has no element {element}: its plugin is not installed, or does not load',
        fix:
          'gst-inspect-1.0 {element}; rm -rf ~/.cache/gstreamer-1.0; apt-file search libgst shows the packages of ' +
          'plugins (libcamerasrc: gstreamer1.0-libcamera)',
      },
      {
        when: /cannot open shared object file|libraries: lib|library not loaded|image not found/i,
        cause: 'the shared library {library} is not where the loader looks',
        fix:
          'ldconfig -p | grep {library} tells whether it is installed; then set LD_LIBRARY_PATH, or install ' +
          'its package',
      },
      {
        when: /no module named|ModuleNotFoundError/i,
        cause: 'the Python module {module} is not installed in the environment that runs this',
        fix: 'activate the right virtual environment, or: python3 -m pip install {pipName}',
      },
      {
        when: /Cannot load symbol|dlsym/i,
        cause: 'the library {symbolFile} has no function {symbol}',
        fix: 'nm -D --defined-only {symbolFile} | c++filt | less shows its functions: name one of them (function-name)',
      },
      {
        when: /undefined symbol|symbol lookup error/i,
        cause: 'two libraries of different builds are mixed: the symbol {symbol} is in none of them',
        fix: 'install both from one release; LD_DEBUG=libs shows which file is loaded',
      },
      {
        when: /illegal (?:hardware )?instruction/i,
        cause: 'the program uses instructions that this processor does not have (often AVX)',
        fix: 'grep -o -m1 avx2 /proc/cpuinfo; where it prints nothing, use another machine or a build without AVX',
      },
    ],
  ),
  environment_build_failed: any(
    'BuildFailed',
    'a C or C++ build failed; what follows the first error of the compiler comes from it',
    'read the first line with "error:" above the one of make',
    [
      {
        when: /kernel headers/i,
        cause: 'the headers of the kernel {kernelWanted} are not installed, so no module can be built for it',
        fix: 'uname -r; sudo apt install linux-headers-{kernelWanted} (Raspberry Pi OS: linux-headers-rpi-2712)',
      },
      {
        when: /Dependency .* not found/i,
        cause: 'the build wants {dependency}, and pkg-config does not find it',
        fix: 'pkg-config --modversion {dependency}; install its development files, or set PKG_CONFIG_PATH',
      },
      {
        when: /hailort?\.hp?p?|hailo\/hailort/i,
        cause: "HailoRT's header {header} is not installed",
        fix: 'install the development files: hailort (deb) has them in /usr/include/hailo',
      },
      {
        when: /No such file or directory/,
        cause: 'the header {header} is not installed',
        fix: 'apt-file search {header} tells which package has it',
      },
    ],
  ),
  environment_package: any(
    'PackageError',
    'a package cannot be installed: it is not offered here, or contradicts one that is installed',
    'apt-cache policy NAME, or python3 -m pip index versions NAME',
    [
      {
        when: /not valid yet|is expired/i,
        cause: 'the clock of this machine and the date of the package source do not fit together',
        fix: 'timedatectl; sudo timedatectl set-ntp true; then sudo apt update',
      },
      {
        when: /externally-managed/i,
        cause: 'this Python belongs to the system, and pip may not install into it (PEP 668)',
        fix: 'python3 -m venv --system-site-packages venv && venv/bin/pip install NAME',
      },
      {
        when: /not a supported wheel|requires a different Python|from versions/i,
        cause: 'there is no build of {package} for this Python or processor',
        fix: 'python3 --version; uname -m; then take the wheel whose name has both (cp310, linux_x86_64)',
      },
      {
        when: /hailo|h10/i,
        cause:
          'packages for Hailo-8 (hailort) and for Hailo-10H (h10-hailort) exclude each other, or {package} is not ' +
          'offered here',
        fix: 'keep one family: sudo apt install hailo-all (Hailo-8, 8L) or sudo apt install hailo-h10-all (Hailo-10H)',
      },
      {
        when: /Unable to locate package/,
        cause: 'no package source of this system offers {package}',
        fix: 'sudo apt update; apt-cache search {package}',
      },
    ],
  ),
  host_oom: any(
    'Killed',
    'the host (or its GPU) ran out of memory',
    'a smaller calibration batch, or a host with more memory',
    [
      {
        when: /\bCUDA|cudnn|cublas|gpu/i,
        cause: 'the GPU ran out of memory',
        fix: 'nvidia-smi shows who holds it; end that, or take a smaller batch',
      },
      {
        when: /bad_alloc/,
        cause:
          'a program asked for memory and got none: too little is free, or libraries that do not fit together gave a ' +
          'wrong size',
        fix: 'free -h; where it shows room, compare the versions of the program and its libraries: ldd PROGRAM',
      },
      {
        when: /Killed process|oom-?kill/i,
        cause: 'the kernel ended the process {killed}, because the host ran out of memory',
        fix: 'free -h; then a smaller batch, more swap, or a host with more memory',
      },
    ],
  ),
  host_disk_full: any('DiskFull', 'the host ran out of disk', 'free some room (df -h), then go on with --resume'),
  host_permission: any(
    'PermissionError',
    'a file or folder may not be read or written by this user',
    'ls -ld the path, then change its owner or take another folder',
    [
      {
        when: /Read-only file system|EROFS|Errno 30/i,
        cause: 'the file system of {path} is mounted read-only',
        fix: 'findmnt -T {path}; write elsewhere, or remount: sudo mount -o remount,rw MOUNTPOINT',
      },
      {
        when: /docker|containerd/i,
        cause: 'this user may not talk to the Docker daemon',
        fix: 'sudo usermod -aG docker "$USER", then log in again',
      },
      {
        cause: 'this user may not open {path}',
        fix: 'ls -ld {path}',
      },
    ],
  ),
  file_absent: any(
    'FileNotFoundError',
    'a file that was named is not there',
    'check the path with ls, and the folder from which the program was started',
    [{ cause: '{path} is not there, seen from the folder in which the program ran', fix: 'ls -l {path}' }],
  ),
  wrapper_timeout: any(
    'Timeout',
    'our own hard limit for a case ended it; the tool had not given a verdict',
    '--case-timeout-min 60: the mapper may take an hour for each context',
    [
      {
        when: /DUE TO TIME LIMIT/i,
        cause: 'Slurm ended job {job} at its time limit, before the tool gave a verdict',
        fix: 'sacct -j {job} --format=JobID,State,Elapsed,Timelimit; then sbatch --time=… with a longer limit',
      },
      {
        when: /timed? ?out|time limit|deadline/i,
        cause: 'a time limit ended it, before the tool gave a verdict',
        fix: 'look in the log for the program that set the limit; for a case of a sweep: --case-timeout-min 60',
      },
    ],
  ),
  aborted: any('Aborted', 'a signal or a person stopped it', 'go on with --resume', [
    {
      when: /DUE TO NODE FAILURE/i,
      cause: 'the node of job {job} failed, and Slurm ended the job; nothing is said of the job itself',
      fix: 'sinfo -R shows why; start the job again: scontrol requeue {job}',
    },
    {
      when: /DUE TO PREEMPTION/i,
      cause: 'Slurm ended job {job} for one of higher priority',
      fix: 'start it again: scontrol requeue {job}; a sweep goes on with --resume',
    },
  ]),
  not_a_failure: any('', 'this text is part of a success', 'none'),
  unknown: any('CompileFailed', 'no known signature is in the log', 'read the last error block of the log', [
    {
      when: /HAILO_\w{4,60}\(\d{1,3}\)|libhailort failed/,
      cause: 'HailoRT answered {hailoStatus}, which names no cause by itself',
      fix: 'run it again with HAILORT_CONSOLE_LOGGER_LEVEL=info, and look at: sudo dmesg | grep -i hailo',
    },
  ]),
}
