/** Cases that are a matrix: each row one pair, read as the form says (fixtures/rfc4356/README.md, pairs.json). */
import type { Case } from './case-folder.ts'
import { fileNameForm, mm7CodeForm, priorityForm } from './matrix-messages.ts'
import { dsnToStatusForm, readStatusForm, statusToDsnForm } from './matrix-reports.ts'
import { dispositionForm, headerForm, mailCommandForm } from './matrix-smtp.ts'
import { mailToNumberForm, numberToMailForm, timeForm, xtextForm } from './matrix-values.ts'

/** Compares all rows; a line for each difference. */
export type Form = (one: Case, rows: readonly Row[]) => Promise<readonly string[]>
export type Row = Readonly<Record<string, unknown>>

const forms: Readonly<Record<string, Form>> = {
  priority: priorityForm,
  'number-to-mail': numberToMailForm,
  'mail-to-number': mailToNumberForm,
  time: timeForm,
  xtext: xtextForm,
  'mm7-code': mm7CodeForm,
  'file-name': fileNameForm,
  'mail-command': mailCommandForm,
  header: headerForm,
  disposition: dispositionForm,
  'status-to-dsn': statusToDsnForm,
  'dsn-to-status': dsnToStatusForm,
  'read-status': readStatusForm,
}

export async function runMatrix(one: Case): Promise<readonly string[]> {
  const { form, rows } = one.parsed<{ form: string; rows: readonly Row[] }>('pairs.json')
  const run = forms[form]
  if (!run) return [`pairs.json: no form is called ${form}, expected one of ${Object.keys(forms).join(', ')}`]
  return run(one, rows)
}

/** A line when the two differ. */
export const check = (row: Row, what: string, expected: unknown, actual: unknown): string[] => {
  const [want, got] = [JSON.stringify(expected ?? null), JSON.stringify(actual ?? null)]
  return want === got ? [] : [`${JSON.stringify(row)}: ${what}: expected ${want}, got ${got}`]
}
