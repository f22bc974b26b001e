/** Makes operating errors of what the system says: a state, and a hint that helps, for each of its codes. */
import { RunbookError } from './errors.ts'

/** What helps, by errno. */
const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some room (`df -h`), or choose another folder',
  EDQUOT: 'the quota is used up: free some room, or choose another folder',
  EACCES: 'check the owner and the mode (`ls -ld`), or choose another folder',
  EPERM: 'check the owner and the mode (`ls -ld`), or choose another folder',
  EROFS: 'the file system is read-only: choose another folder',
  ENOENT: 'check the path with `ls`',
  EFBIG: 'the file is too large for this file system: choose another folder',
  EEXIST: 'a file of that name is in the way: choose another folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EMFILE: 'too many open files: raise the limit (`ulimit -n 4096`)',
  ENFILE: 'too many open files on this machine: look at `cat /proc/sys/fs/file-nr`',
  EIO: 'the device does not answer: look at `dmesg`',
  EBUSY: 'something holds it: look at `fuser -v` with its path',
  ETXTBSY: 'it is being run: stop it first',
  ESTALE: 'the network folder was lost: mount it again',
  ENODEV: 'the device is gone: look at `dmesg`',
  ENXIO: 'the device is gone: look at `dmesg`',
  ENOMEM: 'free some memory: look at `free -m`',
  EAGAIN: 'the limit of processes or memory is reached: look at `ulimit -a`',
  ENOEXEC: 'it is no program for this machine: look at `file` with its path',
}
/** What the caller got wrong, by errno: the state, and what helps. */
const mistakes: Readonly<Record<string, readonly [state: string, hint: string]>> = {
  EISDIR: ['it is a folder', 'name a file inside it'],
  ENAMETOOLONG: ['its name is too long', 'give a shorter path'],
  ELOOP: ['its links lead round in a circle', 'look at `ls -l`, and name the file itself'],
  EINVAL: ['the system takes no such path or value', 'compare the path with `ls`'],
  EILSEQ: ['its name holds what this file system cannot keep', 'give a plainer name'],
}
/** An errno is capital letters; node's own codes begin with `ERR_`. */
const errno = /^E(?!RR_)[A-Z0-9]+$/

/** An error of the system as an operating error, or the thrown value itself when it is something else. */
export function fileError(act: string, path: string, thrown: unknown): RunbookError | unknown {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  if (code === undefined) return thrown
  const mistake = mistakes[code]
  if (mistake !== undefined) {
    const [state, hint] = mistake
    return new RunbookError('usage', `Cannot ${act} "${path}": ${state}`, hint, { cause: thrown, code })
  }
  if (!errno.test(code)) return thrown
  const state = code === 'ENOENT' ? 'ENOENT (there is no such file)' : code
  const hint = hints[code] ?? 'look at the file system and its mount (`df`, `mount`), or choose another folder'
  return new RunbookError('blocked', `Cannot ${act} "${path}": ${state}`, hint, { cause: thrown, code })
}

/** What is short when any call of the system fails so: it says nothing about whoever called. */
const shortages = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** An error that says that the machine has no more of something, as an operating error; anything else as it is. */
export function shortageError(thrown: unknown): unknown {
  const { code, path, syscall, message } = (thrown ?? {}) as NodeJS.ErrnoException
  if (thrown instanceof RunbookError) return thrown
  if (code !== undefined && shortages.has(code)) return fileError(syscall ?? 'use', path ?? 'the machine', thrown)
  // So V8 says it; the length of an array that is no length at all has other words.
  const isMemory = thrown instanceof RangeError && /allocation failed|out of memory/i.test(message)
  return isMemory ? fileError('go on in', 'memory', Object.assign(thrown, { code: 'ENOMEM' })) : thrown
}
