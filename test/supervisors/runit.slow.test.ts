import { testLifeCycle } from './life-cycle.ts'
import { openRunit } from './runit.ts'
import { WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'

const skip = missingPart('runsvdir')
for (const way of WAYS) testLifeCycle({ title: 'an agent under runit', way, skip, open: openRunit })
