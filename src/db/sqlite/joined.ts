/**
 * One new buffer that holds all pieces: a view would drag its whole underlying buffer along when it is sent to the
 * writer, and the caller's buffer must not be detached.
 */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  // Of its own memory, never a slice of a pool, and not filled with zeros first.
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
