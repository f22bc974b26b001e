#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer serve: does the sidecar answer windows until it is told to stop, and lose none?
 *
 * Serves `POST /infer` and its other interfaces on port 9000, from the exported model or a HEF (--backend hailort). It
 * is ready once the model has answered golden windows as its reference did. SIGTERM drains: what was accepted is
 * answered. `USE_REAL_MODEL=false` serves a deterministic stub that says it is one.
 *
 *   npx tsx runbooks/edgeinfer-serve.ts
 *   npx tsx runbooks/edgeinfer-serve.ts --for 10
 *   HEF_PATH=artifacts/tcn_encoder.hef MODEL_BACKEND=hailort npx tsx runbooks/edgeinfer-serve.ts
 */
import { choice, file, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { backendInput, commandAt, homeInput, modelInput } from '../lib/systems/edgeinfer/home.ts'

const { service, model, selection, sha256 } = edgeinferContract()

export default runbook(
  import.meta,
  {
    asks: 'does the sidecar answer windows until it is told to stop, and lose none?',
    inputs: {
      home: homeInput,
      model: modelInput,
      backend: backendInput,
      motifs: number({
        env: 'NUM_MOTIFS',
        default: model.motifs,
        min: 2,
        max: 1024,
        integer: true,
        help: 'motifs that clients count on',
      }),
      realModel: toggle({
        env: 'USE_REAL_MODEL',
        default: true,
        help: 'whether a model answers; without, a marked stub',
      }),
      host: text({ env: 'SIDECAR_HOST', default: service.host, help: 'the address to listen on' }),
      port: number({
        env: 'SIDECAR_PORT',
        default: service.port,
        min: 0,
        max: 65535,
        integer: true,
        help: 'the port; 0 for any',
      }),
      logLevel: choice(['fatal', 'error', 'warn', 'info', 'debug'], {
        env: 'LOG_LEVEL',
        default: 'info',
        help: 'what is logged',
      }),
      workers: number({
        env: 'WORKERS',
        optional: true,
        min: 1,
        max: 64,
        integer: true,
        help: 'windows at once; default: one for each core',
      }),
      telemetry: toggle({
        env: 'TELEMETRY',
        default: true,
        help: 'whether answers are recorded in telemetry/ under --home',
      }),
      streamShare: number({
        default: selection.streamShare,
        min: 0,
        max: 1,
        help: 'share of the windows, the most uncertain, that telemetry keeps whole for labelling',
      }),
      shadow: file({ optional: true, late: true, help: 'a second model that is asked too, for its cosine' }),
      shadowShare: number({
        default: 0.1,
        min: 0,
        max: 1,
        help: 'share of the windows that the shadow is asked about',
      }),
      for: number({
        optional: true,
        min: 0,
        unit: 'seconds',
        help: 'stop by itself after this long; default: at SIGTERM',
      }),
    },
    untilStopped: true,
    steps: ({ host, port }) => [`listen on ${host}:${port}`, 'answer until SIGTERM, then drain'],
  },
  async ({ inputs, run, cell, gate, hint, next, stamp, signal, line }) => {
    const { serveUntil } = await import('../lib/systems/edgeinfer/sidecar/run.ts')
    stamp({ contract: sha256 })
    const outcome = await cell('Serve', ({ print }) =>
      serveUntil(inputs, { signal, print, logFile: run.path('sidecar.log') }),
    )
    stamp({ device: outcome.device })
    const { answered, refused, lost } = outcome
    line(`Requests: answered=${answered} ; refused=${refused} ; lost=${lost} ; stub=${outcome.isStub}`)
    run.write('status.json', JSON.stringify(outcome.status, null, 2))
    if (outcome.isStub) gate.blocked('a model answers', 'USE_REAL_MODEL=false: the stub answered')
    else gate('golden self-test, least cosine', outcome.cosineMin, { atLeast: outcome.cosineBound })
    gate('failures of the service itself (5xx other than refusals)', outcome.bugs, { equals: 0 })
    gate('accepted requests that were cut off', outcome.lost, { equals: 0 })
    next({
      pass: commandAt(inputs.home, 'runbooks/edgeinfer-load.ts'),
      blocked: commandAt(inputs.home, 'runbooks/edgeinfer-export.ts'),
    })
    hint({ fail: 'look into sidecar.log of this run' })
  },
)
