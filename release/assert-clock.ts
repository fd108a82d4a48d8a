import { formatDate, MoultError } from '../manifests/index.ts'
import { DEFAULT_CHANNEL, manifestPath } from './layout.ts'
import type { Project } from './open-project.ts'
import type { Surroundings } from './surroundings.ts'

/** No release of this format is older. A machine whose clock battery is empty believes in 1970 or 2000. */
const EARLIEST_MS = Date.UTC(2026, 0, 1)
/** Dates in statements are hours and days; what a host and a machine differ by in good health is seconds. */
const SKEW_MAX_MS = 10 * 60 * 1000
const TIMEOUT_MS = 10_000

/**
 * Refuses to sign dates by a clock that is wrong: a statement of the future blocks every later release until that day,
 * and one of the past is expired when it is born. The clock of the host that serves the files is a second opinion.
 * @throws MoultError ERR_TRUST_DATE
 */
export async function assertClock(
  { config, publisher }: Pick<Project, 'config' | 'publisher'>,
  around: Surroundings,
): Promise<void> {
  if (around.now() < EARLIEST_MS) throw wrongClock(around.now(), 'no release is that old', EARLIEST_MS)
  const url = config.publish?.url
  const hostMs = url === undefined ? await publisher.clock?.() : await dateOfHost(url, around.signal)
  // In whole seconds, and some time has passed on the way.
  if (hostMs === undefined || Math.abs(around.now() - hostMs) <= SKEW_MAX_MS) return
  const host = url === undefined ? publisher.target : new URL(url).host
  throw wrongClock(around.now(), `${host} says ${formatDate(hostMs)}`, hostMs)
}

/** Undefined when it does not answer or tells no time: that is for the read-back to judge. */
async function dateOfHost(url: string, signal: AbortSignal): Promise<number | undefined> {
  const { request } = await import('undici')
  try {
    const { headers, body } = await request(new URL(manifestPath(DEFAULT_CHANNEL), url.replace(/\/*$/, '/')), {
      method: 'HEAD',
      headers: { 'cache-control': 'no-cache' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    await body.dump()
    // A cache repeats the date at which it got the answer, and tells how long it has kept it.
    const [date, age] = [headers['date'], headers['age']]
    const timeMs = typeof date === 'string' ? Date.parse(date) : Number.NaN
    const ageMs = typeof age === 'string' && /^\d{1,9}$/.test(age) ? Number(age) * 1000 : 0
    return Number.isNaN(timeMs) ? undefined : timeMs + ageMs
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

function wrongClock(now: number, opinion: string, otherMs: number): MoultError {
  return new MoultError('ERR_TRUST_DATE', `this clock says ${formatDate(now)}; ${opinion}`, {
    hint: 'Set the clock of this machine.',
    details: { now: formatDate(now), other: formatDate(otherMs) },
  })
}
