"""Levenshtein's distance: how many edits turn one sequence into another?"""

from collections.abc import Sequence


def edit_distance(a: Sequence, b: Sequence) -> int:
    """The fewest insertions, deletions and substitutions of one element that turn a into b.

    a (N), b (M): strings, lists or any other sequences of elements that can be compared.

        D[i, 0] = i,  D[0, j] = j                                                                  (1)
        D[i, j] = min(D[i-1, j-1] + [a_i != b_j],  D[i-1, j] + 1,  D[i, j-1] + 1)                  (2)

    The answer is D[N, M]; one row of D is kept, so the memory is O(M) and the time O(N M).

    Wagner & Fischer 1974.
    """
    row = list(range(len(b) + 1))  # (1) D[0, :]
    for i, x in enumerate(a, start=1):
        diagonal, left = row[0], i  # D[i-1, 0] and D[i, 0] (1)
        row[0] = left
        for j, y in enumerate(b, start=1):
            above = row[j]
            left = min(diagonal + (x != y), above + 1, left + 1)  # (2)
            row[j], diagonal = left, above
    return row[-1]
