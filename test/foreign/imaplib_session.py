"""Python's imaplib over plain, STARTTLS and TLS: the commands that it knows, each with an answer that is looked at."""
import imaplib, ssl, sys, threading, time

plain_port, tls_port = int(sys.argv[1]), int(sys.argv[2])
context = ssl._create_unverified_context()


def starttls():
    box = imaplib.IMAP4('127.0.0.1', plain_port)
    box.starttls(context)
    return box


ways = {
    'plain': lambda: imaplib.IMAP4('127.0.0.1', plain_port),
    'STARTTLS': starttls,
    'TLS': lambda: imaplib.IMAP4_SSL('127.0.0.1', tls_port, ssl_context=context),
}


def ok(answer):
    assert answer[0] == 'OK', answer
    return answer[1]


def mail(subject, extra=b''):
    return b'From: a@example.org\r\nSubject: ' + subject + b'\r\nMessage-ID: <' + subject + b'@x>\r\n' + extra + b'\r\ntext\r\n'


for way, connect in ways.items():
    box = connect()
    try:
        box.login('alice@example.net', 'wrong')
        raise SystemExit('a wrong password was taken')
    except imaplib.IMAP4.error as refused:
        assert 'AUTHENTICATIONFAILED' in str(refused), refused
    if way == 'plain':
        ok(box.authenticate('PLAIN', lambda _: b'\0alice@example.net\0secret'))
    else:
        ok(box.login('alice@example.net', 'secret'))
    known = ok(box.capability())[0].decode().upper().split()
    for name in ('IMAP4REV1', 'IDLE', 'UIDPLUS', 'SORT', 'MOVE', 'NAMESPACE', 'QUOTA', 'ENABLE', 'UNSELECT'):
        assert name in known, (name, known)
    assert ok(box.namespace())[0].startswith(b'(("" "/"))')
    name = 'Box.' + way
    ok(box.create(name))
    for subject, extra in ((b'b', b''), (b'c', b'References: <b@x>\r\n'), (b'a', b'')):
        ok(box.append(name, None, imaplib.Time2Internaldate(1_600_000_000), mail(subject, extra)))
    assert ok(box.select(name)) == [b'3']
    assert box.response('UIDVALIDITY')[1][0]
    assert ok(box.sort('(SUBJECT)', 'UTF-8', 'ALL')) == [b'3 1 2']
    assert ok(box.thread('REFERENCES', 'UTF-8', 'ALL')) == [b'(1 2)(3)']
    assert ok(box.uid('SEARCH', 'HEADER', 'Message-ID', '<c@x>')) == [b'2']
    assert ok(box.uid('FETCH', '1:*', '(UID RFC822.SIZE)'))[2].startswith(b'3 (UID 3 RFC822.SIZE')
    part = ok(box.fetch('1', '(BODY.PEEK[]<0.4>)'))
    assert part[0][1] == b'From', part
    ok(box.uid('MOVE', '2', 'INBOX'))
    assert ok(box.search(None, 'ALL')) == [b'1 2']
    assert ok(box.store('1', 'FLAGS', '(\\Deleted $Label1)'))[0].count(b'$Label1') == 1
    # With that of MOVE before it.
    assert ok(box.expunge()) == [b'2', b'1']
    assert ok(box.getquotaroot('INBOX'))[1]
    assert ok(box.list('""', '"Box*"'))[0].endswith(name.encode())
    ok(box.subscribe(name))
    assert any(name.encode() in line for line in ok(box.lsub()))
    ok(box.unsubscribe(name))
    ok(box.rename(name, name + '.new'))
    ok(box.close())
    assert ok(box.status(name + '.new', '(MESSAGES UIDNEXT)')) == [(name + '.new (MESSAGES 1 UIDNEXT 4)').encode()]
    ok(box.delete(name + '.new'))
    # What another connection delivers wakes this one; versions of Python without idle() say it by hand.
    ok(box.select('INBOX'))
    other = connect()
    other.login('alice@example.net', 'secret')
    threading.Timer(0.2, lambda: other.append('INBOX', None, None, mail(b'wake'))).start()
    if hasattr(box, 'idle'):
        with box.idle(duration=5) as idler:
            assert any(kind == 'EXISTS' for kind, _ in idler)
    else:
        tag = box._new_tag()
        box.send(tag + b' IDLE\r\n')
        assert box.readline().startswith(b'+')
        box.sock.settimeout(5)
        line = box.readline()
        assert line.endswith(b' EXISTS\r\n'), line
        box.send(b'DONE\r\n')
        while not line.startswith(tag):
            line = box.readline()
        assert b' OK ' in line, line
    ok(box.noop())
    # Names in UTF-8. Its APPEND of this mode puts `UTF8 (` into the literal before 3.13: not used.
    ok(other.enable('UTF8=ACCEPT'))
    ok(other.create('"Gr\u00fc\u00dfe ' + way + '"'))
    assert ok(other.list('""', '"Gr\u00fc*"'))[-1].decode().endswith('Gr\u00fc\u00dfe ' + way + '"')
    ok(other.select('"Gr\u00fc\u00dfe ' + way + '"'))
    ok(other.delete('"Gr\u00fc\u00dfe ' + way + '"'))
    assert other.logout()[0] == 'BYE'
    assert box.logout()[0] == 'BYE'
print('ok')
