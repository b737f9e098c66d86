/** What the writer does to accounts' passwords and session tokens, inside its transaction. */
import { tokensPerClient } from '../../auth/session-tokens.ts'
import type { TokenRow } from './requests.ts'
import { asNumber, type Statements } from './statements.ts'

/** Only where the password is still the one that was checked: it may have been changed meanwhile. */
export function upgradePassword(
  sql: Statements,
  id: number,
  replaces: string,
  password: string,
  scram: string,
): void {
  const change = 'UPDATE accounts SET password = ?, scram = ? WHERE id = ? AND password = ?'
  sql.run(change, password, scram, id, replaces)
}

export function issueToken(sql: Statements, token: TokenRow, clients: number): void {
  const { account, client, issuedAt } = token
  sql.run('DELETE FROM session_tokens WHERE account = ? AND expires_at <= ?', account, issuedAt)
  sql.run(
    `INSERT INTO session_tokens
       (id, account, client, mechanism, issued_at, expires_at, full_login_at, valid_until)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    token.id,
    account,
    client,
    token.mechanism,
    issuedAt,
    token.expiresAt,
    token.fullLoginAt,
    token.validUntil,
  )
  // The newest of the client, and the one that it used last: any of them may be what it holds.
  sql.run(
    `DELETE FROM session_tokens WHERE account = ?1 AND client = ?2
       AND number NOT IN (SELECT number FROM session_tokens WHERE account = ?1 AND client = ?2
                          ORDER BY number DESC LIMIT ?3)
       AND number NOT IN (SELECT number FROM session_tokens WHERE account = ?1 AND client = ?2 AND used_at IS NOT NULL
                          ORDER BY number DESC LIMIT 1)`,
    account,
    client,
    tokensPerClient - 1,
  )
  // Clients beyond the limit: those go whose tokens lie idle for longest.
  sql.run(
    `DELETE FROM session_tokens WHERE account = ?1 AND client NOT IN
       (SELECT client FROM session_tokens WHERE account = ?1 GROUP BY client
        ORDER BY client = ?2 DESC, max(coalesce(used_at, 0), issued_at) DESC, max(number) DESC LIMIT ?3)`,
    account,
    client,
    clients,
  )
}

export function useToken(sql: Statements, id: string, now: number): void {
  const row = sql.get(
    'UPDATE session_tokens SET used_at = ? WHERE id = ? RETURNING account, client, number',
    now,
    id,
  )
  // Revoked in this instant: the login that is under way was right when it was checked.
  if (!row) return
  const older = 'DELETE FROM session_tokens WHERE account = ? AND client = ? AND number < ?'
  sql.run(older, asNumber(row.account), row.client ?? '', asNumber(row.number))
}

export const revokeTokens = (sql: Statements, account: number, client?: string): number =>
  client === undefined
    ? sql.run('DELETE FROM session_tokens WHERE account = ?', account)
    : sql.run('DELETE FROM session_tokens WHERE account = ? AND client = ?', account, client)
