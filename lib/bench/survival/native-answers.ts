/**
 * Opens a model on libraries that answer as none should, and looks whether each is contained, named and quick.
 *
 * Every function of HailoRT that opening a model and one frame call is made to misbehave in turn, in the ways of
 * `ways`. The library is a C stand-in; it runs in the child process that a device's model always runs in.
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { hailortStandin } from '../../../ffi/testing/hailort.ts'
import { seededRandom } from '../../base/random.ts'
import { RunbookError } from '../../base/errors.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { writeFileAtomic } from '../../host/files.ts'
import { processesWith } from '../../testing/processes.ts'
import { tinyModel } from '../../testing/hef/models.ts'
import { openIsolated } from '../../infer/isolate/parent.ts'
import { inLanes } from './started-run.ts'

/** What came of one hostile answer. */
export interface Answered {
  readonly call: string
  readonly way: string
  /** `error`: an operating error; `answered`: a frame came all the same; `bug`: anything else. */
  readonly end: 'error' | 'answered' | 'bug'
  readonly says: string
  /** The error names the function or the status; or what was asked, where the record of calls was written over. */
  readonly isNamed: boolean
  readonly isSlow: boolean
}

const ways: readonly { readonly name: string; orders(call: string): Record<string, string> }[] = [
  { name: 'crashes', orders: call => ({ CRASH: call }) },
  { name: 'says a status that no version has', orders: call => ({ STATUS: `${call}:31337` }) },
  { name: 'says a negative status', orders: call => ({ STATUS: `${call}:-1` }) },
  ...['hang', 'abort', 'exit', 'noise', 'close', 'daemon'].map(way => ({
    name: way,
    orders: (call: string) => ({ HOSTILE: `${call}:${way}` }),
  })),
]

/** What opening a model and one frame call, and what the error of a failure must name. */
const calls = [
  'hailo_get_device_id',
  'hailo_identify',
  'hailo_init_vdevice_params',
  'hailo_create_vdevice',
  'hailo_get_physical_devices',
  'hailo_create_hef_file',
  'hailo_get_network_groups_infos',
  'hailo_hef_get_all_vstream_infos',
  'hailo_hef_get_sorted_output_names',
  'hailo_init_configure_params_by_vdevice',
  'hailo_configure_vdevice',
  'hailo_make_input_vstream_params',
  'hailo_make_output_vstream_params',
  'hailo_create_input_vstreams',
  'hailo_create_output_vstreams',
  'hailo_get_input_vstream_frame_size',
  'hailo_get_output_vstream_frame_size',
  'hailo_get_input_vstream_info',
  'hailo_vstream_write_raw_buffer',
  'hailo_vstream_read_raw_buffer',
]

const callTimeoutMs = 2000
/** A start of a child, an opening and a frame, on a machine that does other things too. */
const slowMs = 20_000

/** `count` of all pairs of a call and a way, in an order that the seed decides. */
export async function askHostile(o: {
  folder: string
  count: number
  seed: number
  lanes?: number
}): Promise<Answered[]> {
  const path = join(o.folder, 'tiny.hef')
  writeFileAtomic(path, tinyModel().hef)
  const library = hailortStandin({ profile: 'C' })
  const all = calls.flatMap(call => ways.map(way => ({ call, way })))
  const jobs = seededRandom(o.seed).shuffled(all).slice(0, o.count)
  return inLanes(jobs, o.lanes ?? 4, async ({ call, way }) => {
    const orders = Object.entries(way.orders(call)).map(([name, value]) => [`HAILO_STANDIN_${name}`, value])
    const env = { HAILORT_LIB: library, ...Object.fromEntries(orders) }
    const startedMs = performance.now()
    const end = await ask(path, env)
    return {
      call,
      way: way.name,
      ...end,
      isNamed: end.end === 'answered' || /hailo_\w+|HAILO_\w+|status -?\d+|"(open|infer)"/.test(end.says),
      isSlow: performance.now() - startedMs > slowMs,
    }
  })
}

async function ask(path: string, env: Record<string, string>): Promise<Pick<Answered, 'end' | 'says'>> {
  try {
    await using model = await openIsolated(path, { env, callTimeoutMs, openTimeoutMs: 4000 })
    await model.infer({ 'net/mix': float32([1, 1, 1, 64], new Float32Array(64)) })
    return { end: 'answered', says: '' }
  } catch (thrown) {
    const says = thrown instanceof Error ? thrown.message : String(thrown)
    return { end: thrown instanceof RunbookError ? 'error' : 'bug', says }
  }
}

/** Processes that stand-ins left behind: each sleeps for a number of seconds that its own number gives. */
export function daemonsLeft(): number[] {
  return processesWith('sleep ')
    .filter(({ pid, command }) => command === `sleep ${daemonSeconds + pid}`)
    .map(({ pid }) => pid)
}

/** As in the stand-in. */
const daemonSeconds = 600
