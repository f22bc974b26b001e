/**
 * Looks at everything on a machine that a runbook may need.
 *
 * All checks, each under a time limit of its own and several at a time. One that throws, or does not end, is a `broken`
 * line with its message: the rest is still told.
 */
import { broken, type Fact, type Need } from './fact.ts'
import { hailortAbiFact } from './hailo/header.ts'
import { hailoFacts } from './hailo/hailo.ts'
import { bashFact, libcFact, nodeFact, packageFacts, toolFacts } from './host.ts'
import { cudaFact, hailortFact, onnxRuntimeFact, tensorRtFact } from './probe/libraries.ts'
import type { Machine } from './machine.ts'
import { nvidiaFacts } from './nvidia/nvidia.ts'
import { slurmFact, systemdFact } from './system.ts'
import { tensorRtAbiFact } from './nvidia/tensorrt-header.ts'
import { dfcFact, dfcProbeMs, hailortcliFact, polygraphyFact, trtexecFact } from './vendor-tools.ts'

type Facts = Fact | readonly Fact[]

/** One thing to look at. */
export interface Check {
  /** How its line is called when it throws. */
  readonly name: string
  readonly needs: readonly Need[]
  readonly look: (machine: Machine) => Facts | Promise<Facts>
  /** 30 000 unless told. A crashing library is tried again for what is left of its group, which takes its time. */
  readonly limitMs?: number
}

/** In the order in which they are told. */
export const checks: readonly Check[] = [
  { name: 'node', needs: ['main'], look: nodeFact },
  { name: 'C library', needs: ['main'], look: libcFact },
  { name: 'bash', needs: ['main'], look: bashFact },
  { name: 'packages', needs: ['main'], look: packageFacts },
  { name: 'ONNX Runtime', needs: ['main'], look: onnxRuntimeFact },
  { name: 'Dataflow Compiler', needs: ['dfc'], look: dfcFact, limitMs: 2 * dfcProbeMs + 5000 },
  { name: 'HailoRT', needs: ['hailo'], look: hailortFact },
  { name: 'HailoRT header', needs: [], look: hailortAbiFact },
  { name: 'Hailo board', needs: ['hailo'], look: hailoFacts },
  { name: 'hailortcli', needs: [], look: hailortcliFact },
  { name: 'NVIDIA driver', needs: ['nvidia'], look: nvidiaFacts },
  { name: 'CUDA runtime', needs: ['nvidia'], look: cudaFact },
  { name: 'TensorRT', needs: ['nvidia'], look: tensorRtFact },
  { name: 'TensorRT header', needs: [], look: tensorRtAbiFact },
  { name: 'trtexec', needs: [], look: trtexecFact },
  { name: 'polygraphy', needs: [], look: polygraphyFact },
  { name: 'tools', needs: [], look: toolFacts },
  { name: 'slurm', needs: [], look: slurmFact },
  { name: 'systemd', needs: [], look: systemdFact },
]

const limitMs = 30_000
const atOnce = 4

/** Look at everything. Never rejects. @param o.looked called after each check with how many are done */
export async function examine(
  machine: Machine,
  o: { checks?: readonly Check[]; looked?: (done: number, total: number) => void } = {},
): Promise<Fact[]> {
  const all = o.checks ?? checks
  const facts: (readonly Fact[])[] = []
  const waiting = [...all.entries()]
  let done = 0
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [i, check] = next
      facts[i] = await lookWithin(check, machine)
      o.looked?.(++done, all.length)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return facts.flat()
}

async function lookWithin(
  { name, needs, look, limitMs: limit = limitMs }: Check,
  machine: Machine,
): Promise<readonly Fact[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limit / 1000} s`)), limit)
  })
  try {
    const facts = await Promise.race([(async () => look(machine))(), late])
    return Array.isArray(facts) ? (facts as readonly Fact[]) : [facts as Fact]
  } catch (thrown) {
    const { message, hint } = thrown as { message?: string; hint?: string }
    return [
      broken(
        name,
        (message ?? String(thrown)).split('\n')[0]!,
        hint ?? 'this check itself failed: report it, with --json',
        needs,
      ),
    ]
  } finally {
    clearTimeout(timer)
  }
}
