"""How a number is written that may be a price, an error of prices, or a loss near 0."""


def digits(value: float, count: int = 4) -> str:
    """So many digits, as people write them: 4,135,000 and not 4.135e+06."""
    plain = 10**count <= abs(value) < 1e15
    return f"{float(f'{value:.{count}g}'):,.0f}" if plain else f"{value:.{count}g}"
