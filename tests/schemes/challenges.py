"""Challenges of a response, as a parser that isn't this package's reads them."""

from urllib.request import parse_http_list, parse_keqv_list


def parse_challenges(response):
    """Return name and parameters of each challenge, read by the standard library.

    Each challenge must be printable ASCII, and have a quoted realm and no parameter twice.
    """
    challenges = []
    for line in response.headers.getlist("WWW-Authenticate"):
        scheme, _, rest = line.partition(" ")
        items = parse_http_list(rest)
        params = parse_keqv_list(items)
        assert len(params) == len(items)
        assert 'realm="' in line
        assert all(" " <= character <= "~" for character in line)
        challenges.append((scheme, params))
    return challenges
