/** `npm run rules`: each rule with the tests and cases that name it; exit 1 when a test names a rule that does not exist. */
import { namedRules, rules } from './known-rules.ts'

const { byTests, byCases, unknown } = namedRules()
const brief = process.argv.includes('--brief')
const missing: string[] = []
let section = ''
for (const { id, level, section: where } of rules) {
  const tests = byTests.get(id) ?? []
  const cases = byCases.get(id) ?? []
  if (where !== section && !brief) console.log(`\n${where}`)
  section = where
  if (!brief) console.log(`${id.padEnd(9)}${level.padEnd(12)}${[...cases, ...tests].join(' ') || '-'}`)
  if (tests.length + cases.length === 0 && /^(MUST|SHOULD)/.test(level)) missing.push(`${id} ${level}`)
}
const named = rules.filter((r) => byTests.has(r.id) || byCases.has(r.id)).length
console.log(`\n${rules.length} rules, ${named} named by a test or a case`)
console.log(
  `MUST and SHOULD that none names: ${missing.length}${missing.length > 0 ? `\n${missing.join('\n')}` : ''}`,
)
for (const line of unknown) console.error(`no such rule: ${line}`)
process.exitCode = unknown.length > 0 ? 1 : 0
