"""What is put onto an object from outside: callables after its construction, methods in tests."""

import ast
from collections.abc import Iterator, Set
from typing import Final

from sources import Function, Source, Tree

_MAKERS: Final = frozenset({"__init__", "__new__", "__post_init__"})
_SETTERS: Final = frozenset({"setattr", "__setattr__"})
_PATCHERS: Final = frozenset({"patch", "object"})  # of unittest.mock


def set_after_construction(sources: Tree) -> list[str]:
    """Say where an object gets a callable after it was made.

    That is a function, a lambda, a partial or a method assigned to an attribute of another object,
    or of `self` outside of `__init__`, and what is an argument that is typed as a callable; any
    value for an attribute that is known as a callable; whatever `setattr` sets; and the declaration
    of such an attribute without a value in a class that has an `__init__`.
    """
    aliases = _aliases(sources)
    callables, methods = _callable_attributes(sources), _method_names(sources)
    strays = [stray for source in sources for stray in _promised(source)]
    for source in sources:
        strays += [
            f"{source.at(call)}: {ast.unparse(call)[:90]} sets what nobody finds"
            for call in source.all(ast.Call)
            if ast.unparse(call.func).rpartition(".")[2] in _SETTERS
        ]
        handed = _handed_over(source, aliases)
        functions, own_methods = _function_names(source), _method_names(Tree([source]))
        made_here = _made_in_constructors(source)
        strays += [
            f"{source.at(target)}: {ast.unparse(target)} is set after construction"
            for target, value in _attribute_assignments(source)
            if not (_is_own(target) and id(target) in made_here)
            and (
                target.attr in callables
                or id(value) in handed
                or _is_callable(value, functions, methods, own_methods)
            )
        ]
    return strays


def replaced_methods(sources: Tree, product: Tree, own: str = "lockstep") -> list[str]:
    """Say where methods, or anything else of `product`, are replaced while they are in use.

    Args:
        sources: What is looked through: tests, and the worlds that cases run in.
        product: What must not be replaced.
        own: The first word of its modules.
    """
    callables = _method_names(product) | _callable_attributes(product)
    strays = []
    for source in sources:
        ours, foreign = _imported_names(source, own)
        strays += [
            f"{source.at(call)}: {ast.unparse(call)[:90]}"
            for call in source.all(ast.Call)
            if _is_patch(call) and not _is_foreign(call.args[0], foreign, own)
        ]
        strays += [
            f"{source.at(target)}: {ast.unparse(target)} = {ast.unparse(value)[:50]}"
            for target, value in _attribute_assignments(source)
            if not _is_own(target)
            and (
                (target.attr in callables and not _is_plain(value))
                or (isinstance(target.value, ast.Name) and target.value.id in ours)
            )
        ]
    return strays


def _method_names(sources: Tree) -> Set[str]:
    """Name what is a method and nothing else anywhere: what is a field too may be assigned."""
    methods, fields = set[str](), set[str]()
    for source in sources:
        for node in source.all(ast.ClassDef):
            for one in node.body:
                if isinstance(one, Function):
                    (fields if _is_property(one) else methods).add(one.name)
                elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                    fields.add(one.target.id)
        made_here = _made_in_constructors(source)
        for target, _ in _attribute_assignments(source):
            if _is_own(target) and id(target) in made_here:
                fields.add(target.attr)
    return methods - fields


def _is_property(function: Function) -> bool:
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in function.decorator_list}
    return bool(marks & {"property", "cached_property", "setter"})


def _function_names(source: Source) -> Set[str]:
    """Name the functions of a source whose names are never those of its arguments or variables."""
    named = {one.arg for one in source.all(ast.arg)}
    named |= {one.id for one in source.all(ast.Name) if isinstance(one.ctx, ast.Store)}
    methods = {
        one.name
        for node in source.all(ast.ClassDef)
        for one in node.body
        if isinstance(one, Function)
    }
    return {one.name for one in source.functions} - named - methods


def _attribute_assignments(source: Source) -> Iterator[tuple[ast.Attribute, ast.expr]]:
    for node in source.all(ast.Assign):
        yield from _pairs_of(node)
    for marked in source.all(ast.AnnAssign):
        if isinstance(marked.target, ast.Attribute) and marked.value is not None:
            yield marked.target, marked.value


def _pairs_of(node: ast.Assign) -> Iterator[tuple[ast.Attribute, ast.expr]]:
    for target in node.targets:
        yield from _pairs(target, node.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.Attribute, ast.expr]]:
    if isinstance(target, ast.Attribute):
        yield target, value
    elif isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else ()
        for position, one in enumerate(target.elts):
            yield from _pairs(one, values[position] if position < len(values) else value)


