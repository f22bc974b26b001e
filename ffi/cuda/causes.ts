/**
 * Says what a status of CUDA asks for.
 *
 * Numbers are of `cudaError_t`. The name and the text of a status come from the library itself.
 */
import type { FfiError } from '../errors.ts'

interface Fix {
  readonly kind: FfiError['kind']
  readonly fix: string
}

const fixes: Readonly<Record<number, Fix>> = {
  1: { kind: 'status', fix: 'an argument is out of range: this is a fault of the caller' },
  2: { kind: 'status', fix: 'free GPU memory (nvidia-smi lists who holds it), or use smaller shapes' },
  3: { kind: 'absent', fix: 'look at the driver: nvidia-smi must list a GPU' },
  35: { kind: 'absent', fix: 'install a newer NVIDIA driver, or an older CUDA runtime (CUDART_LIB)' },
  46: { kind: 'absent', fix: 'another process holds the GPU: nvidia-smi lists it' },
  100: {
    kind: 'absent',
    fix: 'nvidia-smi must list a GPU; look at CUDA_VISIBLE_DEVICES; a container needs docker run --gpus all',
  },
  101: { kind: 'absent', fix: 'choose a device that nvidia-smi lists' },
  209: { kind: 'refused', fix: 'build for this GPU: its compute capability is not in the binary' },
  400: { kind: 'status', fix: 'it was destroyed: this is a fault of the caller' },
  600: { kind: 'status', fix: 'wait for the work first: await stream.done()' },
  700: {
    kind: 'status',
    fix:
      'the device read or wrote outside its memory, and must be opened again in a new process: ' +
      'compute-sanitizer finds where',
  },
  702: { kind: 'status', fix: 'the work ran longer than the system allows: use a GPU without a display' },
  719: { kind: 'status', fix: 'the work crashed on the device, which must be opened again in a new process' },
  803: { kind: 'absent', fix: 'driver and user libraries are of different versions: restart after a driver update' },
  804: {
    kind: 'absent',
    fix: 'this GPU is not served by the forward-compatible driver package: install the driver itself',
  },
}

/** The kind of error that a status is, and what mends it. */
export const fixFor = (status: number): Fix => fixes[status] ?? unexplained

/** What status 35 means where the driver has no version: CUDA calls an absent driver an old one. */
export const noDriver: Fix & { readonly says: string } = {
  kind: 'absent',
  says: 'no NVIDIA driver is loaded',
  fix: 'install the NVIDIA driver and load it: nvidia-smi must list a GPU; a container needs docker run --gpus all',
}

const unexplained: Fix = { kind: 'status', fix: "look at nvidia-smi and at the kernel's log: dmesg | grep -i nvrm" }
