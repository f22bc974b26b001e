/**
 * Signatures of an installation that is incomplete or does not fit together.
 */
import { lines, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const any = at('any')

/** Libraries, programs and packages that are absent or of another build. */
export const environmentSignatures: readonly Signature[] = [
  any(
    'environment_broken_install',
    phrase`Error loading shared library|error while loading shared libraries|Error relocating \S{3,300}:
      |ERR_DLOPEN_FAILED|invalid ELF header|cannot execute binary file
      |cannot open shared object file`,
    { unless: /libhailort\.so|lib(?:nvinfer|nvonnx|cudnn|cudart|cublas|onnxruntime_providers)/ },
  ),
  any(
    'environment_build_failed',
    lines`fatal error: \S{2,120}: No such file|^\S{1,200}:\d{1,6}(?::\d{1,5})?: (?:fatal )?error: 
      |undefined reference to
      |ld returned \d exit status|CMake Error at`,
    { unless: /\[TRT\]|\[E\]|\bERROR: / },
  ),
  any('tool_usage', /error: argument [^\n]{2,60}: invalid choice: /, {
    unless: /invalid choice: '(?:parser|optimize|compiler)'/,
  }),
  any('host_storage', /EXT4-fs error|mmc\d[^\n]{0,20}: error -\d|\bI\/O error, dev \w|Buffer I\/O error/i),
  any('environment_build_failed', /meson\.build:[\d:]{1,12} ERROR: |ERROR: Dependency "\S{2,60}" not found/),
  any(
    'environment_broken_install',
    phrase`ERR_MODULE_NOT_FOUND|Cannot find package '|Unsupported engine|Not compatible with your version of node
      |EBADENGINE|(?:FileNotFoundError|ENOENT)[^\n]{0,40}No such file or directory: '[a-z][\w-]{1,30}'`,
    { unless: /onnxruntime|\.(?:wav|onnx|hef|npz|json|txt|py)'/i },
  ),
  any(
    'environment_broken_install',
    lines`^(?:/bin/)?(?:sh|dash|ash): (?:line )?\d{1,6}: [\w.+-]{2,40}: not found
      |command '[\w.+-]{2,40}' failed: No such file`,
    { unless: /hailo/i },
  ),
  any('environment_package', /Release file for [^\n]{5,200} is (?:not valid yet|expired)/i),
  any('file_absent', /FileNotFoundError: [^\n]{0,40}No such file or directory: '[^'\n]{0,200}[/.][^'\n]{0,80}'/, {
    unless: /hailo|\.so\b/i,
  }),
  any(
    'environment_package',
    phrase`Unable to locate package|has no installation candidate|held broken packages|unmet dependencies
      |\bConflicts: h?10?-?hailo|conflicts with (?:h10-)?hailort
      |E(?:rror)?: Version '[^'\n]{1,60}' for '[^'\n]{1,60}' was not found
      |trying to overwrite '[^'\n]{1,200}', which is also in package
      |No matching distribution found|Could not find a version that satisfies|not a supported wheel
      |requires a different Python
      |dpkg: (?:error|dependency problems)`,
  ),
  any('host_permission', /Read-only file system|\bEROFS\b|Errno 30\b/i),
  any('host_permission', [/permission denied|EACCES|PermissionError|Errno 13/i, /\S/], {
    unless: /\/dev\/(?:hailo|h1x)|hailo device|HailoRT\]/i,
  }),
  any(
    'environment_broken_install',
    phrase`symbol lookup error|undefined symbol|PathLike object, not NoneType
      |ModuleNotFoundError|no module named|\bImportError\b|cannot open shared object file
      |GLIBC(?:XX)?_\d[\w.]{0,12}'? not found|command not found|invalid choice: '(?:parser|optimize|compiler)'
      |exec format error|DistributionNotFound|\bno element "?\w{2,40}
      |no such file or directory: '?(?:\S{0,80}/)?hailo\w*'|(?:hailo|compiler|dfc)\w{0,12}: not found|wrong ELF class
      |illegal (?:hardware )?instruction`,
  ),
  any(
    'environment_broken_install',
    [
      phrase`dataflow compiler|\bdfc\b|hailo_sdk|\bsdk\b|toolchain|hailo (?:cli|tool)`,
      phrase`not (?:be )?(?:installed|found)|broken|incomplete|is missing|licen[cs]e|corrupt`,
    ],
    { unless: /layer|node/i },
  ),
]
