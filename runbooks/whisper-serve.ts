#!/usr/bin/env -S npx tsx
/**
 * Whisper service: does it answer OpenAI's clients until it is told to stop, and lose no request?
 *
 * Serves `POST /v1/audio/transcriptions` and its siblings on port 11437, from the model that its configuration names.
 * It is ready once the model has listened to a second of silence. With no model it runs all the same, and says at
 * `/health/ready` which command brings one. SIGTERM ends it when what was accepted is answered.
 *
 *   npx tsx runbooks/whisper-serve.ts --model tiny.en
 *   npx tsx runbooks/whisper-serve.ts --model tiny.en --for 10
 *   npx tsx runbooks/whisper-serve.ts --config /etc/xdg/hailo-whisper/hailo-whisper.json
 */
import { choice, file, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: "does it answer OpenAI's clients until it is told to stop, and lose no request?",
    inputs: {
      config: file({ env: 'HAILO_WHISPER_CONFIG', optional: true, help: 'the JSON of an installation, or a YAML' }),
      model: text({ env: 'WHISPER_MODEL', optional: true, help: "the model by name; default: the configuration's" }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      host: text({ optional: true, help: "the address to listen on; default: the configuration's" }),
      port: number({ optional: true, min: 0, max: 65535, integer: true, help: 'the port; 0 for any' }),
      vad: file({ optional: true, help: "Silero's ONNX, to find speech; default: by energy" }),
      threads: number({ optional: true, min: 1, integer: true, help: 'for one operator; default: one for each core' }),
      logLevel: choice(['error', 'warn', 'info', 'debug'], {
        env: 'LOG_LEVEL',
        default: 'info',
        help: 'what is logged',
      }),
      for: number({ optional: true, min: 0, unit: 'seconds', help: 'stop by itself after this long' }),
    },
    untilStopped: true,
    steps: ({ model }) => [`open ${model ?? 'the configured model'}`, 'answer until SIGTERM, then drain'],
  },
  async ({ inputs, run, cell, gate, line, next, stamp, signal }) => {
    const { readServiceConfig } = await import('../lib/systems/whisper/service-config.ts')
    const { runService } = await import('../lib/systems/whisper/server/run.ts')
    const { model, host, port, models, vad, threads, logLevel } = inputs
    const config = await cell('Read the configuration', () => readServiceConfig(inputs.config, { model, host, port }))
    const outcome = await cell(`Serve ${config.model.name}`, ({ print }) =>
      runService({
        config,
        store: models,
        vad,
        threads,
        logLevel,
        logFile: run.path('service.log'),
        seconds: inputs.for,
        signal,
        print,
      }),
    )
    stamp({ device: outcome.device })
    line(`Transcriptions: ${outcome.transcriptions} ; lost=${outcome.lost} ; device=${outcome.device || 'none'}`)
    if (outcome.readiness.ready) gate('the model listens', true, { equals: true })
    else gate.blocked('the model listens', outcome.readiness.reason)
    gate('accepted requests that were cut off', outcome.lost, { equals: 0 })
    next({
      pass: runbookCommand('runbooks/whisper-verify.ts'),
      blocked: runbookCommand('runbooks/whisper-model.ts', ['--name', config.model.name]),
    })
  },
)
