// Where faults can be put into a process: each of its file-changing system calls by name, path and number, as `strace`
// counts them. Where it can be, a path is named with each: strace counts by thread, and Node has several.

import { isChange, type SystemCall } from './system-calls.ts'

export interface FaultPoint {
  readonly call: string
  /** Absolute; undefined where the only path has the number of a process in it, which is another one at the next run. */
  readonly path: string | undefined
  /** Which of the calls of this name, and of this path if there is one, from 1. */
  readonly when: number
}

const UNSTABLE = /[0-9]+-[0-9]+-[0-9a-f-]{36}/

export function faultPoints(calls: readonly SystemCall[], root: string): FaultPoint[] {
  const counts = new Map<string, number>()
  const count = (call: SystemCall, path: string): number => {
    const key = `${call.process} ${call.name} ${path}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    return counts.get(key) ?? 1
  }
  return calls.flatMap((call) => {
    const whenOfAll = count(call, '')
    const paths = [...new Set(pathsThatCount(call))].map((path) => ({ path, when: count(call, path) }))
    if (!isChange(call, root)) return []
    const stable = paths.find(({ path }) => path.startsWith(`${root}/`) && !UNSTABLE.test(path))
    return [{ call: call.name, path: stable?.path, when: stable?.when ?? whenOfAll }]
  })
}

/** Of a plain rename strace looks at the old name only. */
function pathsThatCount({ name, paths }: SystemCall): readonly string[] {
  return name === 'rename' ? paths.slice(0, 1) : paths
}
