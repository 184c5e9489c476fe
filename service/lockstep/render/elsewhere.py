"""What other languages of templates call things, and how each is written here.

Names are in lower case and without `_`, so that one entry stands for `to_nice_json`, `toNiceJson`.
A name that only differs in that from one of ours needs no entry. `name/1` is for one argument,
`'name` for a text that is written out before the `.`.

In what to write, `{x}` is the value before `|` or `.`, `{0}` an argument, `{0:','}` one with a
default, `{0#}` the length of one.
"""

from collections.abc import Mapping
from typing import Final

_SLUG: Final = "{x} | lower | regex_replace('[^a-z0-9]+', '-')"
_BEGINS: Final = "{x}[:{0#}] == {0}"
_ENDS: Final = "{x}[-{0#}:] == {0}"
_SIZE: Final = "({x} / 1000000) | round(1) ~ ' MB'"
_AGE: Final = "{x} | duration_since"
_MEAN: Final = "({x} | sum) / ({x} | length)"

FILTERS: Final[Mapping[str, str]] = {
    # Jinja2
    "attr": "{x}[{0}]",
    "center": "{x}",
    **dict.fromkeys(
        ("e", "escape", "forceescape", "escapeonce", "safe", "raw", "h", "xmlescape"), "{x}"
    ),
    **dict.fromkeys(("filesizeformat", "humanreadable", "bytestosize", "filesize"), _SIZE),
    "pprint": "{x} | json(2)",
    **dict.fromkeys(("striptags", "striphtml"), "{x} | regex_replace('<[^>]*>', '')"),
    # Ansible
    "basename": "{x} | split('/') | last",
    "winbasename": r"{x} | split('\\') | last",
    "dirname": "({x} | split('/'))[:-1] | join('/')",
    "windirname": r"({x} | split('\\'))[:-1] | join('\\')",
    "pathjoin": "{x} | join('/')",
    "splitext": r"{x} | regex_replace('\.[^./]*$', '')",
    **dict.fromkeys(("hash", "checksum", "md5", "sha1", "sha512", "sha"), "{x} | sha256"),
    "difference": "{x} | reject('in', {0})",
    "intersect": "{x} | select('in', {0})",
    "intersection": "{x} | select('in', {0})",
    "symmetricdifference": "({x} | reject('in', {0})) + ({0} | reject('in', {x}))",
    "union": "({x} + {0}) | unique",
    "dict2items": "{x} | items",
    "extract": "{0}[{x}]",
    **dict.fromkeys(("fromyaml", "fromyamlall"), "{x} | fromjson"),
    "parsejson": "{x} | fromjson",
    "strftime": "{0:now} | date({x})",
    "ternary": "{0} if {x} else {1}",
    "todatetime": "{x} | iso",
    "toniceyaml": "{x} | json(2)",
    "tonicejson": "{x} | json(2)",
    "toyaml": "{x} | json(2)",
    "yaml": "{x} | json(2)",
    # Liquid
    "append": "{x} ~ {0}",
    "arraytosentencestring": "{x} | join(', ')",
    "atleast": "[{x}, {0}] | max",
    "atmost": "[{x}, {0}] | min",
    "base64decode": "{x} | b64decode",
    "base64encode": "{x} | b64encode",
    "base64": "{x} | b64encode",
    "ceil": "{x} | round(0, 'ceil')",
    "floor": "{x} | round(0, 'floor')",
    "compact": "{x} | reject('none')",
    "concat": "{x} + {0}",
    "datetolongstring": "{x} | date('%d %B %Y')",
    "datetorfc822": "{x} | date('rfc2822')",
    "datetostring": "{x} | date('%d %b %Y')",
    "datetoxmlschema": "{x} | iso",
    "dividedby": "{x} / {0}",
    **dict.fromkeys(("downcase", "tolowercase", "lowercase", "casefold"), "{x} | lower"),
    **dict.fromkeys(("upcase", "touppercase", "uppercase"), "{x} | upper"),
    "find": "{x} | selectattr({0}, 'eq', {1:true}) | first",
    "has": "({x} | selectattr({0}, 'eq', {1:true}) | length) > 0",
    "inspect": "{x} | json",
    "jsonify": "{x} | json",
    "lstrip": r"{x} | regex_replace('^\s+', '')",
    "rstrip": r"{x} | regex_replace('\s+$', '')",
    "minus": "{x} - {0}",
    "modulo": "{x} % {0}",
    "plus": "{x} + {0}",
    "times": "{x} * {0}",
    "newlinetobr": r"{x} | replace('\n', '<br>')",
    "numberofwords": "{x} | wordcount",
    "pop": "{x}[:-1]",
    "shift": "{x}[1:]",
    "push": "{x} + [{0}]",
    "unshift": "[{0}] + {x}",
    "prepend": "{0} ~ {x}",
    "remove": "{x} | replace({0}, '')",
    "removefirst": "{x} | replace({0}, '', 1)",
    "replacefirst": "{x} | replace({0}, {1:''}, 1)",
    "size": "{x} | length",
    "slugify": _SLUG,
    "handle": _SLUG,
    "handleize": _SLUG,
    "sortnatural": "{x} | sort",
    **dict.fromkeys(("strip", "squish"), "{x} | trim"),
    "stripnewlines": r"{x} | replace('\n', '')",
    "tointeger": "{x} | int",
    "truncatewords": "({x} | split)[:{0:15}] | join(' ')",
    **dict.fromkeys(("uniq", "distinct"), "{x} | unique"),
    **dict.fromkeys(("urlescape", "cgiescape", "uriescape"), "{x} | urlencode"),
    "where/1": "{x} | selectattr({0})",
    "where": "{x} | selectattr({0}, 'eq', {1})",
    # Home Assistant
    "add": "{x} + {0}",
    "multiply": "{x} * {0}",
    "asdatetime": "{x} | iso",
    "aslocal": "{x} | iso",
    "astimestamp": "{x} | date('unix')",
    **dict.fromkeys(("average", "avg", "mean"), _MEAN),
    "contains": "{0} in {x}",
    "hasvalue": "{x} is defined",
    "isdefined": "{x} is defined",
    "isnumber": "{x} is number",
    "iif": "{0:true} if {x} else {1:false}",
    "regexfindallindex": "({x} | regex_findall({0}))[{1:0}]",
    **dict.fromkeys(("relativetime", "timesince"), _AGE),
    "timestampcustom": "({x} * 1000) | date({0})",
    "timestamplocal": "({x} * 1000) | iso",
    "timestamputc": "({x} * 1000) | iso",
    # Pebble, as Kestra has it
    "abbreviate": "{x} | truncate({0:80})",
    "chunk": "{x} | batch({0})",
    "endswith": _ENDS,
    "startswith": _BEGINS,
    "merge": "{x} + {0}",
    "nindent": r"'\n' ~ ({x} | indent({0:4}, true))",
    "number": "{x} | float",
    "numberformat": "{x} | round(2)",
    "rsort": "{x} | sort(reverse=true)",
    "substringafter": "({x} | split({0}))[1:] | join({0})",
    "substringafterlast": "{x} | split({0}) | last",
    "substringbefore": "{x} | split({0}) | first",
    "substringbeforelast": "({x} | split({0}))[:-1] | join({0})",
    "timestamp": "{x} | date('unix')",
    "timestampmilli": "({x} | date('unix')) * 1000",
    "toion": "{x} | json",
}
"""Filters."""

