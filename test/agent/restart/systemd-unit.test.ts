import assert from 'node:assert/strict'
import { test } from 'node:test'

import { unitOfGroups } from '../../../agent/restart/systemd-unit.ts'

const CASES: readonly (readonly [name: string, groups: string, expected: string | undefined])[] = [
  ['a service of the system', '0::/system.slice/sensor.service\n', 'sensor.service'],
  ['a service that has groups of its own', '0::/system.slice/sensor.service/agent/worker\n', 'sensor.service'],
  ['an instance', '0::/system.slice/system-sensor.slice/sensor@eu-1.service\n', 'sensor@eu-1.service'],
  [
    'a service of a user',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/sensor.service\n',
    'user sensor.service',
  ],
  [
    'a shell of a user, which is nobody’s service',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn.scope\n',
    undefined,
  ],
  ['a login', '0::/user.slice/user-0.slice/session-3.scope\n', undefined],
  [
    'version 1, where other trees may have other paths',
    '12:pids:/system.slice/other.service\n1:name=systemd:/system.slice/sensor.service\n',
    'sensor.service',
  ],
  ['a container', '0::/\n', undefined],
  ['nothing that can be read', '', undefined],
  ['rubbish', 'x\n0::relative.service\n:::\n', undefined],
]

for (const [name, groups, expected] of CASES) {
  test(`the unit is found: ${name}`, () => {
    const unit = unitOfGroups(groups)
    assert.equal(unit && `${unit.isOfUser ? 'user ' : ''}${unit.name}`, expected)
  })
}
