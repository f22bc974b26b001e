import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../../lib/testing/needs.ts'
import { buildStandin } from '../../testing/build.ts'
import { standinFolder } from '../../testing/hailort.ts'
import { compareProbe, probeSource } from './probe.ts'
import { parseVersion, profileNames, type ProfileName } from './profiles.ts'

/** What the stand-in declares of the interface; the rest it does not use. */
const structs = [
  'hailo_version_t',
  'hailo_device_id_t',
  'hailo_vdevice_params_t',
  'hailo_device_identity_t',
  'hailo_core_information_t',
  'hailo_extended_device_information_t',
  'hailo_chip_temperature_info_t',
  'hailo_power_measurement_data_t',
  'hailo_3d_image_shape_t',
  'hailo_format_t',
  'hailo_quant_info_t',
  'hailo_vstream_params_t',
  'hailo_input_vstream_params_by_name_t',
  'hailo_output_vstream_params_by_name_t',
  'hailo_network_group_info_t',
  'hailo_network_info_t',
  'hailo_layer_name_t',
  'hailo_stream_raw_buffer_t',
  'hailo_stream_raw_buffer_by_name_t',
  'hailo_latency_measurement_result_t',
  'hailo_activate_network_group_params_t',
  'hailo_nms_shape_t',
  'hailo_vstream_info_t',
  'hailo_stream_info_t',
  'hailo_network_parameters_t',
  'hailo_stream_parameters_t',
  'hailo_stream_parameters_by_name_t',
  'hailo_configure_network_group_params_t',
  'hailo_configure_params_t',
]
const newest: Record<ProfileName, string> = { A: '4.19.0', B: '4.20.0', C: '4.23.0', D: '5.2.0' }

/** What the stand-in's header says of itself when compiled for a profile. */
function probe(profile: ProfileName, tableVersion: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'abi-probe-'))
  try {
    const version = parseVersion(tableVersion)
    const source = join(folder, 'probe.c')
    writeFileSync(source, probeSource({ header: 'abi.h', structs, version }))
    const program = buildStandin([source], {
      out: 'probe',
      kind: 'program',
      defines: { PROFILE: profile },
      flags: [`-I${standinFolder}`],
    })
    return compareProbe({ output: execFileSync(program, { encoding: 'utf8' }), structs, version })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test(
  "probeSource() over the stand-in's header agrees with the measured table when it is compiled for each profile",
  { skip: needsTool('gcc') },
  () => {
    for (const profile of profileNames) {
      // In 5.1.1 the features grew by a flag that nothing here reads; 5.1.0 has the same offsets without it.
      const problems = probe(profile, profile === 'D' ? '5.1.0' : newest[profile])
      assert.deepEqual(problems, [], profile)
    }
  },
)

test(
  'compareProbe() names each difference when a header of one profile is held against the table of another',
  { skip: needsTool('gcc') },
  () => {
    const problems = probe('B', '4.19.0')
    assert.ok(
      problems.some(problem => problem.startsWith('hailo_vstream_info_t: the header has 436, and the table 432')),
      problems.join('\n'),
    )
    assert.ok(problems.some(problem => problem.startsWith('hailo_nms_shape_t: ')))
    assert.ok(!problems.some(problem => problem.startsWith('hailo_format_t')))
  },
)

test('compareProbe() finds a problem in everything when a probe says nothing', () => {
  const problems = compareProbe({ output: '', structs: ['hailo_version_t'], version: parseVersion('4.23.0') })
  assert.equal(problems.length, 4)
})

test('compareProbe() tells when the table does not have a struct', () => {
  assert.deepEqual(
    compareProbe({ output: 'hailo_none_t 4', structs: ['hailo_none_t'], version: parseVersion('4.23.0') }),
    ['the table has no hailo_none_t'],
  )
})
