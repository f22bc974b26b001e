import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { hailortStandin, standinOf, type Fault, type Standin } from '../testing/hailort.ts'
import { Device, scan, VDevice } from './device.ts'
import { openHailort, type Hailort } from './library.ts'
import { profileNames, type ProfileName } from './abi/profiles.ts'
import { HailoError } from './status.ts'

const skip = needsTool('gcc')

/** The stand-in with these orders, which are taken back afterwards; nothing may be left alive. */
async function withStandin(
  o: { profile?: ProfileName } & Partial<Record<Fault, string | number>>,
  body: (hailort: Hailort, standin: Standin) => Promise<void> | void,
): Promise<void> {
  const { profile = 'C', ...orders } = o
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile }) } })
  const standin = standinOf(hailort)
  const misuses = standin.misuses()
  for (const [fault, value] of Object.entries(orders)) standin.order(fault as Fault, value)
  try {
    await body(hailort, standin)
    assert.deepEqual([standin.live(), standin.misuses()], [0, misuses])
  } finally {
    standin.reset()
  }
}

const isStatus = (status: number, kind: FfiError['kind'], words: RegExp) => (thrown: unknown) =>
  thrown instanceof HailoError &&
  thrown.status === status &&
  thrown.kind === kind &&
  words.test(`${thrown.message} ${thrown.hint}`)

test('scan() gives no device, and no error, when there is none', { skip }, async () => {
  await withStandin({ DEVICES: 0 }, hailort => assert.deepEqual(scan(hailort), []))
})

test(
  'scan() gives no device before 4.23, where a machine without a driver is an error, and opening one says so',
  { skip },
  async () => {
    for (const profile of ['A', 'B'] as const) {
      const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile }) } })
      const standin = standinOf(hailort)
      standin.order('DEVICES', 0)
      try {
        assert.deepEqual(scan(hailort), [])
        await assert.rejects(
          VDevice.open(hailort),
          isStatus(64, 'absent', /DRIVER_NOT_INSTALLED.*the driver is not loaded/),
        )
        standin.order('STATUS', 'hailo_scan_devices:85')
        assert.throws(() => scan(hailort), { status: 85 })
      } finally {
        standin.reset()
      }
    }
  },
)

test('scan() gives every device when there are several', { skip }, async () => {
  await withStandin({ DEVICES: 3 }, hailort =>
    assert.deepEqual(scan(hailort), ['0000:01:00.0', '0000:02:00.0', '0000:03:00.0']),
  )
})

test('VDevice.open() says where to look when no device is there', { skip }, async () => {
  await withStandin({ DEVICES: 0 }, async hailort => {
    await assert.rejects(
      VDevice.open(hailort),
      isStatus(
        74,
        'absent',
        /^Cannot open "a Hailo device": hailo_create_vdevice answered 74 HAILO_OUT_OF_PHYSICAL_DEV.*lspci -d 1e60:/,
      ),
    )
  })
})

test(
  'VDevice.open() says that another holds the device when it is taken, and takes it afterwards',
  { skip },
  async () => {
    await withStandin({}, async hailort => {
      const first = await VDevice.open(hailort)
      await assert.rejects(VDevice.open(hailort), isStatus(74, 'absent', /another process holds it/))
      await first[Symbol.asyncDispose]()
      const second = await VDevice.open(hailort)
      await second[Symbol.asyncDispose]()
    })
  },
)

test('VDevice.open() shares a device when both give one group id, and not when they give two', { skip }, async () => {
  await withStandin({}, async hailort => {
    await using first = await VDevice.open(hailort, { groupId: 'one' })
    await using second = await VDevice.open(hailort, { groupId: 'one' })
    assert.deepEqual(
      first.devices().map(({ id }) => id),
      second.devices().map(({ id }) => id),
    )
    await assert.rejects(VDevice.open(hailort, { groupId: 'two' }), HailoError)
  })
})

