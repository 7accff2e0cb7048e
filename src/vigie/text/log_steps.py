"""What varies in log lines, and what must stay visible.

`HOST`, `ADDRESSES` and `NUMBER` see every message: few patterns, no captures. `KEPT_CODES` and `KEPT` see the few
messages that hold a meaningful number. All of them leave few distinct texts. `REST` sees each distinct text once, may
therefore look closely, and works on the placeholders that the others left.
"""

from vigie.text.masks import EDGE, Keep, Mask, Step

_H = "[0-9a-fA-F]"
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?"
    "|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY = "(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? "
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"

# The time and host in front of a syslog line; a level in the place of the host means that there is none.
_SYSLOG = rf"{_MONTH} [ 0-9][0-9] (?:[0-9]{{4}} )?{_CLOCK} "
_LEVEL = (
    "(?i:emerg|panic|alert|crit|fatal|severe|err|fail|except|warn|notice|info|debug|trace|verbose|fine|config|succe)"
)
HOST: tuple[Step, ...] = (Mask(f"^{_SYSLOG}[^ ]+", "<time> <host>", unless=f"^{_SYSLOG}{_LEVEL}"),)

# Meaningful numbers. _END keeps out the first part of an address, a version or a fraction.
_SEPARATOR = r"""\\?["']?\]? ?(?:=|:|->)? ?\\?["'(\[#]?-?"""
_BINDING = r"""(?:\\?["']?\]? ?[=:(\[] ?\\?["'(\[]?-?|[ -]-?)"""
_END = r"$|[^0-9A-Za-z_.:%]|[.:](?:$|[^0-9])"
_CLAUSE_END = r"$|\.$|[,;)\]}\"'\\]"
_CODE_WORD = (
    f"(?i:{EDGE}(?:rc|sig|exit(?:ed)?(?: abnormally| with)*|said)|status|signal|errno|retval|event[ _]?id|hresult"
    f"|(?:{EDGE}|_|status|exit|error|err|ret|return|response|result|http|reason)code"
    f"|{EDGE}code (?:de |d')?(?:sortie|retour|erreur|statut)|{EDGE}statut(?: http)?)"
)
_VALUE_WORD = f"(?i:{EDGE}(?:errors?|err|ret|returns?|returned|results?|response|state|level|severity|priority|reason))"
_COUNTED = "(?i:errors?|failures?|failed|warnings?|unreachable|dropped)"
_METHOD = "(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS)"
_BEFORE_STATUS = rf"HTTP/(?:[0-9.]+|<num>)\\?\"? |{EDGE}HTTP |TCP_[A-Z_]+/|Completed |\| |{EDGE}{_METHOD} [^ ]+ "
KEPT_CODES = Keep(
    f"(?:{_CODE_WORD}|{_VALUE_WORD}){_SEPARATOR}",
    start=("0", "[xX]"),
    code=_H,
    most=8,
    seen=f"(?:{_CODE_WORD}|{_VALUE_WORD}){_SEPARATOR}<hex>",
)
KEPT: tuple[Keep, ...] = (
    Keep(_CODE_WORD + _SEPARATOR, after=_END, seen=f"{_CODE_WORD}{_SEPARATOR}<num>"),
    Keep(_VALUE_WORD + _BINDING, most=3, after=_CLAUSE_END, seen=f"{_VALUE_WORD}{_BINDING}<num>"),
    Keep(_BEFORE_STATUS, least=3, most=3, after=_END, seen=f"(?:{_BEFORE_STATUS})<num>"),
    Keep("^<", most=3, after=">", seen="^<<num>>"),
    Keep("%(?:ASA|FTD|PIX|FWSM)-[0-7]-", least=6, most=6, seen="%(?:ASA|FTD|PIX|FWSM)-<num>"),
    Keep("%[A-Z][A-Z0-9_]*-", most=1, after="-[A-Z<]?", seen="%[A-Z](?:[A-Z_-]|<num>)*<num>"),
    Keep(EDGE, code="0", most=1, after=f" {_COUNTED}{EDGE}", seen=f"<num> {_COUNTED}"),
    Keep(rf"{EDGE}{_COUNTED}[\"']?[=:] ?[\"']?", code="0", most=1, seen=f"{_COUNTED}[\"']?[=:] ?[\"']?<num>"),
)

_UUID = f"{_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}}"
_MAC = f"{_H}{{2}}(?::{_H}{{2}}){{5,7}}"
# At least eight hexadecimal digits, one of them a letter: the engine cannot ask for both, so its place is spelled out.
# Digits with an e at the end are left, they belong to a number such as 1.2345678e-05.
_LONG_HEX = (
    "|".join(f"[0-9]{{{i}}}[a-fA-F]{_H}{{{7 - i},}}" for i in range(7)) + f"|[0-9]{{7,}}(?:[a-dfA-DF]{_H}*|[eE]{_H}+)"
)
_POD = "[bcdfghjklmnpqrstvwxz2456789]"
_IPV4 = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
ADDRESSES: tuple[Step, ...] = (
    Mask(f"{EDGE}(?:{_UUID}|{_MAC}|0[xX]{_H}+|{_POD}{{8,10}}-{_POD}{{5}}|{_LONG_HEX}){EDGE}", "<hex>"),
    Mask(f"{EDGE}{_IPV4}(?:[:/][0-9]{{1,5}})?{EDGE}", "<ip>"),
    Mask(f"(?:T|{EDGE}){_CLOCK}", "<time>"),
)
NUMBER = Mask("[0-9]+(?:[.,/_-][0-9]+|[eE][+-][0-9]+)*", "<num>")

_DATE = f"(?:{_DAY})?(?:{_MONTH} <num>(?:,? <num>)?|<num>[ /-]{_MONTH}(?:[ /-]<num>)?)|<num>"
_ZONE = f"(?: ?[AP]M{EDGE})?(?: ?(?:Z|UTC|GMT|MSK|[ABCEIJMPW]E?[SD]T|[CEMW]ET){EDGE}| ?[+-]<num>(?::<num>)?)?"
_GROUP = "(?:<num>|[a-fA-F])+"
_IPV6 = (
    f"(?:[a-fA-F]{{1,4}}:)*[a-fA-F]*<num>(?:<num>|[a-fA-F])*(?::{_GROUP})*::(?:{_GROUP}(?::{_GROUP})*(?::<ip>)?)?"
    f"|(?:[a-fA-F]{{1,4}}:)*[a-fA-F]*<num>(?:<num>|[a-fA-F])*(?::{_GROUP}){{2,}}"
    f"|(?:[a-fA-F]{{1,4}}:){{6}}{_GROUP}:{_GROUP}|::(?:{_GROUP}:)*(?:<num>|<ip>)"
)
_UNIT = (
    "[nuµμm]?s|(?i:secs?|seconds?|msecs?|millis|milliseconds?|usecs?|microseconds?|nanoseconds?|mins?|minutes?"
    "|hrs?|hours?|days?)"
)
_DURATION = f"<num>(?: ?(?:{_UNIT})|[mhd])"
_LONG_DURATION = "(?:<num>[dhm])+<num>(?:m?s|m|h)"
_SIZE = "<num>(?: ?(?:[kKMGTP]i?[bB]|(?i:[kmgt]?bytes?)|B)|[kKMGTP])"
_WORD = "[0-9A-Za-z_]"
_HOST_PART = "(?:<(?:num|ip|hex|id)>|[0-9A-Za-z_-])+"
_COUNTRY = "a[rtu]|b[er]|c[ahnz]|d[ek]|e[su]|f[ir]|gr|hu|i[elnot]|jp|kr|mx|n[loz]|p[lt]|r[ou]|se|t[rw]|u[aks]|za"
_DOMAIN = (
    rf"(?:{_HOST_PART}\.)+(?:com|net|org|edu|gov|int|local|internal|lan|corp)|(?:{_HOST_PART}\.){{2,}}(?:{_COUNTRY})"
)
_SEGMENT = r"(?:<[a-z]+>|[0-9A-Za-z_.@%+~$=&#!*-])"
_QUERY = r"""(?:\?(?:<[a-z]+>|[^\s"'<>])*)?"""
_UNIX_PATH = (
    rf"(?:~|\.\.?)?/{_SEGMENT}+(?:/+{_SEGMENT}+)+/?{_QUERY}|/{_SEGMENT}+/{_QUERY}"
    rf"|/[0-9A-Za-z_-]*(?:<[a-z]+>|\.){_SEGMENT}*{_QUERY}"
)
_WINDOWS_PATH = rf"(?:[A-Za-z]:\\|\\\\){_SEGMENT}+(?:\\+{_SEGMENT}+)*"
_LINE = r"\s*(?:\n|\\n)(?:\s|\\t)*"
_USER = f"(?:assword|ublickey|none) for (?:invalid user )?|(?:for|by|of|nvalid|llegal|nknown) [Uu]ser |{EDGE}r?user(?:_?name)?="
_ROOT = f"(?i:(?:user[ =]|assword for |ublickey for )(?:root|admin|administrator|system|unknown|not|name){EDGE})"
_PROGRAM = r"(?: [0-9A-Za-z_./()-]+\[<num>\]| kernel): "
TIDY: tuple[Step, ...] = (
    Mask(r"\s{2,}|[^\S ]", " ", hides=False),
    Mask(" $", "", before=r"\S", hides=False),
    Mask("^ ", "", after=r"\S", hides=False),
)
REST: tuple[Step, ...] = (
    Mask(r"goroutine <num> \[[^\]]*\]:[\s\S]*", "<trace>"),
    Mask(rf"(?:{_LINE}(?:at (?:[^\n\\]|\\[^n])+|\.\.\. <num> (?:more|common frames omitted)))+", " <trace>"),
    Mask(r"(?:\s*\n\s+File \"[^\n]+(?:\n\s{4,}[^\n]+)?)+", " <trace>"),
    *TIDY,
    Mask(r"(?:<[a-z]+>|[^\s\"'<>\\)\]}|,;])+", "<url>", before="[A-Za-z](?:<num>|[0-9A-Za-z+.-])*://"),
    Mask(f"(?:(?:{_DATE})[ T:_-]{{0,3}})*<time>{_ZONE}(?: <num>)?", "<time>", after="]"),
    Mask(f"(?:(?:{_DATE})[ T:_-]{{0,3}})*<time>{_ZONE}", "<time>"),
    Mask("<num>T<num>Z?", "<time>", before="^|[^0-9A-Za-z_>]", after="$|[^<0-9A-Za-z_]"),
    Mask(f"(?:{_DAY})?(?:{_MONTH} <num>, <num>|<num>[ /-]{_MONTH}[ /-]<num>)", "<time>"),
    Mask(_IPV6, "<ip>"),
    Mask("/+<ip>", "<ip>", before=r"^|[\s=(\[,:@]"),
    Mask("[+-]<num>", "<num>", before=r"^|[\s=(\[{,:;<>_\"'|]"),
    Mask("<num>(?:[.,:/_-]?<num>)+", "<num>"),
    Mask(_LONG_DURATION, "<duration>", before="^|[^0-9A-Za-z_>]", after="$|[^<0-9A-Za-z_]"),
    Mask("<num>(?:_[a-z]{1,2}_<num>)+", "<id>"),
    Mask(f"{_WORD}*(?:<num>[A-Za-z]+)+<num>{_WORD}*", "<id>"),
    Mask(f"{_DURATION}(?: ?{_DURATION})*{EDGE}", "<duration>"),
    Mask(f"{_SIZE}{EDGE}", "<size>"),
    Mask("[A-Z]{1,2}<num>(?:[-:][A-Z]{1,2}(?:<num>)?)+", "<id>"),
    Mask(f"@[a-f]*<num>(?:<num>|[a-f])*{EDGE}", "@<hex>"),
    Mask(r"(?:<num>|[0-9A-Za-z_.+-])+@(?:[0-9A-Za-z_-]+\.)+[A-Za-z]{2,}", "<email>"),
    Mask(f"(?:{_DOMAIN})(?::<num>)?", "<host>", before=EDGE, after=r"$|[^0-9A-Za-z_.-]|\.(?:$|\s)"),
    Mask(f"{_UNIX_PATH}|{_WINDOWS_PATH}", "<path>", before=r"""^|[\s"'=(\[{<>,:;|]"""),
    Mask(r"[^\s,;\"']+", "<host>", before=f"{EDGE}r?host(?:name)?="),
    Mask(r"(?:<[a-z]+>|[0-9A-Za-z_.@\\-])+", "<user>", before=_USER, unless=_ROOT),
    Mask("[^ ]+", "<host>", before="^<[0-9]{1,3}><time> ", after=" "),
    Mask("[^ ]+", "<host>", before="^<time> ", after=_PROGRAM, unless=f"^<time> {_LEVEL}"),
    Mask("[^ -][^ ]*", "<user>", before="^<ip> [^ ]+ ", after=r" \[<time>\]"),
    Mask("(?:<[a-z]+>|[0-9A-Za-z+/=])+", "<hex>", before="SHA<num>:"),
    # Where blanks are written as + or %20, as in the W3C format of IIS, other fields follow a blank.
    Mask(r"Mozilla/<num>(?:[+%][^\s\"\\]*|[^\"\\\n]*)", "<agent>"),
    Mask("<ip>(?:[, ]+<ip>)+", "<ip>"),
    Mask("<num>(?:[,;] ?<num>)+", "<num>"),
)
