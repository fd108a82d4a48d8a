// The report: one file that needs nothing else, no script and no network. Its policy says so to the browser, and allows
// one style by its hash: what was put into the page against all care could not run, load or send anything.

import { createHash } from 'node:crypto'

import { findAlerts } from '../alerts/find-alerts.ts'
import type { FleetFigures } from '../fleet-figures.ts'
import { Html, html } from './html.ts'
import type { ReportOptions } from './report-options.ts'
import { agentsSection } from './sections/agents-section.ts'
import { fleetSection } from './sections/fleet-section.ts'
import { headline } from './sections/headline.ts'
import { logSection } from './sections/log-section.ts'
import { releaseSection } from './sections/release-section.ts'
import { releasesSection } from './sections/releases-section.ts'
import { versionsSection } from './sections/versions-section.ts'
import { REPORT_STYLE } from './style.ts'

// Outside of the page's template: one space more, and the hash would be another.
const STYLE = new Html(`<style>${REPORT_STYLE}</style>`)
const STYLE_HASH = createHash('sha256').update(REPORT_STYLE).digest('base64')
// The empty icon keeps a browser from asking the host for one.
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'`

/** A whole HTML document. */
export function reportHtml(figures: FleetFigures, options: ReportOptions = {}): string {
  const alerts = findAlerts(figures, options)
  const ofAgents = [
    releaseSection(figures, options),
    versionsSection(figures),
    releasesSection(figures),
    fleetSection(figures),
    agentsSection(figures, options),
  ]
  // Where no agent was seen, there is no more to say than why.
  const sections = [figures.agents.total > 0 && ofAgents, logSection(figures, options)]
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <meta name="robots" content="noindex" />
        <title>${figures.name}: the fleet</title>
        <link rel="icon" href="data:," />
        ${STYLE}
      </head>
      <body>
        <main>${headline(figures, alerts, options)} ${sections}</main>
        <footer>
          Made by <code>moult fleet report</code> from access logs. Agents go by pseudonyms; what a log did not get is
          not in here.
        </footer>
      </body>
    </html> `.toString()
}
