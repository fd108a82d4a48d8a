import { testLifeCycle } from './life-cycle.ts'
import { openS6 } from './s6.ts'
import { WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'

const skip = missingPart('s6-svscan')
for (const way of WAYS) testLifeCycle({ name: 's6', way, skip, open: openS6 })
