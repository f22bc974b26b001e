/**
 * Hears what TensorRT says, without letting its threads wait for JavaScript.
 *
 * An ILogger is a C++ object; this one is a vtable in native memory. While a call runs on a worker thread its log slot
 * leads to JavaScript; at all other times to a C function that does nothing. TensorRT logs from threads of its own, and
 * a message from such a thread waits for the event loop: during a synchronous call it would wait for ever. So a
 * synchronous call is refused while another is listened to. A process has one logger for a library, for TensorRT keeps
 * the first that it is given as its own.
 */
import { Turns } from '../../lib/base/async.ts'
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import type { Abi } from './abi/abi.ts'
import { constantFunctions } from './abi/machine-code.ts'

/** TensorRT's own: 0 is an internal error and 4 is verbose. */
export const severityNames = ['internal error', 'error', 'warning', 'info', 'verbose'] as const

/** One message of the library. */
export interface LogMessage {
  readonly severity: (typeof severityNames)[number]
  readonly text: string
}

/** What the library writes its messages to. */
export interface Logger {
  /** Address of the ILogger. It stays valid for the life of the process, as TensorRT wants. */
  readonly pointer: bigint
  /** Errors and warnings of the latest call that was listened to, oldest first; at most 64. */
  readonly messages: readonly LogMessage[]
  /** Told every message up to `info`, if it is set. What it throws is lost: TensorRT cannot take an exception. */
  onMessage: ((message: LogMessage) => void) | undefined
  /** Whether nobody listens: no call of TensorRT's can reach JavaScript. */
  readonly isMute: boolean
  /** Whoever opens or builds does so alone, from the first call to the last: `work` waits for those before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T>
  /** Listen while `work`, one asynchronous native call, runs. Only within a turn. */
  during<T>(work: () => Promise<T>): Promise<T>
  /** When the call that is listened to, if any, is over. Another may have begun by then: look at `isMute` again. */
  whenMute(): Promise<unknown>
  /** @throws FfiError `usage` when `call` is about to run on this thread while an asynchronous one is under way */
  mustBeMute(call: string): void
}

const messagesMax = 64
const wordBytes = 8

/** Make a logger for a version. Nothing of it is ever freed: a few hundred bytes. */
export function createLogger(abi: Abi): Logger {
  const k = koffi()
  const messages: LogMessage[] = []
  let isMute = true
  const turns = new Turns()
  let listening: Promise<unknown> = Promise.resolve()
  const hear = (_self: unknown, severity: number, text: string | null) => {
    try {
      const message = { severity: severityNames[severity] ?? 'verbose', text: text ?? '' }
      if (severity <= 2 && messages.length < messagesMax) messages.push(message)
      if (severity <= 3) logger.onMessage?.(message)
    } catch {
      // An exception cannot cross native frames; a listener's own fault is not TensorRT's.
    }
  }
  const loud = k.register(hear, k.pointer(k.proto('void (void *self, int32_t severity, const char *message)')))
  const silent = harmless()
  const { object, logSlot } = layOut(abi, silent)
  const listen = async <T>(work: () => Promise<T>): Promise<T> => {
    messages.length = 0
    k.encode(logSlot, 'void *', loud)
    isMute = false
    try {
      return await work()
    } finally {
      k.encode(logSlot, 'void *', silent)
      isMute = true
    }
  }
  const logger: Logger = {
    pointer: object,
    messages,
    onMessage: undefined,
    get isMute() {
      return isMute
    },
    inTurn: work => turns.take(work),
    during(work) {
      logger.mustBeMute('a second asynchronous method')
      const call = listen(work)
      listening = call.catch(() => {})
      return call
    },
    whenMute: () => listening,
    mustBeMute(call) {
      if (isMute) return
      throw new FfiError(
        'usage',
        `Cannot call ${call}: another call of this TensorRT is under way on a worker thread`,
        'await the call before',
      )
    },
  }
  return logger
}

/** A C function that takes anything, touches nothing and returns at once. */
function harmless(): bigint {
  return koffi().load(null).symbol('getppid') as bigint
}

/**
 * Write the object and its vtable: [offset to top, type info, slots…]. The object is one word that points at slot 0.
 */
function layOut(abi: Abi, silent: bigint): { object: bigint; logSlot: bigint } {
  const k = koffi()
  const slotOf = (method: string) => abi.slotOf('ILogger', method)
  const slots: bigint[] = Array.from({ length: 5 }, () => silent)
  const [language, info] = [slotOf('getAPILanguage'), slotOf('getInterfaceInfo')]
  if (language !== undefined && info !== undefined) {
    // APILanguage::kCPP is 0; InterfaceInfo is { char const *kind; int32 major; int32 minor } = { "ILogger", 1, 0 }.
    const kind = k.alloc('char', 8) as bigint
    k.encode(kind, 'char', 'ILogger\0', 8)
    const [languageCode, infoCode] = constantFunctions([{ first: 0n }, { first: kind, second: 1n }])
    slots[language] = languageCode!
    slots[info] = infoCode!
  }
  const vtable = k.alloc('void *', slots.length + 2) as bigint
  const first = vtable + BigInt(2 * wordBytes)
  slots.forEach((code, i) => k.encode(first + BigInt(i * wordBytes), 'void *', code))
  const object = k.alloc('void *', 2) as bigint
  k.encode(object, 'void *', first)
  return { object, logSlot: first + BigInt(slotOf('log')! * wordBytes) }
}
