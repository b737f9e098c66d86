/** Matrices about single values: times, numbers, xtext. */
import { mailParty } from '../../mapping/addresses.ts'
import {
  fromDuration,
  fromHttpDate,
  fromMailDate,
  fromXmlDateTime,
  toHttpDate,
  toMailDate,
  toXmlDateTime,
} from '../../mapping/times.ts'
import { fromXtext, toXtext } from '../../mapping/xtext.ts'
import type { Instant } from '../../model/neutral.ts'
import { isRefusal } from '../../model/refusal.ts'
import { parseAddressList } from '../../wire/mime/addresses.ts'
import { fieldValue, scanMessage } from '../../wire/mime/scan.ts'
import { element, schemaNamespace, writeMm7 } from '../../wire/mm7/write.ts'
import { child, childText, parseXml } from '../../wire/mm7/xml.ts'
import { parseHttp, writeHttp } from './http-octets.ts'
import { check, type Form } from './matrices.ts'
import { internet, replyText, withGateway } from './matrix-gateway.ts'
import { postMm7 } from './run-case.ts'

const readers: Readonly<Record<string, (text: string) => Instant | number | undefined>> = {
  'xs:dateTime': fromXmlDateTime,
  'RFC 5322': fromMailDate,
  'HTTP-date': fromHttpDate,
  'xs:duration': fromDuration,
}
const writers: Readonly<Record<string, (value: Instant) => string>> = {
  'xs:dateTime': toXmlDateTime,
  'RFC 5322': toMailDate,
  'HTTP-date': toHttpDate,
}

export const timeForm: Form = async (_one, rows) =>
  rows.flatMap((row) => {
    const value = readers[String(row.from)]?.(String(row.in))
    const out =
      value === undefined
        ? 'error'
        : typeof value === 'number'
          ? value
          : (writers[String(row.to)]?.(value) ?? 'no such syntax')
    return check(row, 'out', row.out, out)
  })

/** The number as the sender of a DeliverReq; the From of the mail, or Address Error. */
export const numberToMailForm: Form = (one, rows) =>
  withGateway(one, {}, async ({ gateway, run }) => {
    const out: string[] = []
    const mmsc = one.settings.peers.mmsc
    for (const [n, row] of rows.entries()) {
      const request = writeMm7({
        transactionId: `row-${n}`,
        namespace: schemaNamespace(mmsc?.schema ?? ''),
        body: element('DeliverReq', [
          element('MM7Version', mmsc?.version ?? ''),
          element('Sender', [element('Number', String(row.in))]),
          element('Recipients', [element('To', [element('RFC2822Address', 'alice@example.org')])]),
          element('Subject', 'a number'),
        ]),
      })
      const input = writeHttp(
        'POST /mm7 HTTP/1.1',
        { 'Content-Type': request.contentType },
        Buffer.concat(request.body),
      )
      const answer = await postMm7(gateway, parseHttp(input), mmsc?.ip ?? '')
      const status = child(child(parseXml(answer.body), 'Body')?.children[0], 'Status')
      const [item] = await run()
      const octets = item?.kind === 'smtp' ? item.octets : undefined
      const from = octets && fieldValue(octets, scanMessage(octets), 'From')
      const [mailbox] = parseAddressList(from ?? '')
      const address = mailbox?.kind === 'mailbox' ? `${mailbox.local}@${mailbox.domain}` : undefined
      const code = childText(status, 'StatusCode')
      out.push(...check(row, 'out', row.out, address ?? (code === '2002' ? 'error' : code)))
    }
    return out
  })

/** RCPT TO: the reply where it is refused, else the party that the mapping serves. */
export const mailToNumberForm: Form = (one, rows) =>
  withGateway(one, {}, ({ dialogue }) =>
    dialogue(internet, async (client) => {
      const out: string[] = []
      await client.command('EHLO client.example.org')
      for (const row of rows) {
        await client.command('RSET')
        await client.command('MAIL FROM:<alice@example.org>')
        const reply = await client.command(`RCPT TO:<${row.in}>`)
        const party = mailParty(String(row.in), one.settings)
        if (reply.code !== 250 || typeof row.out === 'string') {
          out.push(...check(row, 'out', row.out, replyText(reply, row.out)))
          continue
        }
        const shown = isRefusal(party)
          ? party.text
          : {
              kind: party.kind,
              value: party.value,
              ...(party.extension === undefined ? {} : { extension: party.extension }),
            }
        out.push(...check(row, 'out', row.out, shown))
      }
      return out
    }),
  )

/** Both ways; what is invalid is refused as ENVID at MAIL and as ORCPT at RCPT. */
export const xtextForm: Form = (one, rows) =>
  withGateway(one, {}, ({ dialogue }) =>
    dialogue(internet, async (client) => {
      const out: string[] = []
      await client.command('EHLO client.example.org')
      for (const row of rows) {
        if (typeof row.decoded === 'string') {
          out.push(...check(row, 'encoded', row.encoded, toXtext(row.decoded)))
          out.push(...check(row, 'decoded', row.decoded, fromXtext(String(row.encoded))))
          continue
        }
        await client.command('RSET')
        if (row.only !== 'ORCPT') {
          const mail = await client.command(`MAIL FROM:<alice@example.org> ENVID=${row.invalid}`)
          out.push(...check(row, 'ENVID', row.reply, replyText(mail, row.reply)))
          await client.command('RSET')
        }
        if (row.only === 'ENVID') continue
        await client.command('MAIL FROM:<alice@example.org>')
        const rcpt = await client.command(
          `RCPT TO:<+12025550123@${one.settings.gateway.mmsDomain}> ORCPT=rfc822;${row.invalid}`,
        )
        out.push(...check(row, 'ORCPT', row.reply, replyText(rcpt, row.reply)))
      }
      return out
    }),
  )
