/** Gives a build its optimization profiles: the shapes between which a plan runs. */
import { FfiError } from '../errors.ts'
import { objectOf, type NativeObject } from './abi/vtable.ts'
import { failed } from './causes.ts'
import { dimsBytes, dimsValue } from './dims.ts'
import type { TensorRt } from './open.ts'
import type { ProfileRange } from './runtime.ts'

/**
 * Call a method that makes an object on a worker thread.
 *
 * @throws FfiError with TensorRT's own words
 */
export async function made(
  rt: TensorRt,
  from: NativeObject,
  call: string,
  type: string,
  ...args: readonly unknown[]
): Promise<NativeObject> {
  const pointer = objectOf(await from.later(call, ...args))
  if (pointer === null) throw failed({ call, logger: rt.logger, version: rt.version })
  return rt.vtables.object(type, pointer)
}

const selectors = { min: 0, opt: 1, max: 2 } as const

/**
 * Give a configuration its profiles, each with a range for every open input.
 *
 * @throws FfiError `usage` for an open input without a range, and for a range that does not rise
 */
export async function addProfiles({
  rt,
  builder,
  network,
  config,
  profiles,
}: {
  rt: TensorRt
  builder: NativeObject
  network: NativeObject
  config: NativeObject
  profiles: readonly Readonly<Record<string, ProfileRange>>[]
}): Promise<void> {
  const inputs = Array.from({ length: network.number('getNbInputs') }, (_, i) => {
    const tensor = rt.vtables.object('ITensor', network.address('getInput', i)!)
    return { name: tensor.text('getName') ?? '', shape: tensor.shape('getDimensions') ?? [] }
  })
  const open = inputs.filter(({ shape }) => shape.includes(-1))
  for (const { name, shape } of open) {
    if (profiles.length > 0 && profiles.every(profile => profile[name])) continue
    throw new FfiError(
      'usage',
      `Cannot build: the input "${name}" [${shape.join(', ')}] has open axes and no range`,
      `give every profile a min, opt and max shape for ${open.map(it => it.name).join(', ')}`,
    )
  }
  for (const [index, profile] of profiles.entries()) {
    const object = await made(rt, builder, 'createOptimizationProfile', 'IOptimizationProfile')
    for (const [name, range] of Object.entries(profile)) {
      for (const select of ['min', 'opt', 'max'] as const) {
        const dims =
          rt.abi.setDimensionsTakes === 'value'
            ? dimsValue(range[select], rt.abi.dims)
            : dimsBytes(range[select], rt.abi.dims)
        if (!object.flag('setDimensions', name, selectors[select], dims)) throw brokenProfile(index, name, range)
      }
    }
    if (config.number('addOptimizationProfile', object.pointer) < 0)
      throw brokenProfile(index, ...Object.entries(profile)[0]!)
  }
}

const brokenProfile = (index: number, name: string, { min, opt, max }: ProfileRange) =>
  new FfiError(
    'usage',
    `Cannot use profile ${index}: "${name}" goes from [${min.join(', ')}] over [${opt.join(', ')}] to ` +
      `[${max.join(', ')}]`,
    'give three shapes of one rank, each axis in rising order',
  )
