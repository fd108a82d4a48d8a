/** A unit of systemd, and whether the manager of a user has it rather than that of the system. */
export interface Unit {
  readonly name: string
  readonly isOfUser: boolean
}

/** Units by which systemd runs the managers of users: never what an agent means by its own. */
const USER_MANAGER = /^user@[0-9]+\.service$/

/**
 * The service that a process belongs to, by its control groups; undefined outside of any.
 * @param groups what /proc/<pid>/cgroup holds
 */
export function unitOfGroups(groups: string): Unit | undefined {
  for (const line of groups.split('\n')) {
    const [, controllers, path = ''] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? []
    // The tree that systemd keeps: the only one of version 2, or a named one beside the controllers of version 1.
    if (controllers !== '' && controllers !== 'name=systemd') continue
    const parts = path.split('/')
    const name = parts.findLast((part) => part.endsWith('.service') && !USER_MANAGER.test(part))
    if (name !== undefined) return { name, isOfUser: parts.some((part) => USER_MANAGER.test(part)) }
  }
  return undefined
}