TESTS: Final[Mapping[str, str]] = {
    "sameas": "{x} == {0}",
    "match": "{x} | regex_match({0})",
    "regex": "{x} | regex_search({0})",
    "search": "{x} | regex_search({0})",
    "contains": "{0} in {x}",
    "truthy": "{x} | bool",
    "falsy": "not ({x} | bool)",
    **dict.fromkeys(("dict", "object", "map", "hash"), "{x} is mapping"),
    **dict.fromkeys(("list", "array", "tuple"), "{x} is sequence and {x} is not string"),
    **dict.fromkeys(("str", "text", "stringlike"), "{x} is string"),
    **dict.fromkeys(("int", "whole"), "{x} is integer"),
    "bool": "{x} is boolean",
    "numeric": "{x} is number",
    **dict.fromkeys(("empty", "blank"), "({x} | length) == 0"),
    "nil": "{x} is none",
    "subset": "({x} | reject('in', {0}) | length) == 0",
    "escaped": "{x} is string",
    "superset": "({0} | reject('in', {x}) | length) == 0",
    "equals": "{x} == {0}",
    **dict.fromkeys(("startingwith", "startswith"), _BEGINS),
    **dict.fromkeys(("endingwith", "endswith"), _ENDS),
}
"""Tests, behind `is`."""

