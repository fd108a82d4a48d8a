import { parseDuration, shape } from '../../manifests/index.ts'

const { boolean, described, integer, object, optional, parsed } = shape

export const LAST_DEFAULT = 3
export const FLEET_DEFAULT = 2
export const TIME_LIMIT_DEFAULT = '2m'
/** Together with the compressed download they stay below DOWNLOADS_MAX. */
const LAST_MAX = 16
const FLEET_MAX = 12

const limitsShape = object({
  last: optional(
    described(`From so many releases of the channel; default ${LAST_DEFAULT}.`, integer({ max: LAST_MAX })),
  ),
  fleet: optional(
    described(
      `And from so many others that most agents run, by --delta-fleet; default ${FLEET_DEFAULT}.`,
      integer({ max: FLEET_MAX }),
    ),
  ),
  timeLimit: optional(
    described(
      `A delta that takes longer is left out; default ${TIME_LIMIT_DEFAULT}.`,
      parsed((text) => ((parseDuration(text) ?? 0) > 0 ? text : undefined), 'a duration such as 2m'),
    ),
  ),
  memory: optional(
    described(
      'Megabytes for all deltas that are made at the same time; default: half of what is free.',
      integer({ min: 1 }),
    ),
  ),
})

/** True: as by default. */
export const deltasShape: shape.Shape<boolean | shape.ShapeOf<typeof limitsShape>> = {
  check: (value, at) => (typeof value === 'boolean' ? value : limitsShape.check(value, at)),
  schema: { oneOf: [boolean().schema, limitsShape.schema] },
}
