from pathlib import Path

import polars as pl
import pytest

from vigie.text.logs import LogNormaliser

LABELLED = Path(__file__).parents[4] / "shared" / "data" / "logs_labelled.csv.gz"


def template(text: str) -> str:
    return LogNormaliser().normalise(pl.Series([text]))[0]


def hidden(text: str) -> list[str]:
    return [text[start:end] for start, end in LogNormaliser().variable_parts(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Times
        ("2015-10-18 18:01:47,978 INFO [main] up", "<time> INFO [main] up"),
        ("2024-01-02T10:11:12.123456Z up", "<time> up"),
        ("2024-01-02T10:11:12+01:00 up", "<time> up"),
        ("17/06/09 20:10:40 INFO up", "<time> INFO up"),
        ("03/01/2024 10:11:12 PM up", "<time> up"),
        ("[Sun Dec 04 04:47:44 2005] [notice] up", "[<time>] [notice] up"),
        ("[10/Oct/2000:13:55:36 -0700] up", "[<time>] up"),
        ("Mon, 02 Jan 2006 15:04:05 GMT up", "<time> up"),
        ("Jun 09, 2005 6:07:08 PM up", "<time> up"),
        ("20240101T101112Z up", "<time> up"),
        ("took from 10:11:12 to 10:11:13", "took from <time> to <time>"),
        ("10:00:00 Zookeeper up", "<time> Zookeeper up"),
        ("10:00:00 AMQ up", "<time> AMQ up"),
        # Addresses
        ("from 10.0.0.1 and 10.0.0.2:8080 and 10.0.0.0/8", "from <ip> and <ip> and <ip>"),
        ("src: /10.250.19.102:54106 dest: /10.250.19.102:50010", "src: <ip> dest: <ip>"),
        ("from fdaa:0:3514:46:46a6:7de3:6eb1:9a1", "from <ip>"),
        ("from fdff:ffff:ffff:ffff:ffff:fffa:2a0f:2a0f to fdff:ffff:ffff:ffff:ffff:fffa:bad:fffe", "from <ip> to <ip>"),
        ("::1 and fe80::1ff:fe23:4567:890a and 2001:db8::1", "<ip> and <ip> and <ip>"),
        ("00:1A:2b:3c:4d:5e joined", "<hex> joined"),
        ("mail to john.doe@example.com", "mail to <email>"),
        ("resolve api.example.com:443 and n219.netvigator.com", "resolve <host> and <host>"),
        ("rhost=web-3.dc1 up", "rhost=<host> up"),
        (
            "org.apache.hadoop.mapreduce.v2.app.rm.Allocator up",
            "org.apache.hadoop.mapreduce.v<num>.app.rm.Allocator up",
        ),
        ("java.net.SocketException: x", "java.net.SocketException: x"),
        # Identifiers
        ("block blk_-1608999687919862906 ok", "block blk_<num> ok"),
        ("block blk_1608999687919862906 ok", "block blk_<num> ok"),
        ("attempt_1445144423722_0020_r_000001_1 done", "attempt_<id> done"),
        ("550e8400-e29b-41d4-a716-446655440000 done", "<hex> done"),
        ("4bf92f3577b34da6a3ce929d0e0e4736 done", "<hex> done"),
        ("trace_4bf92f3577b34da6a3ce929d0e0e4736 done", "<id> done"),
        ("pod nginx-5c689d88bb-x7k2p and nginx-bbdbc4fdbd-kkzqv", "pod nginx-<hex> and nginx-<hex>"),
        ("at 0x00004ed8 and Obj@1b2c3d4f", "at <hex> and Obj@<hex>"),
        ("R02-M1-N0-C:J12-U11 and R30-M0-NF-C:J16-U01", "<id> and <id>"),
        ("12345678 and 123 are numbers alike", "<num> and <num> are numbers alike"),
        ("req k3j9x2mQpLw7 and WQ1hpFP3XxXS", "req <id> and <id>"),
        ("took 61234567e-12, loss 1.2345678e-05", "took <num>, loss <num>"),
        ("deadline feedback accede", "deadline feedback accede"),
        # Quantities
        ("took 12 ms, 3.5s, 1h2m3s and 210 seconds", "took <duration>, <duration>, <duration> and <duration>"),
        ("free 409.8 KB of 2GiB, 2667 bytes", "free <size> of <size>, <size>"),
        ("at 45% and -3 and +3.5 and 1.5e-07", "at <num>% and <num> and <num> and <num>"),
        ("ids [1, 2, 3] and [4]", "ids [<num>] and [<num>]"),
        ("core.2275 on eth0, part-00585", "core.<num> on eth<num>, part-<num>"),
        # Paths and URLs
        ("open /etc/httpd/conf/workers2.properties failed", "open <path> failed"),
        ("open C:\\Windows\\foo.log failed", "open <path> failed"),
        ("open ./a/b and ~/c/d", "open <path> and <path>"),
        ("GET http://10.1.2.3:8080/api?x=1 done", "GET http://<url> done"),
        ("read hdfs://msra-sa-41:9000/x", "read hdfs://<url>"),
        ("GET /healthz done", "GET /healthz done"),
        ("TCP/IP and/or I/O", "TCP/IP and/or I/O"),
        # People
        ("Failed password for invalid user oracle from 1.2.3.4", "Failed password for invalid user <user> from <ip>"),
        ("Accepted publickey for deploy from 1.2.3.4", "Accepted publickey for <user> from <ip>"),
        ("Failed password for root from 1.2.3.4", "Failed password for root from <ip>"),
        ("session opened for user news by (uid=0)", "session opened for user <user> by (uid=<num>)"),
        ("check pass; user unknown", "check pass; user unknown"),
        # White space
        ("  two   spaces\tand a tab  ", "two spaces and a tab"),
        ("\n \t", " "),
        ("", ""),
    ],
)
def test_normalise_when_parts_vary_then_masks_them(text: str, expected: str) -> None:
    assert template(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"GET /a/7 HTTP/1.1" 404 209', '"GET <path> HTTP/<num>" 404 <num>'),
        ("HTTP 503 from upstream 5031", "HTTP 503 from upstream <num>"),
        ("GET /users/1 404 12.345 ms", "GET <path> 404 <duration>"),
        ("[GIN] | 200 | 12ms |", "[GIN] | 200 | <duration> |"),
        ("Completed 500 in 12ms", "Completed 500 in <duration>"),
        ("TCP_DENIED/403 3500", "TCP_DENIED/403 <num>"),
        ('{"status": 502, "latency": 1234}', '{"status": 502, "latency": <num>}'),
        ('{\\"status\\":502}', '{\\"status\\":502}'),
        ("http_status=200 code: 7 rc=0", "http_status=200 code: 7 rc=0"),
        ("worker exited with code -9", "worker exited with code -9"),
        ("logrotate: ALERT exited abnormally with [1]", "logrotate: ALERT exited abnormally with [1]"),
        ("exit status 137", "exit status 137"),
        ("tâche n° 4711 terminée, code de sortie 137", "tâche n° <num> terminée, code de sortie 137"),
        ("Code retour : 0", "Code retour : 0"),
        ("le statut est 4711, code d'erreur=12", "le statut est <num>, code d'erreur=12"),
        ("Statut HTTP 404", "Statut HTTP 404"),
        ("status=203/EXEC", "status=203/EXEC"),
        ("got signal 11 ;", "got signal 11 ;"),
        ("[Errno 13] denied", "[Errno 13] denied"),
        ("error state 7", "error state 7"),
        ("failed: error -110", "failed: error -110"),
        ('{"level":50,"pid":42}', '{"level":50,"pid":<num>}'),
        ("EventID=4625 Event ID: 7036", "EventID=4625 Event ID: 7036"),
        ("HRESULT = 0x800f0805 at 0x800f0805", "HRESULT = 0x800f0805 at <hex>"),
        ("error 0x80070005", "error 0x80070005"),
        ("%LINK-3-UPDOWN: GigabitEthernet0/1", "%LINK-3-UPDOWN: GigabitEthernet<num>"),
        ("%ASA-6-302013: Built 1234", "%ASA-6-302013: Built <num>"),
        ("said: 550 5.1.1 unknown", "said: 550 <num> unknown"),
        ("done with 0 errors and 2 warnings", "done with 0 errors and <num> warnings"),
        ("ok=3 failed=0 unreachable=0", "ok=<num> failed=0 unreachable=0"),
        # and what only looks like it
        ("src=5 decode 12345 error 10.0.0.1", "src=<num> decode <num> error <ip>"),
        ("status 12.5 error 4 in libc", "status <num> error <num> in libc"),
        ("10 errors", "<num> errors"),
        ("returned 4711 rows", "returned <num> rows"),
    ],
)
def test_normalise_when_numbers_have_a_meaning_then_keeps_them(text: str, expected: str) -> None:
    assert template(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: x", "<time> <host> sshd(pam_unix)[<num>]: x"),
        ("Jul  9 22:53:22 combo kernel: x", "<time> <host> kernel: x"),
        ("<34>Oct 11 22:14:15 mymachine su: x", "<34><time> <host> su: x"),
        ("<165>1 2003-10-11T22:14:15.003Z host.a evntslog - ID47 x", "<165><time> <host> evntslog - ID<num> x"),
        ("2024-03-01T10:11:12+01:00 web-3 sshd[12]: x", "<time> <host> sshd[<num>]: x"),
        ("2024-03-01T10:11:12+01:00 web-3 kernel: x", "<time> <host> kernel: x"),
        ("Jan 12 06:49:42 ERROR dfs.DataNode: x", "<time> ERROR dfs.DataNode: x"),
        ("2024-03-01 10:11:12 WARN main[12]: x", "<time> WARN main[<num>]: x"),
        ("E0112 10:33:21.123456       1 a.go:114] x", "E<time> <num> a.go:<num>] x"),
        ('1.2.3.4 - frank [10/Oct/2000:13:55:36 -0700] "-"', '<ip> - <user> [<time>] "-"'),
        ("GET /a - 443 - 10.0.0.9 Mozilla/5.0+(X11;+x64) - 500 31", "GET /a - <num> - <ip> <agent> - <num> <num>"),
        ('"GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64)"', '"GET / HTTP/<num>" 200 <num> "-" "<agent>"'),
    ],
)
def test_normalise_when_format_is_known_then_masks_host_user_and_agent(text: str, expected: str) -> None:
    assert template(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.E: no\n\tat a.B.c(B.java:4)\n\tat a.C.d(C.java:5)\n\t... 3 more", "x.E: no <trace>"),
        (
            "x.E: no\n\tat a.B.c(B.java:4)\nCaused by: y.F: 5\n\tat a.D.e(D.java)",
            "x.E: no <trace> Caused by: y.F: <num> <trace>",
        ),
        ('{"m":"x.E: no\\n\\tat a.B.c(B.java:4)\\n\\tat a.C.d(C.java:5)', '{"m":"x.E: no <trace>'),
        ("S.E: no\n   at A.B() in C:\\x.cs:line 3", "S.E: no <trace>"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n  File "b.py", line 2, in g\nE: 3',
            "Traceback (most recent call last): <trace> E: <num>",
        ),
        ("panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/b.go:3 +0x1d", "panic: x <trace>"),
        ("first line\nsecond line 2\r\nthird", "first line second line <num> third"),
    ],
)
def test_normalise_when_text_has_many_lines_then_one_mask_hides_the_trace(text: str, expected: str) -> None:
    assert template(text) == expected


