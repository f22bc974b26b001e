#!/usr/bin/env -S npx tsx
/**
 * Recordings: can the recordings that ship be made again, byte for byte?
 *
 * Downloads two Debian packages of recorded prompts with apt (or takes their .deb files from a folder), compares their
 * SHA-256, unpacks them, decodes four prompts with ffmpeg, mixes them after the recipe in
 * `lib/systems/monolithic/recordings.ts`, and compares the six WAV files with those in `contracts/recordings`.
 * `--write` puts the new ones in their place.
 *
 *   npx tsx runbooks/monolithic-recordings.ts
 *   npx tsx runbooks/monolithic-recordings.ts --packages ~/Downloads
 */
import { relative } from 'node:path'
import { folder, runbook, toggle } from '../lib/notebook/run/runbook.ts'
import { downloadCommand, packagesOf } from '../lib/systems/monolithic/rebuild-recordings.ts'
import { recordingRecipes, recordingSampleRate, recordingsFolder } from '../lib/systems/monolithic/recordings.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

const packages = packagesOf(recordingRecipes)
const shippedIn = (inputs: { recordings: string | undefined }) => inputs.recordings ?? 'contracts/recordings'
const total = 3 * recordingRecipes.length

export default runbook(
  import.meta,
  {
    asks: 'can the recordings that ship be made again, byte for byte?',
    inputs: {
      packages: folder({
        optional: true,
        help: 'a folder with the .deb files; default: apt downloads them into the run folder',
      }),
      recordings: folder({ optional: true, help: 'the recordings to compare with; default: contracts/recordings' }),
      write: toggle({ help: 'replace the recordings that differ' }),
    },
    steps: inputs => [
      inputs.packages === undefined
        ? `run ${downloadCommand(packages).join(' ')}`
        : `look for the packages in ${inputs.packages}`,
      `unpack them and decode ${recordingRecipes.flatMap(({ sources }) => sources).length} prompts with ffmpeg`,
      `build ${total} files and compare them with ${shippedIn(inputs)}` +
        (inputs.write ? ', and replace those that differ' : ''),
    ],
  },
  async ({ inputs, run, cell, gate, hint, next, signal }) => {
    const rebuild = await import('../lib/systems/monolithic/rebuild-recordings.ts')
    const { audio, table } = await import('../lib/notebook/display/show.ts')
    const place = { folder: run.folder, signal }

    const given = inputs.packages
    const found = await cell(
      given === undefined ? 'Download the packages' : `Find the packages in ${given}`,
      async ({ show }) => {
        rebuild.checkPrograms([...(given === undefined ? ['apt-get'] : []), 'dpkg-deb', 'ffmpeg'])
        const all =
          given === undefined ? await rebuild.downloadPackages(packages, place) : rebuild.findPackages(packages, given)
        show(
          table(
            all.map(({ name, version, sha256 }) => ({ package: name, version, sha256 })),
            { title: 'packages as expected' },
          ),
        )
        return all
      },
    )
    gate('packages with the expected digest', found.length, { equals: packages.length })

    const decoded = await cell('Unpack and decode the prompts', async ({ show }) => {
      const prompts = await rebuild.decodePrompts(recordingRecipes, found, place)
      const rows = [...prompts].map(([prompt, { length }]) => ({
        prompt,
        samples: length,
        s: length / recordingSampleRate,
      }))
      show(table(rows, { title: 'prompts' }))
      return prompts
    })

    const files = await cell(`Build ${total} files and compare them`, ({ print, show }) => {
      const folders = { folder: run.path('recordings'), shipped: inputs.recordings ?? recordingsFolder }
      const made = rebuild.buildAndCompare(recordingRecipes, decoded, folders)
      show(
        table(
          made.map(({ file, sha256, shippedSha256, same }) => ({
            file,
            made: sha256,
            shipped: same ? 'the same' : (shippedSha256 ?? 'absent'),
          })),
          { title: 'SHA-256' },
        ),
      )
      for (const { file, made: path } of made) if (file.startsWith('mix')) show(audio(path, { title: file }))
      if (!inputs.write) return made
      print(
        `replaced: ${
          made
            .filter(({ same }) => !same)
            .map(({ file }) => file)
            .join(', ') || 'none, all were the same'
        }`,
      )
      return rebuild.replaceShipped(made)
    })
    gate('files that are the same, byte for byte', files.filter(({ same }) => same).length, { equals: total })
    const other = files.find(({ same }) => !same)
    const [made, shipped] = [other?.made ?? '', other?.shipped ?? ''].map(path => relative(process.cwd(), path))
    next({
      pass: runbookCommand('runbooks/monolithic-sweep.ts'),
      fail: `cmp ${made} ${shipped}`,
    })
    hint({ fail: 'run it again with --write if the new one is right' })
  },
)
