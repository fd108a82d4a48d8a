import { testLifeCycle } from './life-cycle.ts'
import { openSupervisord } from './supervisord.ts'
import { WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'

const skip = missingPart('supervisord')
for (const way of WAYS) testLifeCycle({ title: 'an agent under supervisord', way, skip, open: openSupervisord })