def test_normalise_when_rows_mix_kinds_then_each_has_its_own_template() -> None:
    texts = pl.Series("message", ["status=404 id=4711", None, "id=4711", "", "error 0x1f at 0x1f", "status=404 id=9"])

    templates = LogNormaliser().normalise(texts)

    assert templates.name == "message"
    assert templates.to_list() == [
        *("status=404 id=<num>", None, "id=<num>", "", "error 0x1f at <hex>", "status=404 id=<num>"),
    ]
    assert texts.to_list()[0] == "status=404 id=4711"


@pytest.mark.parametrize("texts", [[], [None], [None, None]])
def test_normalise_when_there_is_no_text_then_returns_as_many_nulls(texts: list[None]) -> None:
    templates = LogNormaliser().normalise(pl.Series(texts))

    assert templates.to_list() == texts
    assert templates.dtype == pl.String


def test_normalise_when_private_characters_are_in_the_text_then_nothing_is_made_up() -> None:
    assert template("a \U000f0134 b") == "a \U000f0134 b"
    assert template("code=1 \U000f0134 b \U000f0000") == "code=1 b"


@pytest.mark.parametrize("unit", ["a.", "status=1 ", "<num>:", "/x", "12:", "\tat x\n", "::", "[", "1a-"])
def test_normalise_when_a_line_has_a_million_characters_then_time_stays_linear(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    assert template(text)


def test_variable_parts_when_masked_then_are_the_original_characters() -> None:
    text = 'Jul  9 10:00:00 web "GET /a/7 HTTP/1.1" 404 from 10.0.0.1:80 took 12 ms, code 3'

    assert hidden(text) == ["Jul  9 10:00:00 web", "/a/7", "1.1", "10.0.0.1:80", "12 ms"]


def test_variable_parts_when_masks_lie_in_masks_then_are_merged() -> None:
    assert hidden("open /a/b12/10.0.0.1/550e8400-e29b-41d4-a716-446655440000!") == [
        "/a/b12/10.0.0.1/550e8400-e29b-41d4-a716-446655440000!"
    ]


def test_variable_parts_when_the_code_is_hexadecimal_then_it_shows() -> None:
    assert hidden("error 0x80070005 at 0x1f") == ["0x1f"]
    assert hidden("errors=0, error 0x80070005, code 3 of 12345") == ["12345"]


def test_variable_parts_when_nothing_varies_then_is_empty() -> None:
    assert hidden("all  is well") == []
    assert hidden("") == []


def test_variable_parts_when_characters_are_wide_then_counts_characters() -> None:
    assert hidden("é👍🏽 7 \U000f0200 8") == ["7", "8"]


@pytest.mark.skipif(not LABELLED.exists(), reason=f"needs {LABELLED}, which is not part of the project")
def test_normalise_when_lines_are_real_then_templates_have_one_meaning() -> None:
    lines = pl.read_csv(LABELLED)
    meaning = pl.concat_str("severity", "event_type", "category", separator="|")
    frame = lines.select(LogNormaliser().normalise(lines["raw"]).alias("template"), meaning.alias("meaning"))

    majority = frame.group_by("template").agg(pl.col("meaning").value_counts(sort=True).first().struct.field("count"))

    assert majority["count"].sum() / frame.height >= 0.995
    assert majority.height <= 1.25 * lines.select("system", "event_id").n_unique()
