"""Python's smtplib sends a mail with a picture, imaplib reads it, sorts it away, and finds it again."""
import email, email.policy, imaplib, ssl, smtplib, sys, time
from email.message import EmailMessage

smtp_port, imap_port = int(sys.argv[1]), int(sys.argv[2])
context = ssl._create_unverified_context()
picture = bytes(range(256)) * 40

message = EmailMessage()
message['From'] = 'Zoë <zoe@example.org>'
message['To'] = 'alice@example.net'
message['Subject'] = 'Grüße von Python'
message.set_content('Hallo Alice\n.\nein Punkt allein\n')
message.add_attachment(picture, maintype='image', subtype='jpeg', filename='bild.jpg')
with smtplib.SMTP('127.0.0.1', smtp_port, local_hostname='python.example.org') as smtp:
    smtp.starttls(context=context)
    smtp.send_message(message)

box = imaplib.IMAP4('127.0.0.1', imap_port)
box.starttls(context)
box.login('alice@example.net', 'secret')
for _ in range(100):
    box.select('INBOX')
    found = box.search(None, 'SUBJECT', '"Python"')[1][0].split()
    if found:
        break
    time.sleep(0.1)
assert len(found) == 1, found
number = found[0].decode()
octets = box.fetch(number, '(BODY.PEEK[])')[1][0][1]
read = email.message_from_bytes(octets, policy=email.policy.default)
assert read['Subject'] == 'Grüße von Python', read['Subject']
assert read.get_body().get_content().splitlines() == ['Hallo Alice', '.', 'ein Punkt allein'], read.get_body().get_content()
attachment = next(read.iter_attachments())
assert attachment.get_filename() == 'bild.jpg'
assert attachment.get_payload(decode=True) == picture
assert box.create('Kept')[0] == 'OK'
assert box.store(number, '+FLAGS', '(\\Seen \\Flagged)')[0] == 'OK'
assert box.copy(number, 'Kept')[0] == 'OK'
assert box.store(number, '+FLAGS', '\\Deleted')[0] == 'OK'
assert box.expunge()[0] == 'OK'
assert box.select('Kept')[1][0] == b'1'
flags = imaplib.ParseFlags(box.fetch('1', '(FLAGS)')[1][0])
assert b'\\Flagged' in flags and b'\\Seen' in flags, flags
text = b'Subject: appended\r\n\r\nliteral\r\n'
assert box.append('Kept', '(\\Seen)', imaplib.Time2Internaldate(time.time()), text)[0] == 'OK'
assert box.status('Kept', '(MESSAGES UNSEEN)')[1][0].endswith(b'(MESSAGES 2 UNSEEN 0)')
assert any(b'Kept' in line for line in box.list()[1])
assert box.select('INBOX')[1][0] == b'0'
box.logout()
print('ok')
