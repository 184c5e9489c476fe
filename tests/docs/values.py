"""What the value of a field may be, in words, as the page of the bus has it."""

from collections.abc import Container

from msgspec import inspect


def values(kind: inspect.Type, headings: Container[str]) -> str:
    """Say what a value of a type may be; structs that have a heading of their own are links."""
    match kind:
        case inspect.Metadata(type=inner):
            return values(inner, headings)
        case inspect.UnionType(types=types):
            return " or ".join(values(one, headings) for one in types)
        case inspect.StructType(cls=cls):
            name = cls.__name__
            return f"[{name}](#{name.lower()})" if name in headings else f"`{name}`"
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return f"list of {values(item, headings)}{_number(least, most)}"
        case inspect.DictType(value_type=inspect.AnyType()):
            return "object"
        case inspect.DictType(value_type=value):
            return f"object of {values(value, headings)}"
        case inspect.LiteralType(values=words):
            return ", ".join(f"`{one}`" for one in words)
        case inspect.StrType(min_length=least, max_length=most):
            return f"text{_length(least, most)}"
        case inspect.IntType():
            return f"whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"number{_bounds(kind)}"
        case _:
            return PLAIN[type(kind)]


PLAIN: dict[type[inspect.Type], str] = {
    inspect.AnyType: "any JSON",
    inspect.BoolType: "true or false",
    inspect.DateTimeType: "time",
    inspect.NoneType: "null",
}


def _length(least: int | None, most: int | None) -> str:
    if most is None:
        return " that is not empty" if least else ""
    return f" of {least or 0} to {most:,} characters"


def _number(least: int | None, most: int | None) -> str:
    return "" if most is None else f" ({least or 0} to {most:,})"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"from {kind.ge:,}" if kind.ge is not None else ""
    low = f"above {kind.gt:,}" if kind.gt is not None else low
    high = f"to {kind.le:,}" if kind.le is not None else ""
    return "".join(f" {one}" for one in (low, high) if one)