METHODS: Final[Mapping[str, str]] = {
    "strip/1": "{x} | trim({0})",
    "'join": "{0} | join({x})",
    "get": "{x}[{0}]",
    "get/2": "{x}[{0}] | default({1})",
    "setdefault": "{x}[{0}] | default({1})",
    **dict.fromkeys(("has", "haskey", "containskey", "hasownproperty"), "{0} in {x}"),
    **dict.fromkeys(("includes", "contains", "find", "index", "indexof"), "{0} in {x}"),
    "count": "({x} | split({0}) | length) - 1",
    "count/0": "{x} | length",
    "extend": "{x} + {0}",
    "append": "{x} + [{0}]",
    "concat": "{x} ~ {0}",
    "plus": "{x} ~ {0}",
    "copy": "{x}",
    **dict.fromkeys(("at", "charat"), "{x}[{0}]"),
    **dict.fromkeys(("slice", "substring", "substr"), "{x}[{0}:{1}]"),
    **dict.fromkeys(("slice/1", "substring/1", "substr/1"), "{x}[{0}:]"),
    "splitlines": r"{x} | split('\n')",
    **dict.fromkeys(("isdigit", "isnumeric", "isdecimal"), r"{x} | regex_match('\d+$')"),
    "isempty": "({x} | length) == 0",
    "equals": "{x} == {0}",
    **dict.fromkeys(("match", "matches", "search", "test"), "{x} | regex_search({0})"),
    **dict.fromkeys(("isoformat", "toisostring"), "{x} | iso"),
    "strftime": "{x} | date({0})",
    "gettime": "({x} | date('unix')) * 1000",
    "tostring": "{x} | string",
    "tofixed": "{x} | round({0:0})",
    "replaceall": "{x} | replace({0}, {1})",
    "removeprefix": "{x}[{0#}:] if {x}[:{0#}] == {0} else {x}",
    "removesuffix": "{x}[:-{0#}] if {x}[-{0#}:] == {0} else {x}",
    **dict.fromkeys(("trimstart", "trimleft"), r"{x} | regex_replace('^\s+', '')"),
    **dict.fromkeys(("trimend", "trimright"), r"{x} | regex_replace('\s+$', '')"),
    "isalpha": "{x} | regex_match('[A-Za-z]+$')",
    "isalnum": "{x} | regex_match('[A-Za-z0-9]+$')",
    "isspace": r"{x} | regex_match('\s+$')",
    "matchall": "{x} | regex_findall({0})",
    "filter": "{x} | selectattr('a', 'eq', 'b')",
    "some": "({x} | select | length) > 0",
    "every": "({x} | reject | length) == 0",
    "entries": "{x} | items",
    **dict.fromkeys(("rfind", "rindex", "lastindexof"), "{0} in {x}"),
    **dict.fromkeys(("encode", "decode", "normalize", "astimezone"), "{x}"),
    **dict.fromkeys(("year", "getfullyear", "getutcfullyear"), "{x} | date('%Y') | int"),
    **dict.fromkeys(("month", "getutcmonth"), "{x} | date('%m') | int"),
    **dict.fromkeys(("day", "getdate", "getutcdate"), "{x} | date('%d') | int"),
    **dict.fromkeys(("hour", "gethours", "getutchours"), "{x} | date('%H') | int"),
    **dict.fromkeys(("minute", "getminutes", "getutcminutes"), "{x} | date('%M') | int"),
    **dict.fromkeys(("second", "getseconds", "getutcseconds"), "{x} | date('%S') | int"),
    **dict.fromkeys(("getday", "getutcday"), "{x} | date('%w') | int"),
    "isoweekday": "{x} | date('%u') | int",
    "weekday": "({x} | date('%u') | int) - 1",
    "getmonth": "({x} | date('%m') | int) - 1",
    "islower": "{x} is lower",
    "isupper": "{x} is upper",
}
"""Methods of Python and JavaScript; those that filters are named like stand there."""

FUNCTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("now", "utcnow", "date", "today"), "now"),
    "len": "{0} | length",
    **dict.fromkeys(("str", "tostring"), "{0} | string"),
    "sorted": "{0} | sort",
    "reversed": "{0} | reverse",
    "set": "{0} | unique",
    "any": "({0} | select | length) > 0",
    "all": "({0} | reject | length) == 0",
    "min/2": "[{0}, {1}] | min",
    "max/2": "[{0}, {1}] | max",
    "contains": "{1} in {0}",
    "startswith": "{0}[:{1#}] == {1}",
    "endswith": "{0}[-{1#}:] == {1}",
    "iif": "{1:true} if {0} else {2:false}",
    "coalesce": "{0} | default({1})",
    "getattr": "{0}[{1}]",
}
"""Functions: of Python, GitHub Actions, Home Assistant; those named like a filter need no entry."""

