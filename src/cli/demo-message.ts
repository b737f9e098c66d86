/** The MMS that the demonstration posts: a SMIL slide with a greeting and a small picture. */

/** An 8 by 8 PNG in lemon yellow. */
export const pictureOctets = Uint8Array.from(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4/9AUK2IYWhIAQ1SFQeOKoc8AAAAASUVORK5CYII=',
    'base64',
  ),
)

const namespace = 'http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4'

const soap = `<?xml version="1.0" encoding="UTF-8"?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>
<mm7:TransactionID xmlns:mm7="${namespace}" env:mustUnderstand="1">demo-0001</mm7:TransactionID></env:Header><env:Body>
<DeliverReq xmlns="${namespace}"><MM7Version>6.8.0</MM7Version><MMSRelayServerID>mmsc.example.com</MMSRelayServerID>
<Sender><Number>+12025550123</Number></Sender>
<Recipients><To><RFC2822Address>alice@example.net</RFC2822Address></To></Recipients>
<TimeStamp>2024-03-05T02:15:00-08:00</TimeStamp><Priority>High</Priority><Subject>Grüße aus dem Süden</Subject>
<Content href="cid:mm@mmsc.example.com"/></DeliverReq></env:Body></env:Envelope>`

const smil =
  '<smil><head><layout><root-layout width="160" height="160"/><region id="Image" left="0" top="0" width="160" height="120"/><region id="Text" left="0" top="120" width="160" height="40"/></layout></head><body><par dur="5000ms"><img src="cid:lemon@mmsc.example.com" region="Image"/><text src="cid:text@mmsc.example.com" region="Text"/></par></body></smil>'

/** Headers and body of the HTTP request. */
export function bundledDeliverReq(): { headers: Record<string, string>; body: Buffer } {
  const inner = [
    '--mm\r\nContent-Type: application/smil; charset=utf-8\r\nContent-ID: <smil@mmsc.example.com>\r\n\r\n',
    smil,
    '\r\n--mm\r\nContent-Type: text/plain; charset=utf-8\r\nContent-ID: <text@mmsc.example.com>\r\nContent-Location: hello.txt\r\n\r\n',
    'Grüße! 🍋',
    '\r\n--mm\r\nContent-Type: image/png\r\nContent-ID: <lemon@mmsc.example.com>\r\nContent-Location: lemon.png\r\nContent-Transfer-Encoding: base64\r\n\r\n',
    Buffer.from(pictureOctets).toString('base64'),
    '\r\n--mm--\r\n',
  ].join('')
  const body = [
    '--soap\r\nContent-Type: text/xml; charset="utf-8"\r\nContent-ID: <start@mmsc.example.com>\r\n\r\n',
    soap,
    '\r\n--soap\r\nContent-Type: multipart/related; boundary=mm; type="application/smil"; start="<smil@mmsc.example.com>"\r\nContent-ID: <mm@mmsc.example.com>\r\n\r\n',
    inner,
    '\r\n--soap--\r\n',
  ].join('')
  return {
    headers: {
      'content-type': 'multipart/related; boundary=soap; type="text/xml"; start="<start@mmsc.example.com>"',
      soapaction: '""',
    },
    body: Buffer.from(body, 'utf8'),
  }
}
