import { test } from 'node:test'

import { assertProperties } from './decision-properties.ts'

test('the decision on 100,000 random cases', (t) => assertProperties(t, 100_000))
