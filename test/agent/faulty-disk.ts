// A disk that does everything as the real one does, notes what was asked of it, and fails where a test says so.

import { type Disk, disk, type DiskFile } from '../../agent/home/disk.ts'

export interface Operation {
  readonly kind: keyof Disk | `file.${keyof DiskFile}`
  readonly path: string
}

/** The errno that an operation fails with, or undefined. @param count how many there were, this one included */
export type Fault = (operation: Operation, count: number) => string | undefined

const PROMISED = new Set<string>(['create', 'open', 'removeTree', 'file.write', 'file.truncate', 'file.sync'])
/** Neither changes the disk nor reads all of it. */
const PASSED = new Set<PropertyKey>(['size', 'close'])

type Method = (...args: unknown[]) => unknown

export function faultyDisk(fault: Fault): { readonly disk: Disk; readonly operations: Operation[] } {
  const operations: Operation[] = []
  const ask = (operation: Operation): Error | undefined => {
    operations.push(operation)
    const errno = fault(operation, operations.length)
    if (errno === undefined) return undefined
    const { kind, path } = operation
    const syscall = kind.replace('file.sync', 'fsync').replace('file.', '').toLowerCase()
    return Object.assign(new Error(`${errno}: made to fail, ${kind} '${path}'`), { code: errno, syscall, path })
  }
  const wrap = <T extends Disk | DiskFile>(real: T, ofFile?: string): T =>
    new Proxy(real, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        // A promise looks for `then`.
        if (typeof member !== 'function') return member
        const method = (member as Method).bind(target)
        if (ofFile !== undefined && PASSED.has(name)) return method
        return (...args: unknown[]) => {
          const kind = `${ofFile === undefined ? '' : 'file.'}${String(name)}` as Operation['kind']
          const failure = ask({ kind, path: ofFile ?? String(name === 'rename' ? args[1] : args[0]) })
          if (failure !== undefined && PROMISED.has(kind)) return Promise.reject(failure)
          if (failure !== undefined) throw failure
          const result = method(...args)
          if (kind !== 'create' && kind !== 'open') return result
          return (result as Promise<DiskFile>).then((file) => wrap(file, String(args[0])))
        }
      },
    })
  return { disk: wrap(disk), operations }
}
