"""Circles of imports: modules none of which can be understood, or moved, without the others."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set

from sources import Tree


def circles(sources: Tree) -> list[str]:
    """Name each circle by its shortest way round; those that share a module are one circle."""
    graph: dict[str, set[str]] = {source.module: set() for source in sources}
    for found in sources.imports:
        if found.is_ours:
            graph[found.importer.module].add(found.target)
    return [_told(_way_round(graph, group), group) for group in _groups(graph)]


def _told(way: Sequence[str], group: Set[str]) -> str:
    others = sorted(group - set(way))
    return " -> ".join(way) + (f" (with {', '.join(others)})" if others else "")


def _groups(graph: Mapping[str, Set[str]]) -> Iterator[Set[str]]:
    """Give the strongly connected components that are circles.

    Source: Kosaraju's algorithm: in the reverse order of their ends in a first search, a second
    one against the arrows finds one component after the other.
    """
    against: dict[str, set[str]] = {module: set() for module in graph}
    for module, targets in graph.items():
        for target in targets:
            against[target].add(module)
    seen: set[str] = set()
    for module in reversed(_by_end(graph)):
        group = set(_reached(against, module, seen))
        seen |= group
        if len(group) > 1 or module in graph[module]:
            yield group


def _by_end(graph: Mapping[str, Set[str]]) -> list[str]:
    """Order the modules by when a search in depth is done with them."""
    ended: list[str] = []
    seen: set[str] = set()
    for start in sorted(graph):
        stack = [] if start in seen else [(start, iter(sorted(graph[start])))]
        seen.add(start)
        while stack:
            module, targets = stack[-1]
            following = next((one for one in targets if one not in seen), None)
            if following is None:
                ended.append(module)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(graph[following]))))
    return ended


def _reached(graph: Mapping[str, Set[str]], start: str, without: Set[str]) -> Iterator[str]:
    if start in without:
        return
    reached, waiting = {start}, deque([start])
    while waiting:
        module = waiting.popleft()
        yield module
        new = graph[module] - reached - without
        reached |= new
        waiting.extend(new)


def _way_round(graph: Mapping[str, Set[str]], group: Set[str]) -> Sequence[str]:
    """Find the shortest circle within a component."""
    return min((_way_back(graph, start, group) for start in sorted(group)), key=len)


def _way_back(graph: Mapping[str, Set[str]], start: str, group: Set[str]) -> Sequence[str]:
    ways = deque([[start]])
    seen: set[str] = set()
    while True:  # a component leads back from everywhere
        way = ways.popleft()
        for following in sorted(graph[way[-1]] & group):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
