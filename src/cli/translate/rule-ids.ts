/**
 * The rules of the checklists (fixtures/rules.json) that say what stands in a field of a carrier, for `translate --explain`.
 * The first pattern that fits a name counts.
 */

export type Written = 'mail' | 'mm4' | 'mm7-submit' | 'mm7-deliver' | 'mm1' | 'passed'

type Table = readonly (readonly [name: RegExp, rules: string])[]

const smtp: Table = [
  [/^MAIL FROM BY$/, 'MAP-080, MAP-083'],
  [/^MAIL FROM ENVID$/, 'MAP-087, MAP-091'],
  [/^MAIL FROM RET$/, 'MAP-087'],
  [/^MAIL FROM BODY$/, 'MAP-001'],
  [/^MAIL FROM SMTPUTF8$/, 'AMB-26'],
  [/^RCPT TO:.* NOTIFY$/, 'MAP-087, MAP-088'],
  [/^RCPT TO:.* ORCPT$/, 'MAP-090'],
]
const mime: Table = [
  [/^content-transfer-encoding$/, 'CNT-008'],
  [/^content-id$/, 'CNT-005'],
  [/^content-location$/, 'CNT-006'],
]

const tables: Readonly<Record<Written, Table>> = {
  mail: [
    [/^MAIL FROM$/, 'MAP-051, MAP-053, MAP-061'],
    [/^RCPT TO:\S*$/, 'MAP-030, MAP-041'],
    ...smtp,
    [/^received$/, 'MAP-110, MAP-111'],
    [/^date$/, 'MAP-066, MAP-101'],
    [/^from$/, 'MAP-050, MAP-101'],
    [/^sender$/, 'MAP-060, MAP-107'],
    [/^(to|cc)$/, 'MAP-033, MAP-035, MAP-041, MAP-102'],
    [/^subject$/, 'MAP-097, MAP-098'],
    [/^message-id$/, 'MAP-022, MAP-023, MAP-102'],
    [/^resent-/, 'MAP-103, MAP-104, MAP-107'],
    [/^x-mms-message-class$/, 'MAP-063'],
    [/^precedence$/, 'MAP-064'],
    [/^auto-submitted$/, 'MAP-065'],
    [/^importance$/, 'MAP-094, MAP-095'],
    [/^disposition-notification-to$/, 'MAP-096'],
    [/^sensitivity$/, 'MAP-157'],
    [/^x-mms-message-id$/, 'MAP-025'],
    [/^mime-version$/, 'MAP-001'],
    [/^content-type$/, 'MAP-062, CNT-001, CNT-007'],
    ...mime,
    [/./, 'MAP-003'],
  ],
  mm4: [
    [/^MAIL FROM$/, 'MAP-205'],
    [/^RCPT TO:\S*$/, 'MAP-205'],
    [/^received$/, 'MAP-155'],
    [/^x-mms-3gpp-mms-version$/, 'MAP-120, MAP-213'],
    [/^x-mms-message-type$/, 'MAP-121, MAP-213'],
    [/^x-mms-transaction-id$/, 'MAP-122, MAP-209'],
    [/^x-mms-message-id$/, 'MAP-209, MAP-213'],
    [/^x-mms-ack-request$/, 'MAP-202, MAP-213'],
    [/^x-mms-originator-system$/, 'MAP-201'],
    [/^date$/, 'MAP-141, MAP-146'],
    [/^(from|sender)$/, 'MAP-129, MAP-146, MAP-205'],
    [/^(to|cc)$/, 'MAP-124, MAP-126, MAP-205'],
    [/^subject$/, 'MAP-140'],
    [/^message-id$/, 'MAP-123, MAP-148'],
    [/^x-mms-message-class$/, 'MAP-131'],
    [/^x-mms-priority$/, 'MAP-137'],
    [/^x-mms-expiry$/, 'MAP-132'],
    [/^x-mms-delivery-time$/, 'MAP-142, MAP-211'],
    [/^x-mms-delivery-report$/, 'MAP-135'],
    [/^x-mms-read-reply$/, 'MAP-139'],
    [/^x-mms-previously-sent-/, 'MAP-145, MAP-147, MAP-150'],
    [/^x-mms-forward-counter$/, 'MAP-149'],
    [/^x-mms-/, 'MAP-180'],
    [/^(mime-version|content-type)$/, 'MAP-130, MAP-159'],
    ...mime,
    [/./, 'MAP-003'],
  ],
  'mm7-submit': mm7('MAP-152'),
  'mm7-deliver': mm7('MAP-108'),
  mm1: [[/./, 'MAP-180, MAP-222']],
  passed: [
    [/^received$/, 'QUE-043'],
    [/./, 'MAP-003'],
  ],
}

function mm7(history: string): Table {
  return [
    [/^Content-Type$/, 'MM7-021'],
    [/^SOAPAction$/, 'MM7-023'],
    [/^TransactionID$/, 'MAP-122, MM7-011'],
    [/^MM7Version$/, 'MAP-120, MAP-186'],
    [/^(SenderIdentification|Sender)$/, `MAP-129, ADR-031, ${history}`],
    [/^Recipients$/, 'MAP-124, MAP-125, MAP-126, ADR-034'],
    [/^MessageClass$/, 'MAP-131'],
    [/^TimeStamp$/, `MAP-141, ${history}`],
    [/^EarliestDeliveryTime$/, 'MAP-142'],
    [/^ExpiryDate$/, 'MAP-132'],
    [/^DeliveryReport$/, 'MAP-135'],
    [/^ReadReply$/, 'MAP-139'],
    [/^Priority$/, 'MAP-137'],
    [/^Subject$/, 'MAP-140'],
    [/^(MMSRelayServerID|LinkedID)$/, 'MM7-077, MAP-180'],
    [/^Previouslysent/, 'MAP-108'],
    [/^Content$/, 'MAP-159, MM7-024, MM7-026'],
    [/./, 'MAP-180'],
  ]
}

/** Rule IDs, separated by commas. `name` of a header field may be in any case. */
export function rulesFor(carrier: Written, name: string): string {
  const isHeader = !/^(MAIL FROM|RCPT TO)/.test(name) && !carrier.startsWith('mm7')
  const searched = isHeader ? name.toLowerCase() : name
  return tables[carrier].find(([pattern]) => pattern.test(searched))?.[1] ?? ''
}
