import { testLifeCycle } from './life-cycle.ts'
import { openS6 } from './s6.ts'
import { WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'

const skip = missingPart('s6-svscan')
for (const way of WAYS) testLifeCycle({ title: 'an agent under s6', way, skip, open: openS6 })