test('VDevice.open() takes the devices that are named', { skip }, async () => {
  await withStandin({ DEVICES: 3 }, async hailort => {
    await using third = await VDevice.open(hailort, { deviceIds: ['0000:03:00.0'] })
    await using others = await VDevice.open(hailort, { deviceIds: ['0000:01:00.0', '0000:02:00.0'] })
    assert.deepEqual(
      third.devices().map(({ id }) => id),
      ['0000:03:00.0'],
    )
    assert.deepEqual(
      others.devices().map(({ id }) => id),
      ['0000:01:00.0', '0000:02:00.0'],
    )
    await assert.rejects(VDevice.open(hailort, { deviceIds: ['0000:09:00.0'] }), /"Hailo device 0000:09:00.0"/)
  })
})

test('VDevice.open() explains a driver of another version', { skip }, async () => {
  await withStandin({ DRIVER_MISMATCH: 1 }, async hailort => {
    await assert.rejects(
      VDevice.open(hailort),
      isStatus(76, 'refused', /HAILO_INVALID_DRIVER_VERSION.*install one version of both/),
    )
  })
})

test("identify() tells the architecture, which the board's name does not, in every profile", { skip }, async () => {
  for (const profile of profileNames) {
    await withStandin({ profile, ARCH: 'hailo8l' }, async hailort => {
      await using vdevice = await VDevice.open(hailort)
      const identity = vdevice.devices()[0]!.identify()
      assert.deepEqual(identity.firmware, hailort.version)
      assert.deepEqual(
        [identity.board, identity.architecture, identity.serialNumber, identity.partNumber, identity.product],
        ['Hailo-8', 'HAILO8L', 'STANDIN0001', 'HM000STANDIN', 'STAND-IN WITHOUT SILICON'],
      )
    })
  }
})

test('a device tells its temperature and its power', { skip }, async () => {
  await withStandin({}, async hailort => {
    await using vdevice = await VDevice.open(hailort)
    const device = vdevice.devices()[0]!
    const [first, second] = device.temperatureC()
    assert.ok(first >= 40 && first < 61 && second === first + 0.5)
    assert.ok((await device.powerW()) >= 1.5)
  })
})

test('Device.open() opens one device for questions, and refuses them when it is closed', { skip }, async () => {
  await withStandin({ DEVICES: 2 }, async hailort => {
    const device = await Device.open(hailort, '0000:02:00.0')
    assert.equal(device.identify().serialNumber, 'STANDIN0002')
    await device[Symbol.asyncDispose]()
    await device[Symbol.asyncDispose]()
    assert.throws(
      () => device.identify(),
      (thrown: unknown) => thrown instanceof FfiError && thrown.kind === 'usage' && /it is closed/.test(thrown.message),
    )
    await assert.rejects(Device.open(hailort, 'nonsense'), isStatus(2, 'absent', /"Hailo device nonsense"/))
  })
})

test(
  'a VDevice closes once when it is closed twice at the same time, and is of no use afterwards',
  { skip },
  async () => {
    await withStandin({}, async hailort => {
      const vdevice = await VDevice.open(hailort)
      await Promise.all([vdevice[Symbol.asyncDispose](), vdevice[Symbol.asyncDispose]()])
      await vdevice[Symbol.asyncDispose]()
      assert.throws(() => vdevice.devices(), /it is closed/)
    })
  },
)

test('an ordered status at the nth call reaches the caller, and the calls around it succeed', { skip }, async () => {
  await withStandin({ STATUS: 'hailo_identify:16:2,hailo_get_chip_temperature:18' }, async hailort => {
    await using vdevice = await VDevice.open(hailort)
    const device = vdevice.devices()[0]!
    device.identify()
    assert.throws(() => device.identify(), isStatus(16, 'refused', /HAILO_UNSUPPORTED_FW_VERSION/))
    device.identify()
    assert.throws(() => device.temperatureC(), isStatus(18, 'status', /HAILO_FW_CONTROL_FAILURE/))
  })
})
