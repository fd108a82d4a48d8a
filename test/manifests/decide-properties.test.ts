// A short run of the properties; decide-properties.slow.test.ts is the long one.

import { test } from 'node:test'

import { assertProperties } from './decision-properties.ts'

test('the decision on 10,000 random cases', (t) => assertProperties(t, 10_000))
