"""Second-order sections."""

from __future__ import annotations

from faustwire.graph import SOS
from faustwire_bridge.codegen.sheet import ZERO, Place, Sheet, Value, balanced, term


def write_sections(node: SOS, inputs: list[Value], sheet: Sheet, place: Place) -> list[Value]:
    """Cascades of sections: one per channel, or one per entry and their sum over the inputs."""
    del place
    cascades = node.sections.T.tolist()
    if node.sections.ndim == 3:
        return [
            _write_cascade(sections, value, sheet)
            for sections, value in zip(cascades, inputs, strict=True)
        ]
    # .T turned [sections, 6, n_out, n_in] into [n_in, n_out, 6, sections].
    return [
        sheet.total(
            "c",
            [_write_cascade(cascades[i][o], value, sheet) for i, value in enumerate(inputs)],
        )
        for o in range(node.sections.shape[2])
    ]


def _write_cascade(coefficients: list[list[float]], value: Value, sheet: Sheet) -> Value:
    for b0, b1, b2, _, a1, a2 in zip(*coefficients, strict=True):
        value = _write_section((b0, b1, b2, a1, a2), value, sheet)
        if value[0] == 0.0:
            return ZERO
    return value


def _write_section(
    coefficients: tuple[float, float, float, float, float], value: Value, sheet: Sheet
) -> Value:
    """Direct form II: one loop variable a section; its largest b waits as a factor."""
    b0, b1, b2, a1, a2 = coefficients
    factor, operand = value
    largest = max(b0, b1, b2, key=abs)
    if factor == 0.0 or largest == 0.0:
        return ZERO
    state, previous = sheet.name("w"), sheet.name("z")
    terms = [(1.0, operand), (-a1, previous), (-a2, f"{previous}'")]
    sheet.definitions.append(f"{state} = {balanced([term(v) for v in terms if v[0]])};")
    sheet.equations.append((previous, state))
    shape = [(b0 / largest, state), (b1 / largest, previous), (b2 / largest, f"{previous}'")]
    return sheet.scaled(factor, sheet.scaled(largest, sheet.total("b", shape)))
