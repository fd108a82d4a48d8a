// The report in a real browser: what it says on its console, asks of the network, and looks like for different eyes.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

import { reportHtml } from '../../../fleet/report/report-html.ts'
import type { ReportOptions } from '../../../fleet/report/report-options.ts'
import { temporaryFolder } from '../../release/project-fixture.ts'
import { axeSource, noChromium, openPage, type Page, type View } from '../chromium.ts'
import { emptyFigures, HOUR_MS, NOW_MS, sampleFigures } from '../sample-figures.ts'

const OPTIONS = { skip: noChromium(), timeout: 180_000 }
const AXE = axeSource()
const VIEWS: readonly View[] = [
  { width: 360, scheme: 'light' },
  { width: 360, scheme: 'dark' },
  { width: 700, scheme: 'light' },
  { width: 840, scheme: 'dark' },
  { width: 1280, scheme: 'light' },
  { width: 1280, scheme: 'dark' },
]
const ROLLOUT: ReportOptions = {
  rollout: {
    isPaused: false,
    stages: [
      { atMs: NOW_MS - 40 * HOUR_MS, percent: 5 },
      { atMs: NOW_MS - 20 * HOUR_MS, percent: 60 },
    ],
  },
  stuckAfterMs: 48 * HOUR_MS,
  silentAfterMs: 8 * HOUR_MS,
}
/** What has no place to break a line at. */
const LONG = 'W'.repeat(64)
const LONG_TEXTS = sampleFigures({
  name: LONG,
  offered: LONG,
  versions: [{ key: LONG, agents: 1000, share: 1 }],
  distribution: sampleFigures().distribution.map(({ atMs }) => ({ atMs, agents: { [LONG]: 10 } })),
  errors: [{ code: LONG, agents: 3 }],
  stuck: sampleFigures().stuck.map((agent) => ({ ...agent, id: LONG, version: LONG, platform: LONG, error: LONG })),
  lines: { ...sampleFigures().lines, malformedExamples: [LONG.repeat(5)] },
})
const PAGES = {
  'a fleet': reportHtml(sampleFigures(), ROLLOUT),
  'an empty fleet': reportHtml(emptyFigures()),
  'long texts': reportHtml(LONG_TEXTS, ROLLOUT),
}

async function showReport(t: TestContext, text: string): Promise<Page> {
  const path = join(await temporaryFolder(t), 'fleet.html')
  writeFileSync(path, text)
  const page = await openPage(t)
  await page.open(pathToFileURL(path).href)
  return page
}

describe('the report in Chromium', OPTIONS, () => {
  for (const [name, text] of Object.entries(PAGES)) {
    test(`${name}: nothing on the console, no scrolling sideways, at any width and in either scheme`, async (t) => {
      const page = await showReport(t, text)
      for (const view of VIEWS) {
        await page.show(view)
        // What is folded counts too.
        await page.evaluate(`document.querySelectorAll('details').forEach((each) => { each.open = true })`)
        const wide = await page.evaluate<string[]>(`[...document.querySelectorAll('body *')]
          .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.unseen, thead, svg svg, text'))
          .map((each) => each.outerHTML.slice(0, 120))`)
        assert.deepEqual(wide.slice(0, 3), [], JSON.stringify(view))
        const [scroll, inner] = await page.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        )
        assert.ok(scroll <= inner && inner <= view.width, `${scroll} of ${inner} at ${view.width}`)
      }
      assert.deepEqual(page.messages, [])
    })
  }

  test('its style is applied, and follows the scheme', async (t) => {
    const page = await showReport(t, PAGES['a fleet'])
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor')
    await page.show({ width: 1280, scheme: 'light' })
    assert.equal(await ground(), 'rgb(255, 255, 255)')
    await page.show({ width: 1280, scheme: 'dark' })
    assert.equal(await ground(), 'rgb(15, 19, 23)')
    await page.show({ width: 1280, scheme: 'dark', media: 'print' })
    assert.equal(await ground(), 'rgb(255, 255, 255)')
  })

  test('asks the network for nothing, also when it comes from a web server', async (t) => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(200, { 'content-type': 'text/html' }).end(PAGES['a fleet'])
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const page = await openPage(t)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fleet.html`
    await page.open(url)
    for (const view of VIEWS) await page.show(view)
    await page.screenshot()
    assert.deepEqual(asked, ['/fleet.html'])
    assert.deepEqual(
      page.requests.filter((each) => !each.startsWith('data:')),
      [url],
    )
    assert.deepEqual(page.messages, [])
  })

  test('a script or image that got in against all care does nothing', async (t) => {
    const bad =
      '<img src="http://127.0.0.1:9/x.png"><script>document.title = "run"</script><p style="color: red" id="bad">x</p>'
    const page = await showReport(t, PAGES['a fleet'].replace('<main>', `<main>${bad}`))
    await page.show({ width: 1280 })
    assert.equal(await page.evaluate('document.title'), 'heartbeat-agent: the fleet')
    assert.notEqual(await page.evaluate(`getComputedStyle(document.getElementById('bad')).color`), 'rgb(255, 0, 0)')
    assert.ok(page.messages.length >= 3, 'and the browser says so')
  })

  test('is printed on a few pages', async (t) => {
    const page = await showReport(t, PAGES['a fleet'])
    const pdf = await page.pdf()
    assert.equal(pdf.subarray(0, 5).toString('latin1'), '%PDF-')
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0
    assert.ok(pages >= 2 && pages <= 12, `${pages} pages`)
  })

  test('has a picture of some height at each width', async (t) => {
    const page = await showReport(t, PAGES['a fleet'])
    for (const view of VIEWS) {
      await page.show(view)
      assert.ok((await page.screenshot()).byteLength > 50_000)
    }
  })

  const skip = AXE === undefined && process.env['CI'] === undefined ? 'axe-core is not installed' : false
  for (const [name, text] of Object.entries(PAGES)) {
    test(`${name}: axe-core finds no fault`, { skip }, async (t) => {
      assert.ok(AXE !== undefined, 'axe-core is not installed')
      const page = await showReport(t, text)
      for (const view of VIEWS) {
        await page.show(view)
        await page.evaluate(`document.querySelectorAll('details').forEach((each) => { each.open = true })`)
        await page.evaluate(`${AXE}; undefined`)
        const { passes, found } = await page.evaluate<{ passes: number; found: string[] }>(`axe.run().then(
          ({ passes, violations }) => ({ passes: passes.length, found: violations.map(
            ({ id, impact, help, nodes }) => [impact, id, help, nodes.length, nodes[0].html.slice(0, 200), nodes[0].failureSummary].join(': ')) }))`)
        assert.deepEqual(found, [], JSON.stringify(view))
        assert.ok(passes > 15, `${passes} rules`)
      }
      assert.deepEqual(page.messages, [])
    })
  }

  test('axe-core sees a fault where there is one', { skip }, async (t) => {
    assert.ok(AXE !== undefined, 'axe-core is not installed')
    const page = await showReport(t, PAGES['a fleet'].replace('<main>', '<main><p class="bad">x</p><img src="data:,">'))
    await page.evaluate(`${AXE}; undefined`)
    const found = await page.evaluate<string[]>('axe.run().then(({ violations }) => violations.map(({ id }) => id))')
    assert.deepEqual(found, ['image-alt'])
  })
})
