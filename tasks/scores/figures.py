"""How a number is written that may be a price, an error of prices, or a loss near 0."""


def figure(value: float, digits: int = 4) -> str:
    """So many digits, as people write them: 4,134,900 and not 4.1349e+06."""
    plain = 10**digits <= abs(value) < 1e15
    return f"{float(f'{value:.{digits}g}'):,.0f}" if plain else f"{value:.{digits}g}"