_MEMBERS: Final = (
    "reach members by name: `x.a[0].b`, those of all items by `x | map(attribute='b')`"
)
_WRITTEN_OUT: Final = "write the object out: `{'a': x.a, 'b': y.b}`"
_NO_STATES: Final = "states of other systems are not known here, but what came: `trigger.payload`"
_NO_FILES: Final = "nothing is read from files or hosts here, but what came: `trigger.payload`"
_NOT_RANDOM: Final = "nothing is random here, so that a run that is repeated does the same"
_MOVED: Final = "count in seconds: `((x | date('unix') + 3600) * 1000) | iso`"
_FORMAT: Final = "join texts with `x ~ ' of ' ~ y`, round numbers with `x | round(2)`"
_PARTS: Final = "take it apart with `x | regex_findall('([a-z]+)://([^/]+)')`"
_LOOPS: Final = "an action that goes through lists is `repeat` with `for_each`"
_NO_MATHS: Final = "there are `x + y`, `x - y`, `x * y`, `x / y`, `x // y` and `x % y`"
_OUTCOME: Final = "how an action ended is known by its artifacts, and in a catch: `error.message`"
_SHELL: Final = "nothing is handed to a shell here: leave it out"

NONE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("jsonquery", "jq", "jmespath", "yaql", "xpath", "jsonpath"), _MEMBERS),
    **dict.fromkeys(("combine", "items2dict", "dict", "rekeyonmember", "mergeobjects",
                     "xmlattr", "update"), _WRITTEN_OUT),
    **dict.fromkeys(("states", "isstate", "stateattr", "isstateattr", "expand", "areaid",
                     "deviceid", "areaname", "devicename", "deviceattr", "integrationentities",
                     "closest", "distance", "labels", "floors"), _NO_STATES),
    **dict.fromkeys(("lookup", "query", "fileglob", "realpath", "expanduser", "expandvars",
                     "relpath", "normpath", "commonpath", "winsplitdrive", "vault", "unvault",
                     "hashfiles", "read", "asseturl", "fileexists", "include",
                     "url"), _NO_FILES),
    **dict.fromkeys(("random", "shuffle", "randommac", "sample", "uuid", "touuid",
                     "passwordhash", "randomstring"), _NOT_RANDOM),
    **dict.fromkeys(("dateadd", "timeuntil", "todayat", "datemodify", "timedelta"), _MOVED),
    **dict.fromkeys(("format", "printf", "wordwrap", "ljust", "rjust", "zfill", "padstart",
                     "padend", "ordinal", "pluralize", "money", "comment", "humantobytes",
                     "camelize", "smartify", "markdownify", "urlize", "classname",
                     "escapechar"), _FORMAT),
    **dict.fromkeys(("urlsplit", "urlparse", "urldecode", "ipaddr", "ipv4", "ipv6", "ipwrap",
                     "parsecli", "regexescape", "partition", "rsplit", "replacelast",
                     "removelast"), _PARTS),
    **dict.fromkeys(("flatten", "zip", "ziplongest", "product", "permutations", "combinations",
                     "subelements", "range", "enumerate", "cycler", "namespace", "joiner",
                     "listsmergeby", "reduce", "findindex", "insert", "whereexp",
                     "groupbyexp", "findexp", "foreach", "flat", "flatmap"), _LOOPS),
    **dict.fromkeys(("log", "pow", "root", "sqrt", "sin", "cos", "tan", "bitwiseand",
                     "bitwiseor", "bitwisexor", "median", "statisticalmode"), _NO_MATHS),
    **dict.fromkeys(("changed", "failed", "succeeded", "success", "failure", "always", "cancelled",
                     "skipped", "started", "finished", "reachable", "unreachable",
                     "rescued"), _OUTCOME),
    **dict.fromkeys(("mandatory", "undef"), "ask for it in a condition: `x is defined`"),
    "version": "compare its parts: `(x | split('.') | map('int')) >= [1, 2]`",
    **dict.fromkeys(("quote", "shellquote"), _SHELL),
    **dict.fromkeys(("callable", "filter", "test"), "expressions have values of JSON only"),
    "typedebug": "ask for a type: `x is string`, `x is number`, `x is mapping`",
}  # fmt: skip
"""What there is nothing for, and what to do."""