def _is_own(target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id in {"self", "cls"}


def _is_of_self(pair: tuple[ast.Attribute, ast.expr]) -> bool:
    return _is_own(pair[0])


def _is_plain(value: ast.expr) -> bool:
    """Whether a value can be no callable."""
    return isinstance(
        value,
        ast.Constant | ast.List | ast.Dict | ast.Set | ast.JoinedStr | ast.Compare | ast.BinOp,
    )


def _is_callable(
    value: ast.expr, functions: Set[str], methods: Set[str], own_methods: Set[str]
) -> bool:
    match value:
        case ast.Lambda():
            return True
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial")):
            return True
        case ast.Name(id=name):
            return name in functions
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in own_methods:
            return True
        case ast.Attribute(attr=name):
            return name in methods
        case _:
            return False


def _made_in_constructors(source: Source) -> Set[int]:
    return {
        id(node)
        for function in source.functions
        if function.name in _MAKERS
        for node in ast.walk(function)
    }


def _handed_over(source: Source, aliases: Set[str]) -> Set[int]:
    """Give the uses of arguments that are typed as callables."""
    found = set[int]()
    for function in source.functions:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        names = {one.arg for one in arguments if _says_callable(one.annotation, aliases)}
        found |= {
            id(one) for one in ast.walk(function) if isinstance(one, ast.Name) and one.id in names
        }
    return found


def _says_callable(annotation: ast.expr | None, aliases: Set[str] = frozenset()) -> bool:
    """Whether it is a callable itself, or one or none: not a table of them."""
    match annotation:
        case ast.Subscript(value=value):
            return _says_callable(value)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "Callable" or name in aliases
        case ast.BinOp(left=left, right=right):
            return _says_callable(left, aliases) or _says_callable(right, aliases)
        case _:
            return False


def _aliases(sources: Tree) -> Set[str]:
    """Name the types that are callables by another name: `Receive = Callable[...]`."""
    names = set()
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and _says_callable(node.value):
                names |= {ast.unparse(target) for target in node.targets}
            elif isinstance(node, ast.AnnAssign) and _says_callable(node.value):
                names.add(ast.unparse(node.target))
    return names


def _callable_attributes(sources: Tree) -> Set[str]:
    """Name the attributes that hold a callable: by their type, or by that of what they are given.

    A name that is something else in another class is left out: it is not known whose it is.
    """
    aliases = _aliases(sources)
    callables, others = set[str](), set[str]()
    for source in sources:
        for node in source.all(ast.ClassDef):
            for name, annotation in _typed_attributes(node):
                (callables if _says_callable(annotation, aliases) else others).add(name)
    return callables - others


def _typed_attributes(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Give the attributes of a class, those that `__init__` takes over from its arguments too."""
    for one in node.body:
        if isinstance(one, ast.AnnAssign):
            yield ast.unparse(one.target), one.annotation
        elif isinstance(one, Function) and one.name in _MAKERS:
            arguments = [*one.args.args, *one.args.kwonlyargs]
            types = {argument.arg: argument.annotation for argument in arguments}
            for inner in ast.walk(one):
                if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Attribute):
                    yield inner.target.attr, inner.annotation
                elif isinstance(inner, ast.Assign):
                    for target, value in filter(_is_of_self, _pairs_of(inner)):
                        name = value.id if isinstance(value, ast.Name) else ""
                        yield target.attr, types.get(name)


def _promised(source: Source) -> Iterator[str]:
    """Give callables that a class declares and its own `__init__` does not set."""
    for node in source.all(ast.ClassDef):
        makers = [one for one in node.body if isinstance(one, Function) and one.name in _MAKERS]
        if not makers:
            continue  # a dataclass, a struct, a protocol: who makes it hands all of it
        assigned = {
            one.attr
            for maker in makers
            for one in ast.walk(maker)
            if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)
        }
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and _says_callable(one.annotation):
                name = ast.unparse(one.target)
                if one.value is None and name not in assigned:
                    yield f"{source.at(one)}: {node.name}.{name} is declared, and set by others"


def _is_patch(call: ast.Call) -> bool:
    """Whether it is `monkeypatch.setattr`, `setattr` or one of `unittest.mock`."""
    if not call.args:
        return False
    if isinstance(call.func, ast.Name):
        return call.func.id in {"setattr", "patch"}
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "setattr":
        return True
    return call.func.attr in _PATCHERS and "patch" in ast.unparse(call.func)


def _imported_names(source: Source, own: str) -> tuple[Set[str], Set[str]]:
    """Name what a source imports of ours, and what of the standard library and of drivers."""
    ours, foreign = set[str](), set[str]()
    for node in source.all(ast.Import):
        for alias in node.names:
            name = (alias.asname or alias.name).partition(".")[0]
            (ours if alias.name.startswith(own) else foreign).add(name)
    for from_node in source.all(ast.ImportFrom):
        is_ours = bool(from_node.level) or (from_node.module or "").startswith(own)
        for alias in from_node.names:
            (ours if is_ours else foreign).add(alias.asname or alias.name)
    ours |= {name for name, value in _renamings(source) if value in ours}
    return ours, foreign


def _renamings(source: Source) -> Iterator[tuple[str, str]]:
    """Give `name = other`: both are the same thing."""
    for node in source.all(ast.Assign):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)):
                yield name, value
    for marked in source.all(ast.AnnAssign):
        match marked:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Name(id=value)):
                yield name, value


def _is_foreign(target: ast.expr, foreign: Set[str], own: str) -> bool:
    """Whether what is patched is none of ours."""
    if isinstance(target, ast.Constant):
        return not str(target.value).startswith(f"{own}.")
    while isinstance(target, ast.Attribute):
        target = target.value
    return isinstance(target, ast.Name) and target.id in foreign
