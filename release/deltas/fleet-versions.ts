// Which versions a fleet runs, from what `moult fleet status --json` has printed.

import { readFile } from 'node:fs/promises'

import { isVersion, MoultError, shape } from '../../manifests/index.ts'

const { array, integer, object, string } = shape

const figuresShape = object(
  {
    name: string(),
    // Whoever can poll can make up versions: however many there are, they MUST NOT keep a release from being made.
    versions: array(object({ key: string(), agents: integer() }, { open: true }), { max: Number.POSITIVE_INFINITY }),
  },
  { open: true },
)

/** Most agents first. @throws MoultError ERR_USAGE_INVALID */
export async function readFleetVersions(file: string, name: string): Promise<string[]> {
  const refuse = (reason: string, cause?: unknown): MoultError =>
    new MoultError('ERR_USAGE_INVALID', `--delta-fleet: ${reason}: ${file}`, {
      hint: 'Make it with `moult fleet status --json <access logs> > fleet.json`.',
      details: { file },
      cause,
    })
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refuse('cannot be read', cause)
  })
  try {
    const figures = figuresShape.check(JSON.parse(text), '')
    if (figures.name !== name) throw refuse(`of the agent ${figures.name || '(none)'} instead of ${name}`)
    // Some agents run nothing yet, and any text may stand in a log.
    const run = figures.versions.filter(({ key, agents }) => isVersion(key) && agents > 0)
    return run.toSorted((a, b) => b.agents - a.agents).map(({ key }) => key)
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof shape.ShapeMismatch) throw refuse(cause.message, cause)
    throw cause
  }
}
