import assert from 'node:assert/strict'
import test from 'node:test'
import { koffi } from '../../load.ts'
import { abiTable, layoutOf, type Layout } from './table.ts'
import { parseVersion, profileNames, profileOf } from './profiles.ts'
import { Structs, structsOf } from './structs.ts'

const versions = Object.keys(abiTable().versions)

/**
 * Members that one revision has and its profile leaves out, because nothing reads them and they lie in what was
 * padding.
 */
const leftOut: Readonly<Record<string, readonly string[]>> = {
  '5.0.1': [
    'hailo_configure_network_group_params_t.enable_kv_cache',
    'hailo_core_information_t.extended_fw_check',
    'hailo_device_identity_t.extended_fw_check',
  ],
}
/** Members whose size differs: one flag more at the end, that nothing reads. */
const grown: Readonly<Record<string, readonly string[]>> = {
  '5.1.1': ['hailo_extended_device_information_t.supported_features'],
  '5.2.0': ['hailo_extended_device_information_t.supported_features'],
}
/** Structs that the table has inside others only, with their sizes there. */
const onlyInside: Readonly<Record<string, number>> = {
  hailo_firmware_version_t: 12,
  hailo_network_parameters_by_name_t: 260,
}
/** Our names for members that have none in C. */
const unions: Readonly<Record<string, string>> = {
  'hailo_vstream_info_t.shape': '(union)',
  'hailo_stream_info_t.shape': '(union)',
  'hailo_stream_parameters_t.byInterface': '(union)',
  'hailo_nms_shape_t.boxes': '(union)',
}

test('Structs has the measured sizes and offsets in every version of the table', () => {
  assert.equal(versions.length, 12)
  let members = 0
  for (const text of versions) {
    const version = parseVersion(text)
    const structs = structsOf(profileOf(version))
    for (const struct of structs.names) {
      const layout: Layout | undefined = layoutOf(struct, version)
      if (onlyInside[struct] !== undefined) {
        assert.equal(structs.sizeOf(struct), onlyInside[struct])
        continue
      }
      assert.ok(layout, `the table lacks ${struct}`)
      assert.equal(structs.sizeOf(struct), layout.size, `${text} ${struct}`)
      const declared = Object.values(structs.type(struct).members!)
      for (const member of declared) {
        const name = unions[`${struct}.${member.name}`] ?? member.name
        const measured: Layout['fields'][number] | undefined = layout.fields.find(([field]) => field === name)
        assert.ok(measured, `${text} ${struct} has no ${name}`)
        const size = grown[text]?.includes(`${struct}.${name}`) ? member.type.size + 1 : member.type.size
        assert.deepEqual([member.offset, size], [measured[1], measured[2]], `${text} ${struct}.${name}`)
        members++
      }
      const names = declared.map(member => unions[`${struct}.${member.name}`] ?? member.name)
      const missing = layout.fields
        .map(([field]) => `${struct}.${field}`)
        .filter(field => !names.includes(field.slice(struct.length + 1)))
      assert.deepEqual(
        missing.filter(field => !leftOut[text]?.includes(field)),
        [],
        text,
      )
    }
  }
  assert.ok(members > 1000, `${members} members were compared`)
})

test('Structs of every profile are declared beside each other when one process asks for all', () => {
  const sizes = profileNames.map(profile => structsOf(profile).sizeOf('hailo_vstream_info_t'))
  assert.deepEqual(sizes, [432, 436, 436, 436])
  assert.deepEqual(
    profileNames.map(profile => structsOf(profile).sizeOf('hailo_configure_params_t')),
    [84488, 84488, 84488, 64008],
  )
  assert.equal(structsOf('A'), structsOf('A'))
  // A second declaration of the same shape is allowed: types have no names that could collide.
  assert.equal(new Structs('A').sizeOf('hailo_vstream_info_t'), 432)
})

test('Structs.offsetOf() reaches into members of members, and refuses what is not there', () => {
  const structs = structsOf('C')
  assert.equal(structs.offsetOf('hailo_input_vstream_params_by_name_t', 'params.timeout_ms'), 140)
  assert.equal(structs.offsetOf('hailo_vstream_info_t', 'quant_info.qp_scale') > 400, true)
  assert.throws(() => structs.offsetOf('hailo_format_t', 'colour'), /hailo_format_t has no member colour/)
  assert.throws(() => structs.sizeOf('hailo_nothing_t'), /no struct hailo_nothing_t/)
})

test('Structs.decode() reads several structs when the library filled an array', () => {
  const structs = structsOf('B')
  const size = structs.sizeOf('hailo_vstream_info_t')
  const memory = Buffer.alloc(2 * size)
  for (const [i, name] of ['first', 'second'].entries()) {
    memory.write(name, i * size)
    memory.writeInt32LE(i, i * size + structs.offsetOf('hailo_vstream_info_t', 'direction'))
    memory.writeUInt32LE(16_000, i * size + structs.offsetOf('hailo_vstream_info_t', 'shape') + 4)
    memory.writeFloatLE(0.5, i * size + structs.offsetOf('hailo_vstream_info_t', 'quant_info') + 4)
  }
  const infos = structs.decode<{
    name: string
    direction: number
    shape: { image: { width: number } }
    quant_info: { qp_scale: number }
  }>('hailo_vstream_info_t', memory, 2)
  assert.deepEqual(
    infos.map(({ name, direction, shape, quant_info }) => [name, direction, shape.image.width, quant_info.qp_scale]),
    [
      ['first', 0, 16_000, 0.5],
      ['second', 1, 16_000, 0.5],
    ],
  )
  assert.equal(koffi().sizeof(structs.type('hailo_format_t')), 12)
})
